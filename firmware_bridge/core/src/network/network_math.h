/* SPDX-License-Identifier: Apache-2.0 */
/* network_math.h: the fixed-point arithmetic that all kernels share. */
#ifndef MMQ_NETWORK_MATH_H
#define MMQ_NETWORK_MATH_H

#include <string.h>

#include "mmq_kernels.h"

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__ARM_ARCH_PROFILE) && defined(__GNUC__) && \
    __ARM_ARCH_PROFILE == 'M' && !defined(__ARM_BIG_ENDIAN) && !defined(MMQ_NETWORK_PLAIN)
#define MMQ_DSP 1 /* halfwords two by two; the same bits */
#else
#define MMQ_DSP 0
#endif

/* Rows that a product takes at once: each weight is then read once for two of them. */
#define PAIR 2u

typedef char shifts_must_keep_the_sign[(-1 >> 1) == -1 ? 1 : -1];

static inline uint32_t strip_at(const mmq_rows_t *rows, uint32_t first) {
    return rows->kind & MMQ_ROLLS ? 0 : first * rows->width;
}

static inline int8_t *rows_at(const mmq_rows_t *rows, int8_t *arena, uint32_t first) {
    return arena + rows->begin.at + strip_at(rows, first);
}

static inline const int8_t *constant_rows_at(const mmq_rows_t *rows, const int8_t *arena, uint32_t first) {
    return (rows->kind & MMQ_CONSTANT ? rows->begin.constant : arena + rows->begin.at) + strip_at(rows, first);
}

/* What is added before the shift of a requantisation. */
static inline int32_t rounding_of(const mmq_scaling_t *scaling) {
    return (scaling->zero_point * 2 + 1) * (int32_t)(1u << (scaling->shift - 1u));
}

/* (twice * b + 2^31) >> 32 */
static inline int32_t high_of(int32_t twice, int32_t b) {
#if MMQ_DSP
    int32_t high;
    __asm("smmulr %0, %1, %2" : "=r"(high) : "r"(twice), "r"(b));
    return high;
#else
    const int64_t product = (int64_t)twice * b;
    return (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
#endif
}

/* (2 * a * b + 2^31) >> 32, |a| < 2^30 */
static inline int32_t high_product(int32_t a, int32_t b) { return high_of((int32_t)((uint32_t)a << 1), b); }

#if MMQ_DSP
static inline uint32_t word_at(const int8_t *bytes) {
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Bytes 0 and 2 of a word, or 1 and 3, as two signed halfwords. */
static inline uint32_t even_bytes(uint32_t word) {
    uint32_t halves;
    __asm("sxtb16 %0, %1" : "=r"(halves) : "r"(word));
    return halves;
}

static inline uint32_t odd_bytes(uint32_t word) {
    uint32_t halves;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(word));
    return halves;
}

/* sum + a.low * b.low + a.high * b.high, of signed halfwords */
static inline int32_t two_products(uint32_t a, uint32_t b, int32_t sum) {
    int32_t result;
    __asm("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

/* The larger of signed bytes, side by side. */
static inline uint32_t larger_bytes(uint32_t a, uint32_t b) {
    uint32_t bytes;
    __asm("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(bytes) : "r"(a), "r"(b));
    return bytes;
}

/* Halfwords added side by side. */
static inline uint32_t halves_sum(uint32_t a, uint32_t b) {
    uint32_t halves;
    __asm("sadd16 %0, %1, %2" : "=r"(halves) : "r"(a), "r"(b));
    return halves;
}
#endif

/* y / 2^shift, halves away from zero, shift >= 1; `rounding` holds 2^(shift - 1) and what is to be added behind. */
static inline int32_t rounded_shift(int32_t y, int32_t rounding, uint32_t shift) {
    return (y + rounding + (y >> 31)) >> shift;
}

/* rounded_shift(high_of(twice, b), rounding, shift) for b > 0. The sign is that of `twice`: it differs from the rounded
 * product's only where that is 0, and there 1 less is shifted away. */
static inline int32_t requantised(int32_t twice, int32_t b, int32_t rounding, uint32_t shift) {
    const int32_t more = rounding + (twice >> 31);
#if MMQ_DSP
    int32_t sum;
    __asm("smmlar %0, %1, %2, %3" : "=r"(sum) : "r"(twice), "r"(b), "r"(more));
    return sum >> shift;
#else
    const uint64_t start = (uint64_t)(uint32_t)more << 32 | 0x80000000u;
    return (int32_t)((start + (uint64_t)((int64_t)twice * b)) >> 32) >> shift;
#endif
}

static inline int8_t held(int32_t value) {
#if defined(__thumb2__) && defined(__GNUC__) && !defined(MMQ_NETWORK_PLAIN)
    int32_t byte;
    __asm("ssat %0, #8, %1" : "=r"(byte) : "r"(value));
    return (int8_t)byte;
#else
    const int32_t raised = value < -128 ? -128 : value;
    return (int8_t)(raised > 127 ? 127 : raised);
#endif
}

/* Held between -128 and 127 first: one instruction on a Cortex-M. */
static inline int8_t clamped(int32_t value, int32_t low, int32_t high) {
    const int8_t byte = held(value);
    return byte < low ? (int8_t)low : byte > high ? (int8_t)high : byte;
}

/* Hold rows between narrower bounds than int8's: what a fused activation asks for. */
static inline void hold(int8_t *row, uint32_t count, const mmq_scaling_t *scaling) {
    const int32_t low = scaling->low, high = scaling->high;
    if (low <= -128 && high >= 127) return;
    for (uint32_t i = 0; i < count; i++) {
        if (row[i] < low) row[i] = (int8_t)low;
        if (row[i] > high) row[i] = (int8_t)high;
    }
}

static inline uint32_t up_to_4(uint32_t n) { return (n + 3u) & ~3u; }

#endif
