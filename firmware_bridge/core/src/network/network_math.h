/* SPDX-License-Identifier: Apache-2.0 */
/* network_math.h: the fixed-point arithmetic that all kernels share. */
#ifndef MMQ_NETWORK_MATH_H
#define MMQ_NETWORK_MATH_H

#include <string.h>

#include "mmq_kernels.h"

#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN) && defined(__GNUC__) && !defined(MMQ_NETWORK_PLAIN)
#define MMQ_DSP 1 /* halfwords two by two; the same bits */
#else
#define MMQ_DSP 0
#endif

/* Rows that a product takes at once: each weight is then read once for two of them. */
#define PAIR 2u

typedef char shifts_must_keep_the_sign[(-1 >> 1) == -1 ? 1 : -1];

static inline int8_t *rows_at(const mmq_rows_t *rows, int8_t *arena, uint32_t first) {
    return arena + rows->at + (size_t)first * rows->step;
}

static inline const int8_t *constant_rows_at(const mmq_rows_t *rows, const int8_t *arena, uint32_t first) {
    return (rows->constant != NULL ? rows->constant : arena + rows->at) + (size_t)first * rows->step;
}

/* (2 * a * b + 2^31) >> 32, |a| < 2^30 */
static inline int32_t high_product(int32_t a, int32_t b) {
#if MMQ_DSP
    int32_t high;
    __asm("smmulr %0, %1, %2" : "=r"(high) : "r"(a * 2), "r"(b));
    return high;
#else
    const int64_t product = (int64_t)(int32_t)((uint32_t)a << 1) * b;
    return (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
#endif
}

/* y / 2^shift, halves away from zero, shift >= 1; `rounding` holds 2^(shift - 1) and what is to be added behind. */
static inline int32_t rounded_shift(int32_t y, int32_t rounding, uint32_t shift) {
    return (y + rounding + (y >> 31)) >> shift;
}

static inline int8_t clamped(int32_t value, int32_t low, int32_t high) {
    const int32_t raised = value < low ? low : value;
    return (int8_t)(raised > high ? high : raised);
}

static inline uint32_t up_to_4(uint32_t n) { return (n + 3u) & ~3u; }

#endif
