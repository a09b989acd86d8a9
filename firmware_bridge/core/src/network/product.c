/* SPDX-License-Identifier: Apache-2.0 */
/* product.c: products of two activations, the right one by its rows or by its columns. */
#include "products.h"

/* One output of each row, in plain C: what the loops by two and four leave over. `row`: by a row, else a column. */
static void one_output(const mmq_product_t *p, const int32_t starts[2], const int16_t *pair, const int8_t *right,
                       int row, int8_t *output, int8_t *second) {
    int32_t s = starts[0], t = starts[1];
    for (uint32_t k = 0; k < p->depth; k++) {
        const uint32_t place = row ? (k & ~3u) * 2 + ((k & 1u) << 1) + ((k & 2u) >> 1) : 2 * k;
        const int32_t value = row ? right[k] : right[(size_t)k * p->outputs];
        s += pair[place] * value;
        t += pair[place + (row ? 4u : 1u)] * value;
    }
    *second = held(rounded_shift(high_product(t, p->multiplier), p->rounding, p->shift));
    *output = held(rounded_shift(high_product(s, p->multiplier), p->rounding, p->shift));
}

static void by_rows(const mmq_product_t *p, const int32_t starts[2], const int16_t *pair, const int8_t *right,
                    int8_t *output, int8_t *second) {
    four_sums_t four = {{0, 0, 0, 0}, p->multiplier, p->rounding, p->shift, output, second};
    const uint32_t depth = p->depth;
    uint32_t j = 0;
    for (; depth % 4u == 0 && j + 2 <= p->outputs; j += 2, right += 2 * depth) {
        four.sums[0] = four.sums[1] = starts[0];
        four.sums[2] = four.sums[3] = starts[1];
        mmq_by_two_rows(pair, right, right + depth, depth, &four);
        four.output += 2;
        four.second += 2;
    }
    for (; j < p->outputs; j++, right += depth) one_output(p, starts, pair, right, 1, output + j, second + j);
}

static void by_columns(const mmq_product_t *p, const int32_t starts[2], const int16_t *pair, const int8_t *right,
                       int8_t *output, int8_t *second) {
    eight_sums_t eight = {{0, 0, 0, 0, 0, 0, 0, 0}, p->multiplier, p->rounding, p->shift, output, second};
    uint32_t j = 0;
    for (; j + 4 <= p->outputs; j += 4) {
        for (uint32_t i = 0; i < 4; i++) eight.sums[i] = starts[0];
        for (uint32_t i = 4; i < 8; i++) eight.sums[i] = starts[1];
        mmq_by_four_columns(pair, right + j, p->outputs, p->depth, &eight);
        eight.output += 4;
        eight.second += 4;
    }
    for (; j < p->outputs; j++) one_output(p, starts, pair, right + j, 0, output + j, second + j);
}

static void product(const mmq_product_t *p, int8_t *arena, uint32_t first, uint32_t count, int rows) {
    const int8_t *left = constant_rows_at(&p->left, arena, first), *right = constant_rows_at(&p->right, arena, 0);
    int8_t *output = rows_at(&p->output, arena, first);
    int16_t *pair = scratch_at(arena, p->scratch);
    for (uint32_t r = 0; r < count; r += PAIR) {
        const uint32_t more = r + 1 < count ? 1 : 0; /* with an odd number the last row is done twice */
        const int8_t *other = left + more * p->left_width;
        int8_t *second = output + more * p->output_width;
        int32_t starts[2]; /* right_offset times each row's own sum */
        (rows ? mmq_take_pair : mmq_take_columns)(left, other, p->depth, p->left_offset, pair, starts);
        starts[0] *= p->right_offset;
        starts[1] *= p->right_offset;
        (rows ? by_rows : by_columns)(p, starts, pair, right, output, second);
        hold(output, p->outputs, p->low, p->high);
        hold(second, p->outputs, p->low, p->high);
        left += PAIR * p->left_width;
        output += PAIR * p->output_width;
    }
}

void mmq_product_by_rows(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    product((const mmq_product_t *)parameters, arena, first, count, 1);
}

void mmq_product_by_columns(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    product((const mmq_product_t *)parameters, arena, first, count, 0);
}
