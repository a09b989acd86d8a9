/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_kernels.h: the operations of an int8 network. For generated code: every number follows from the model's .tflite.
 *
 * Numbers are requantised as TFLite Micro's reference kernels do, rounding twice:
 *     y = (2 * x * multiplier + 2^31) >> 32;   (y + 2^(shift - 1) + (y < 0 ? -1 : 0) >> shift) + zero_point;
 * then low <= . <= high. Whoever makes parameters keeps |x| < 2^30 and every row inside the arena or the constant; the
 * kernels do not check. */
#ifndef MMQ_KERNELS_H
#define MMQ_KERNELS_H

#include "mmq_inference.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MMQ_CONSTANT 1u /* rows of a constant, not of the arena */
#define MMQ_ROLLS 2u    /* only a strip is kept: it lies where the one before lay */

/* Rows of int8, each `width` behind the one before; 0 where all are the same, or there is one. */
typedef struct {
    union {
        const int8_t *constant;
        uint32_t at; /* in the arena */
    } begin;
    uint16_t width;
    uint16_t kind; /* of the two above */
} mmq_rows_t;

/* How sums become int8. */
typedef struct {
    int32_t multiplier;
    uint8_t shift; /* >= 1 */
    int8_t zero_point, low, high;
} mmq_scaling_t;

/* A fully connected layer: output[r][j] = requantise(bias[j] + sum over k of weights[j][k] * (input[r][k] + offset)).
 * Weights have rows of depth rounded up to a multiple of 4, filled with 0. */
typedef struct {
    mmq_rows_t input, output;
    uint32_t scratch; /* in the arena: 4 * (depth rounded up to 4) bytes */
    uint16_t depth, outputs;
    mmq_scaling_t scaling;
    int16_t offset;
    uint16_t bias_bytes; /* of each: 4, 2, or 0 where there is none */
    const int8_t *weights;
    const void *bias; /* int32 or int16 */
} mmq_dense_t;
void mmq_dense(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

/* A product of two activations: sum over k of (left[r][k] + left_offset) * (right + right_offset), requantised.
 * by_rows: right[j][k] (a row for each output); by_columns: right[k][j]. */
typedef struct {
    mmq_rows_t left, right, output;
    uint32_t scratch; /* as above */
    uint16_t depth, outputs;
    int16_t left_offset, right_offset;
    mmq_scaling_t scaling;
} mmq_product_t;
void mmq_product_by_rows(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);
void mmq_product_by_columns(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

#define MMQ_LEFT_SAME 1u  /* every element of the left operand's row is the same one */
#define MMQ_RIGHT_SAME 2u
#define MMQ_LEFT_MINUS 4u /* of mmq_add */
#define MMQ_RIGHT_MINUS 8u

/* Element by element.
 * add: requantise(+-2^19 * (left + left_offset) +- scale(2^20 * (right + right_offset))), where scale multiplies and
 * rounds as above without an offset (right_shift 0: by 2^19 exactly).
 * multiply: requantise((left + left_offset) * (right + right_offset)). */
typedef struct {
    mmq_rows_t left, right, output;
    uint32_t count;
    mmq_scaling_t scaling;
    int32_t right_multiplier;
    int16_t left_offset, right_offset;
    uint8_t right_shift, ways; /* ways: of the four above */
} mmq_pair_t;
void mmq_add(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);
void mmq_multiply(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

/* output = table[input + 128] */
typedef struct {
    mmq_rows_t input, output;
    uint32_t count;
    const int8_t *table; /* [256] */
} mmq_lookup_t;
void mmq_lookup(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

/* Softmax of each row. exponentials[d] = exp(-d * scale) in 2^-31. From difference `exact` on they are below 2^22: no
 * share is half a step of the output, and only what they add to the sum is kept, in 2^-19: small[d - exact]; from
 * `differences` on, 0. */
typedef struct {
    mmq_rows_t input, output;
    uint32_t count;
    uint16_t exact, differences;
    const int32_t *exponentials; /* [exact] */
    const uint16_t *small;       /* [differences - exact] */
} mmq_softmax_t;
void mmq_softmax(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

/* output[r][j] = the largest input[r][k][j] over k */
typedef struct {
    mmq_rows_t input, output;
    uint32_t terms, count; /* of k, of j */
} mmq_maximum_t;
void mmq_maximum(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

/* The mean of input[r][k][j] over k: the sum from `start` on (the zero point times -terms) times
 * 2^left, requantised with shift 0 or more, and only then the zero point. */
typedef struct {
    mmq_rows_t input, output;
    uint32_t terms, count;
    int32_t start, multiplier;
    uint8_t left, shift;
    int8_t zero_point;
} mmq_mean_t;
void mmq_mean(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

/* output[r][i][j] = input[r][i][j], each with its own distances: joins, cuts, turns. */
typedef struct {
    mmq_rows_t input, output;
    uint32_t outer, inner;
    uint32_t input_outer, input_inner;
    uint32_t output_outer, output_inner;
} mmq_copy_t;
void mmq_copy(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

/* output[r][j] = (slow[r / period][j] + fast[r % period][j]) >> 7 */
typedef struct {
    mmq_rows_t output;
    uint16_t count, period;
    const int16_t *slow, *fast;
} mmq_outer_t;
void mmq_outer(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);

#ifdef __cplusplus
}
#endif
#endif
