/* SPDX-License-Identifier: Apache-2.0 */
/* dots.h: sums of products, eight at a time, where the processor has vectors: SSE2 and SSE4.1, WebAssembly's SIMD128,
 * Arm's Helium. One of them, or MMQ_VECTORS is 0. Sums are exact on all: their order changes no bit.
 *
 * dot_t is a sum of products of halves_t, eight signed halfwords; columns_t are four sums side by side. */
#ifndef MMQ_DOTS_H
#define MMQ_DOTS_H

#include "network_math.h"

#if defined(MMQ_NETWORK_PLAIN)
#define MMQ_VECTORS 0

#elif defined(__SSE2__)
#define MMQ_VECTORS 1
#ifdef __SSE4_1__
#include <smmintrin.h>
#else
#include <emmintrin.h>
#endif
typedef __m128i halves_t, dot_t, columns_t;

static inline halves_t halves_at(const int16_t *x) { return _mm_loadu_si128((const __m128i *)(const void *)x); }
static inline halves_t four_halves_at(const int16_t *x) { return _mm_loadl_epi64((const __m128i *)(const void *)x); }

static inline halves_t widened(__m128i bytes) {
#ifdef __SSE4_1__
    return _mm_cvtepi8_epi16(bytes);
#else
    return _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
#endif
}

static inline __m128i four_at(const int8_t *bytes) {
    int32_t word;
    memcpy(&word, bytes, sizeof word);
    return _mm_cvtsi32_si128(word);
}

static inline halves_t bytes_at(const int8_t *a) { return widened(_mm_loadl_epi64((const __m128i *)(const void *)a)); }
static inline halves_t four_bytes_at(const int8_t *a) { return widened(four_at(a)); }
static inline dot_t no_dot(void) { return _mm_setzero_si128(); }
static inline dot_t dot(dot_t sum, halves_t x, halves_t a) { return _mm_add_epi32(sum, _mm_madd_epi16(x, a)); }

static inline int32_t sum_of(dot_t sum) {
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1)));
}

static inline columns_t columns_from(int32_t start) { return _mm_set1_epi32(start); }
static inline void columns_to(columns_t sums, int32_t *to) { _mm_storeu_si128((__m128i *)(void *)to, sums); }

/* sums + x[0] * a[0 to 3] + x[1] * b[0 to 3] */
static inline columns_t two_more(columns_t sums, const int16_t *x, const int8_t *a, const int8_t *b) {
    int32_t word;
    memcpy(&word, x, sizeof word);
    return dot(sums, _mm_set1_epi32(word), widened(_mm_unpacklo_epi8(four_at(a), four_at(b))));
}

#elif defined(__wasm_simd128__)
#define MMQ_VECTORS 1
#include <wasm_simd128.h>
typedef v128_t halves_t, dot_t, columns_t;

static inline halves_t halves_at(const int16_t *x) { return wasm_v128_load(x); }
static inline halves_t four_halves_at(const int16_t *x) { return wasm_v128_load64_zero(x); }
static inline halves_t bytes_at(const int8_t *a) { return wasm_i16x8_load8x8(a); }
static inline halves_t four_bytes_at(const int8_t *a) { return wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(a)); }
static inline dot_t no_dot(void) { return wasm_i32x4_const_splat(0); }
static inline dot_t dot(dot_t sum, halves_t x, halves_t a) {
    return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(x, a));
}

static inline int32_t sum_of(dot_t sum) {
    sum = wasm_i32x4_add(sum, wasm_i32x4_shuffle(sum, sum, 2, 3, 0, 1));
    return wasm_i32x4_extract_lane(sum, 0) + wasm_i32x4_extract_lane(sum, 1);
}

static inline columns_t columns_from(int32_t start) { return wasm_i32x4_splat(start); }
static inline void columns_to(columns_t sums, int32_t *to) { wasm_v128_store(to, sums); }

static inline columns_t two_more(columns_t sums, const int16_t *x, const int8_t *a, const int8_t *b) {
    const v128_t bytes = wasm_i8x16_shuffle(wasm_v128_load32_zero(a), wasm_v128_load32_zero(b), 0, 16, 1, 17, 2, 18, 3,
                                            19, 4, 4, 4, 4, 4, 4, 4, 4);
    return dot(sums, wasm_v128_load32_splat(x), wasm_i16x8_extend_low_i8x16(bytes));
}

#elif defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1) && !defined(__ARM_BIG_ENDIAN)
#define MMQ_VECTORS 1
#include <arm_mve.h>
typedef int16x8_t halves_t;
typedef int32_t dot_t;
typedef int32x4_t columns_t;

static inline halves_t halves_at(const int16_t *x) { return vldrhq_s16(x); }
static inline halves_t four_halves_at(const int16_t *x) { return vldrhq_z_s16(x, vctp16q(4)); }
static inline halves_t bytes_at(const int8_t *a) { return vldrbq_s16(a); }
static inline halves_t four_bytes_at(const int8_t *a) { return vldrbq_z_s16(a, vctp16q(4)); }
static inline dot_t no_dot(void) { return 0; }
static inline dot_t dot(dot_t sum, halves_t x, halves_t a) { return vmladavaq_s16(sum, x, a); }
static inline int32_t sum_of(dot_t sum) { return sum; }
static inline columns_t columns_from(int32_t start) { return vdupq_n_s32(start); }
static inline void columns_to(columns_t sums, int32_t *to) { vstrwq_s32(to, sums); }

static inline columns_t two_more(columns_t sums, const int16_t *x, const int8_t *a, const int8_t *b) {
    return vmlaq_n_s32(vmlaq_n_s32(sums, vldrbq_s32(a), x[0]), vldrbq_s32(b), x[1]);
}

#else
#define MMQ_VECTORS 0
#endif

#endif
