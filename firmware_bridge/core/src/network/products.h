/* SPDX-License-Identifier: Apache-2.0 */
/* products.h: two rows at a time against a matrix. */
#ifndef MMQ_PRODUCTS_H
#define MMQ_PRODUCTS_H

#include "network_math.h"

static inline int16_t *scratch_at(int8_t *arena, uint32_t at) { return (int16_t *)(void *)(arena + at); }

/* Sums and what becomes of them, in the order in which pairs.c loads them: sums are what they begin with, of the first
 * row, then of the second; `output` and `second` take what they end as, between -128 and 127. */
typedef struct {
    int32_t sums[4];
    int32_t multiplier, rounding;
    uint32_t shift;
    int8_t *output, *second;
} four_sums_t;

typedef struct {
    int32_t sums[8];
    int32_t multiplier, rounding;
    uint32_t shift;
    int8_t *output, *second;
} eight_sums_t;

/* Two rows as 16-bit numbers with `offset` added, filled with 0 to a multiple of 4; sums are those of the numbers.
 * mmq_take_pair: elements 0 2 of the first, 1 3 of the first, then of the second row, and so on by fours: the order in
 * which SXTB16 takes a word of weights apart. mmq_take_columns: element k of the first row, of the second, k + 1, ... */
void mmq_take_pair(const int8_t *first, const int8_t *second, uint32_t depth, int32_t offset, int16_t *pair,
                   int32_t sums[2]);
void mmq_take_columns(const int8_t *first, const int8_t *second, uint32_t depth, int32_t offset, int16_t *pair,
                      int32_t sums[2]);

/* output[0] [1] and second[0] [1]: both rows times a and b; depth is a multiple of 4, or 0. */
void mmq_by_two_rows(const int16_t *pair, const int8_t *a, const int8_t *b, uint32_t depth, four_sums_t *four);

/* output[0] to [3] and second[0] to [3]: both rows times four columns of a matrix with rows of `width`. */
void mmq_by_four_columns(const int16_t *pair, const int8_t *matrix, uint32_t width, uint32_t depth,
                         eight_sums_t *eight);

#endif
