/* SPDX-License-Identifier: Apache-2.0 */
/* product.c: products of two activations, the right one by its rows or by its columns. */
#include "products.h"

static void product(const mmq_product_t *p, int8_t *arena, uint32_t first, uint32_t count, int rows) {
    const int8_t *left = constant_rows_at(&p->left, arena, first), *right = constant_rows_at(&p->right, arena, 0);
    int8_t *output = rows_at(&p->output, arena, first);
    int16_t *pair = scratch_at(arena, p->scratch);
    const uint32_t together = rows ? (p->depth % 4u == 0 ? p->outputs & ~1u : 0) : p->outputs & ~3u;
    for (uint32_t r = 0; r < count; r += PAIR) {
        const uint32_t more = r + 1 < count ? 1 : 0; /* with an odd number the last row is done twice */
        int8_t *second = output + more * p->output.width;
        products_t job = {pair, p->scaling.multiplier, rounding_of(&p->scaling), p->scaling.shift, output, second,
                          right, NULL, {0, 0}, p->depth, together, p->outputs, NULL};
        (rows ? mmq_take_pair : mmq_take_columns)(left, left + more * p->left.width, p->depth, p->left_offset, pair,
                                                  job.starts);
        job.starts[0] *= p->right_offset; /* times each row's own sum */
        job.starts[1] *= p->right_offset;
        if (together > 0) (rows ? mmq_by_rows : mmq_by_columns)(&job);
        for (uint32_t j = together; j < p->outputs; j++) mmq_one_column(&job, rows);
        hold(output, p->outputs, &p->scaling);
        hold(second, p->outputs, &p->scaling);
        left += PAIR * p->left.width;
        output += PAIR * p->output.width;
    }
}

void mmq_product_by_rows(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    product((const mmq_product_t *)parameters, arena, first, count, 1);
}

void mmq_product_by_columns(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    product((const mmq_product_t *)parameters, arena, first, count, 0);
}
