/* SPDX-License-Identifier: Apache-2.0 */
/* products.h: two rows at a time against a matrix. */
#ifndef MMQ_PRODUCTS_H
#define MMQ_PRODUCTS_H

#include "dots.h"

/* The way that products go; all give the same bits. */
#define MMQ_BY_PLAIN 0
#define MMQ_BY_DSP 1
#define MMQ_BY_VECTORS 2
#if MMQ_VECTORS
#define MMQ_PRODUCTS MMQ_BY_VECTORS
#elif MMQ_DSP
#define MMQ_PRODUCTS MMQ_BY_DSP
#else
#define MMQ_PRODUCTS MMQ_BY_PLAIN
#endif

static inline int16_t *scratch_at(int8_t *arena, uint32_t at) { return (int16_t *)(void *)(arena + at); }

/* Two rows against columns of a matrix, in the order in which pairs.c loads it. Every column that is done moves
 * `output`, `second`, `right` and the bias on. */
typedef struct {
    const int16_t *pair; /* the rows, from mmq_take_pair or mmq_take_columns */
    int32_t multiplier, rounding;
    uint32_t shift;
    int8_t *output, *second; /* of the first row, of the second; held between -128 and 127 */
    const int8_t *right;
    const int32_t *bias; /* what both sums of a column start with, or NULL: `narrow` */
    int32_t starts[2];
    uint32_t depth, columns;
    uint32_t width; /* by columns: from one row of the matrix to the next */
    const int16_t *narrow; /* a bias of int16, or NULL: `starts`, of every column, by row */
} products_t;

/* What a sum of a job becomes. */
static inline int8_t ended(const products_t *job, int32_t sum) {
    return held(requantised(2 * sum, job->multiplier, job->rounding, job->shift));
}

/* All columns of a job are done. */
static inline void move_on(products_t *job, const int8_t *right, const int32_t *bias, const int16_t *narrow) {
    job->output += job->columns;
    job->second += job->columns;
    job->right = right;
    job->bias = bias;
    job->narrow = narrow;
}

/* Two rows as 16-bit numbers with `offset` added, filled with 0 to a multiple of 4; sums are those of the numbers.
 * mmq_take_pair: elements 0 2 of the first, 1 3 of the first, then of the second row, and so on by fours: the order in
 * which SXTB16 takes a word of weights apart. mmq_take_columns: element k of the first row, of the second, k + 1, ...
 * By vectors, both: the first row, then the second. */
void mmq_take_pair(const int8_t *first, const int8_t *second, uint32_t depth, int32_t offset, int16_t *pair,
                   int32_t sums[2]);
void mmq_take_columns(const int8_t *first, const int8_t *second, uint32_t depth, int32_t offset, int16_t *pair,
                      int32_t sums[2]);

/* All columns of a job: each a row of `right`; `columns` is even and not 0, depth a multiple of 4 and not 0. */
void mmq_by_rows(products_t *job);

/* The same with columns of `right`; `columns` is a multiple of 4 and not 0. */
void mmq_by_columns(products_t *job);

/* One column, whatever the depth; `row`: a row of `right`. */
void mmq_one_column(products_t *job, int row);

#endif
