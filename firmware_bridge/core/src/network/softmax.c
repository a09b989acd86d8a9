/* SPDX-License-Identifier: Apache-2.0 */
/* softmax.c: softmax of int8 rows, by gemmlowp's fixed-point numbers. */
#include "network_math.h"

static uint32_t leading_zeros(uint32_t x) {
#if defined(__GNUC__)
    return x == 0 ? 32u : (uint32_t)__builtin_clz(x);
#else
    uint32_t n = 0;
    for (; n < 32u && !(x & 0x80000000u); n++) x <<= 1;
    return n;
#endif
}

/* (2 * a * b + 2^31) >> 32 for any a and b but the two smallest numbers together */
static int32_t long_product(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* x * 2^n, held at the ends of int32 */
static int32_t shifted_up(int32_t x, uint32_t n) {
    const int32_t end = (int32_t)((1u << (31u - n)) - 1u);
    if (x > end) return INT32_MAX;
    if (x < -end) return INT32_MIN;
    return x * (1 << n);
}

/* 1 / (1 + x) in 2^-31 for x in 2^-31, 0 <= x < 1: three steps of Newton's method with two integer bits. */
static int32_t reciprocal(int32_t x) {
    const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    int32_t y = 1515870810 + long_product(half, -1010580540);
    for (uint32_t i = 0; i < 3; i++) y += shifted_up(long_product(y, (1 << 29) - long_product(half, y)), 2);
    return shifted_up(y, 1);
}

/* exp in 2^-31, rounded to 2^-19: twelve integer bits of a sum */
static uint32_t summed(int32_t exponential) { return ((uint32_t)exponential + 2048u) >> 12; }

static void softmax_row(const mmq_softmax_t *p, const int8_t *input, int8_t *output) {
    const int32_t *exponentials = p->exponentials;
    int32_t largest = -128;
    uint32_t sum = 0, scale, headroom, shift, half;
    for (uint32_t i = 0; i < p->count; i++) {
        if (input[i] > largest) largest = input[i];
    }
    for (uint32_t i = 0; i < p->count; i++) sum += summed(exponentials[largest - input[i]]);
    headroom = leading_zeros(sum);
    scale = (uint32_t)reciprocal((int32_t)((sum << headroom) - 0x80000000u)) << 1;
    shift = 35u - headroom;
    if (shift > 31u) { /* 256 elements and more: every share is under half a step */
        shift = 31u;
        scale = 0;
    }
    half = (1u << shift) >> 1;
    for (uint32_t i = 0; i < p->count; i++) {
        const uint64_t product = (uint64_t)scale * (uint32_t)exponentials[largest - input[i]] + 0x80000000u;
        const int32_t share = (int32_t)(((uint32_t)(product >> 32) + half) >> shift);
        output[i] = (int8_t)((share > 255 ? 255 : share) - 128);
    }
}

void mmq_softmax(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_softmax_t *p = (const mmq_softmax_t *)parameters;
    const int8_t *input = constant_rows_at(&p->input, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
    for (uint32_t r = 0; r < count; r++) {
        softmax_row(p, input, output);
        input += p->input_width;
        output += p->output_width;
    }
}
