/* SPDX-License-Identifier: Apache-2.0 */
/* lanes8.c: the operations of lanes.h on eight channels side by side, where the compiler knows vectors. x86-64 has
 * them twice: with SSE2, where eight floats take two registers and too few are left, and with AVX, chosen when the
 * processor has it. AVX only widens registers (fused multiply-adds are another extension): the bits are the same. */
#include "mmq_internal.h"

#if MMQ_LANES == 8
typedef float mmq_v8 __attribute__((vector_size(32), aligned(4), may_alias));
#define V mmq_v8
#define ROW(rows, stride, i, lane) (rows)[(size_t)(lane) * (stride) + (i)]
#define LOAD(rows, stride, i)                                                                              \
    ((V){ROW(rows, stride, i, 0), ROW(rows, stride, i, 1), ROW(rows, stride, i, 2), ROW(rows, stride, i, 3), \
         ROW(rows, stride, i, 4), ROW(rows, stride, i, 5), ROW(rows, stride, i, 6), ROW(rows, stride, i, 7)})

#if defined(__x86_64__) && !defined(__AVX__)
#define LANE(name) name##_8_sse
#include "lanes.h"
#undef LANE
#define LANE(name) name##_8_avx
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx"))), apply_to = function)
#include "lanes.h"
#pragma clang attribute pop
#else
#pragma GCC push_options
#pragma GCC target("avx")
#include "lanes.h"
#pragma GCC pop_options
#endif
#define CHOSEN(function) (__builtin_cpu_supports("avx") ? function##_8_avx : function##_8_sse)

uint32_t mmq_condition_8(const mmq_modality_t *spec, const float *rows, uint32_t stride, uint32_t n, uint32_t phase,
                         float *baseline, float *prefilter, float *samples) {
    return CHOSEN(mmq_condition)(spec, rows, stride, n, phase, baseline, prefilter, samples);
}

void mmq_bank_filter_8(const mmq_modality_t *spec, const float *samples, uint32_t n, float *states, float *sums) {
    CHOSEN(mmq_bank_filter)(spec, samples, n, states, sums);
}

void mmq_segment_power_8(const mmq_modality_t *spec, const float *segment, float *work) {
    CHOSEN(mmq_segment_power)(spec, segment, work);
}
#else
#define LANE(name) name##_8
#include "lanes.h"
#endif
#else
typedef int mmq_no_lanes; /* C99 wants something in every file */
#endif
