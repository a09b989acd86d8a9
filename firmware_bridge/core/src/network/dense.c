/* SPDX-License-Identifier: Apache-2.0 */
/* dense.c: fully connected layers. */
#include "products.h"

void mmq_dense(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_dense_t *p = (const mmq_dense_t *)parameters;
    const int8_t *input = constant_rows_at(&p->input, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
    int16_t *pair = scratch_at(arena, p->scratch);
    const int32_t *bias = p->bias_bytes == 4u ? (const int32_t *)p->bias : NULL;
    const int16_t *narrow = p->bias_bytes == 2u ? (const int16_t *)p->bias : NULL;
    for (uint32_t r = 0; r < count; r += PAIR) {
        const uint32_t more = r + 1 < count ? 1 : 0; /* with an odd number the last row is done twice */
        int8_t *second = output + more * p->output.width;
        products_t job = {pair, p->scaling.multiplier, rounding_of(&p->scaling), p->scaling.shift, output, second,
                          p->weights, bias, {0, 0}, up_to_4(p->depth), p->outputs & ~1u, 0, narrow};
        mmq_take_pair(input, input + more * p->input.width, p->depth, p->offset, pair, job.starts);
        job.starts[0] = job.starts[1] = 0;
        if (p->outputs > 1) mmq_by_rows(&job);
        if (p->outputs % 2u != 0) mmq_one_column(&job, 1);
        hold(output, p->outputs, &p->scaling);
        hold(second, p->outputs, &p->scaling);
        input += PAIR * p->input.width;
        output += PAIR * p->output.width;
    }
}
