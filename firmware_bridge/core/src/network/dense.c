/* SPDX-License-Identifier: Apache-2.0 */
/* dense.c: fully connected layers. */
#include "products.h"

static void start(four_sums_t *four, int32_t a, int32_t b) {
    four->sums[0] = four->sums[2] = a;
    four->sums[1] = four->sums[3] = b;
}

static void two_rows(const mmq_dense_t *p, const int16_t *pair, int8_t *output, int8_t *second) {
    four_sums_t four = {{0, 0, 0, 0}, p->multiplier, p->rounding, p->shift, output, second};
    const uint32_t depth = up_to_4(p->depth), outputs = p->outputs;
    const int8_t *weights = p->weights;
    const int32_t *bias = p->bias;
    for (uint32_t j = 0; j + 2 <= outputs; j += 2, bias += 2, weights += 2 * depth) {
        start(&four, bias[0], bias[1]);
        mmq_by_two_rows(pair, weights, weights + depth, depth, &four);
        four.output += 2;
        four.second += 2;
    }
    if (outputs % 2u != 0) { /* the last one, twice */
        int8_t spare[4];
        four.output = spare;
        four.second = spare + 2;
        start(&four, bias[0], bias[0]);
        mmq_by_two_rows(pair, weights, weights, depth, &four);
        second[outputs - 1] = spare[2];
        output[outputs - 1] = spare[0];
    }
}

void mmq_dense(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_dense_t *p = (const mmq_dense_t *)parameters;
    const int8_t *input = constant_rows_at(&p->input, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
    int16_t *pair = scratch_at(arena, p->scratch);
    for (uint32_t r = 0; r < count; r += PAIR) {
        const uint32_t more = r + 1 < count ? 1 : 0; /* with an odd number the last row is done twice */
        int8_t *second = output + more * p->output_width;
        int32_t sums[2];
        mmq_take_pair(input, input + more * p->input_width, p->depth, 0, pair, sums);
        two_rows(p, pair, output, second);
        hold(output, p->outputs, p->low, p->high);
        hold(second, p->outputs, p->low, p->high);
        input += PAIR * p->input_width;
        output += PAIR * p->output_width;
    }
}
