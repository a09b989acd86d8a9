/* SPDX-License-Identifier: Apache-2.0 */
/* elementwise.c: add, subtract, multiply, and whatever depends on one element alone. */
#include "network_math.h"

void mmq_add(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_pair_t *p = (const mmq_pair_t *)parameters;
    const int8_t *lefts = constant_rows_at(&p->left.rows, arena, first);
    const int8_t *rights = constant_rows_at(&p->right.rows, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
    const int32_t factor = p->factor, negate = p->negate, half = (int32_t)((1u << p->right_shift) >> 1);
    const uint32_t shift = p->right_shift;
    for (uint32_t r = 0; r < count; r++) {
        const int8_t *left = lefts, *right = rights;
        for (uint32_t i = 0; i < p->count; i++, left += p->left.next, right += p->right.next) {
            int32_t x = (*left + p->left.offset) * factor, y = *right + p->right.offset;
            y = shift > 0 ? rounded_shift(high_product(y * (1 << 20), p->right_multiplier), half, shift) : y * (1 << 19);
            x += (y ^ negate) - negate;
            output[i] = clamped(rounded_shift(high_product(x, p->multiplier), p->rounding, p->shift), p->low, p->high);
        }
        lefts += p->left.width;
        rights += p->right.width;
        output += p->output_width;
    }
}

void mmq_multiply(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_pair_t *p = (const mmq_pair_t *)parameters;
    const int8_t *lefts = constant_rows_at(&p->left.rows, arena, first);
    const int8_t *rights = constant_rows_at(&p->right.rows, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
    for (uint32_t r = 0; r < count; r++) {
        const int8_t *left = lefts, *right = rights;
        for (uint32_t i = 0; i < p->count; i++, left += p->left.next, right += p->right.next) {
            const int32_t product = (*left + p->left.offset) * (*right + p->right.offset);
            const int32_t high = high_product(product, p->multiplier);
            output[i] = clamped(rounded_shift(high, p->rounding, p->shift), p->low, p->high);
        }
        lefts += p->left.width;
        rights += p->right.width;
        output += p->output_width;
    }
}

void mmq_lookup(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_lookup_t *p = (const mmq_lookup_t *)parameters;
    const int8_t *input = constant_rows_at(&p->input, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
    for (uint32_t r = 0; r < count; r++, input += p->input_width, output += p->output_width) {
        for (uint32_t i = 0; i < p->count; i++) output[i] = p->table[input[i] + 128];
    }
}
