/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_kernels.h: the operations of an int8 network. For generated code: every number follows from the model's .tflite.
 *
 * Numbers are requantised as TFLite Micro's reference kernels do, rounding twice:
 *     y = (2 * x * multiplier + 2^31) >> 32;   (y + rounding + (y < 0 ? -1 : 0)) >> shift;   then low <= . <= high
 * with shift >= 1 and rounding = 2^(shift - 1) + (zero_point << shift). Whoever makes parameters keeps |x| < 2^30 and
 * every row inside the arena or the constant; the kernels do not check. */
#ifndef MMQ_KERNELS_H
#define MMQ_KERNELS_H

#include "mmq_inference.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Rows of int8: row `first` begins at first * step. Step 0 where only a strip is kept, or every row is the same. */
typedef struct {
    const int8_t *constant; /* or NULL: `at` bytes into the arena */
    uint32_t at, step;
} mmq_rows_t;

/* A fully connected layer: output[r][j] = requantise(bias[j] + sum over k of weights[j][k] * input[r][k]).
 * Weights have rows of depth rounded up to a multiple of 4, filled with 0; the input's zero point is in the bias. */
typedef struct {
    mmq_rows_t input, output;
    uint32_t scratch; /* in the arena: 4 * (depth rounded up to 4) bytes */
    uint32_t depth, outputs;
    uint32_t input_width, output_width; /* from one row to the next of a strip */
    int32_t multiplier, rounding;
    uint32_t shift;
    int32_t low, high;
    const int8_t *weights;
    const int32_t *bias;
} mmq_dense_t;
void mmq_dense(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

/* A product of two activations: sum over k of (left[r][k] + left_offset) * (right + right_offset), requantised.
 * by_rows: right[j][k] (a row for each output); by_columns: right[k][j]. */
typedef struct {
    mmq_rows_t left, right, output;
    uint32_t scratch; /* as above */
    uint32_t depth, outputs;
    uint32_t left_width, output_width;
    int32_t left_offset, right_offset;
    int32_t multiplier, rounding;
    uint32_t shift;
    int32_t low, high;
} mmq_product_t;
void mmq_product_by_rows(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);
void mmq_product_by_columns(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

/* Element by element. An operand's next row is `width` further on, its next element `next` (0: the same again). */
typedef struct {
    mmq_rows_t rows;
    uint32_t width, next;
    int32_t offset;
} mmq_operand_t;

/* add: requantise(factor * (left + offset) + sign(scale(2^20 * (right + offset)))), factor 2^19 or -2^19, where scale
 * multiplies and rounds as above without an offset (right_shift 0: by 2^19 exactly), and sign negates with `negate` -1.
 * multiply: requantise((left + offset) * (right + offset)). */
typedef struct {
    mmq_operand_t left, right;
    mmq_rows_t output;
    uint32_t count, output_width;
    int32_t factor, right_multiplier;
    uint32_t right_shift;
    int32_t negate; /* 0 or -1 */
    int32_t multiplier, rounding;
    uint32_t shift;
    int32_t low, high;
} mmq_pair_t;
void mmq_add(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);
void mmq_multiply(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

/* output = table[input + 128] */
typedef struct {
    mmq_rows_t input, output;
    uint32_t count, input_width, output_width;
    const int8_t *table; /* [256] */
} mmq_lookup_t;
void mmq_lookup(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

/* Softmax of each row. exponentials[d] = exp(-d * scale) in 2^-31, 0 where TFLite Micro takes 0. */
typedef struct {
    mmq_rows_t input, output;
    uint32_t count, input_width, output_width;
    const int32_t *exponentials; /* [256] */
} mmq_softmax_t;
void mmq_softmax(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

/* output[r][j] = the largest input[r][k][j] over k */
typedef struct {
    mmq_rows_t input, output;
    uint32_t terms, count; /* of k, of j */
    uint32_t input_width, output_width;
} mmq_maximum_t;
void mmq_maximum(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

/* The mean of input[r][k][j] over k: the sum from `start` on (the zero point times -terms) times
 * 2^left, requantised with shift 0 or more, and only then the zero point. */
typedef struct {
    mmq_rows_t input, output;
    uint32_t terms, count;
    uint32_t input_width, output_width;
    int32_t start, multiplier;
    uint32_t left, shift;
    int32_t zero_point;
} mmq_mean_t;
void mmq_mean(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

/* output[r][i][j] = input[r][i][j], each with its own distances: joins, cuts, turns. */
typedef struct {
    mmq_rows_t input, output;
    uint32_t outer, inner;
    uint32_t input_width, input_outer, input_inner;
    uint32_t output_width, output_outer, output_inner;
} mmq_copy_t;
void mmq_copy(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

#ifdef __cplusplus
}
#endif
#endif
