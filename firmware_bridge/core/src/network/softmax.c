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

/* Held to 255. */
static uint32_t byte_of(uint32_t share) {
#if MMQ_DSP
    __asm("usat %0, #8, %0" : "+r"(share));
    return share;
#else
    return share > 255u ? 255u : share;
#endif
}

static int32_t largest_of(const int8_t *row, uint32_t count) {
    const int8_t *end = row + count;
    int32_t largest = -128;
#if MMQ_DSP
    uint32_t four = 0x80808080u;
    for (; row + 4 <= end; row += 4) four = larger_bytes(four, word_at(row));
    for (uint32_t i = 0; i < 4; i++, four >>= 8) {
        if ((int8_t)four > largest) largest = (int8_t)four;
    }
#endif
    for (; row < end; row++) {
        if (*row > largest) largest = *row;
    }
    return largest;
}

/* (2 * scale * exponential + 2^31) >> 32, and more, at most 2^31 */
static uint32_t share_of(uint32_t scale, int32_t exponential, uint32_t more) {
#if MMQ_DSP
    uint32_t low = 0x80000000u;
    __asm("umlal %0, %1, %2, %3" : "+r"(low), "+r"(more) : "r"(scale), "r"(exponential));
    return more;
#else
    return (uint32_t)(((uint64_t)scale * (uint32_t)exponential + ((uint64_t)more << 32 | 0x80000000u)) >> 32);
#endif
}

static void softmax_row(const mmq_softmax_t *p, const int8_t *input, int8_t *output) {
    const int8_t *end = input + p->count;
    const int32_t *exponentials = p->exponentials, largest = largest_of(input, p->count);
    const uint32_t exact = p->exact, differences = p->differences;
    uint32_t sum = 0, scale, headroom, shift, half;
    for (const int8_t *at = input; at < end; at++) {
        const uint32_t d = (uint32_t)(largest - *at);
        if (d < exact) sum += summed(exponentials[d]);
        else if (d < differences) sum += p->small[d - exact];
    }
    headroom = leading_zeros(sum);
    scale = (uint32_t)reciprocal((int32_t)((sum << headroom) - 0x80000000u)) << 1;
    shift = 35u - headroom;
    if (shift > 31u) { /* 256 elements and more: every share is under half a step */
        shift = 31u;
        scale = 0;
    }
    half = (1u << shift) >> 1;
    for (; input < end; input++, output++) {
        const uint32_t d = (uint32_t)(largest - *input);
        *output = d < exact ? (int8_t)(byte_of(share_of(scale, exponentials[d], half) >> shift) ^ 128u) : -128;
    }
}

void mmq_softmax(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_softmax_t *p = (const mmq_softmax_t *)parameters;
    const int8_t *input = constant_rows_at(&p->input, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
    for (uint32_t r = 0; r < count; r++) {
        softmax_row(p, input, output);
        input += p->input.width;
        output += p->output.width;
    }
}
