/* SPDX-License-Identifier: Apache-2.0 */
/* dense.c: fully connected layers and products by rows: dot products along the rows of both sides. */
#include "products.h"

void mmq_dense(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_dense_t *p = (const mmq_dense_t *)parameters;
    const int8_t *input = constant_rows_at(&p->input, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
    int16_t *pair = scratch_at(arena, p->scratch);
    const uint32_t depth = up_to_4(p->depth);
    for (uint32_t r = 0; r < count; r += PAIR) {
        const uint32_t rows = count - r < PAIR ? count - r : PAIR;
        const int8_t *weights = p->weights;
        int8_t *second = output + (rows > 1 ? p->output_width : 0);
        take_pair(input, p->input_width, rows, p->depth, 0, pair);
        for (uint32_t j = 0; j < p->outputs; j += 2) {
            const uint32_t last = j + 1 < p->outputs ? j + 1 : j; /* with an odd number the last is done twice */
            int32_t sums[4] = {p->bias[j], p->bias[last], p->bias[j], p->bias[last]};
            dots(pair, weights, weights + (last - j) * depth, depth, sums);
            second[j] = requantised(sums[2], p->multiplier, p->rounding, p->shift, p->low, p->high);
            second[last] = requantised(sums[3], p->multiplier, p->rounding, p->shift, p->low, p->high);
            output[j] = requantised(sums[0], p->multiplier, p->rounding, p->shift, p->low, p->high);
            output[last] = requantised(sums[1], p->multiplier, p->rounding, p->shift, p->low, p->high);
            weights += 2 * depth;
        }
        input += PAIR * p->input_width;
        output += PAIR * p->output_width;
    }
}
