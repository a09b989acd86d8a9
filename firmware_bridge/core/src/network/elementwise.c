/* SPDX-License-Identifier: Apache-2.0 */
/* elementwise.c: add, subtract, multiply, and whatever depends on one element alone. */
#include "network_math.h"

/* Rows whose elements lie side by side, all of int8 allowed: the doubled sum of left << 20 and right scaled down, with
 * the signs that a sum or one of the two differences has. */
#define MMQ_ADD_ROW(name, left_sign, right_sign)                                                              \
    static void name(const mmq_pair_t *p, const int8_t *left, const int8_t *right, int8_t *output) {           \
        const int32_t x0 = p->left.offset * (1 << 20), y0 = p->right.offset * (1 << 21);                      \
        const int32_t scale = p->right_multiplier, half = (int32_t)((1u << p->right_shift) >> 1);             \
        const int32_t multiplier = p->multiplier, rounding = p->rounding;                                     \
        const uint32_t right_shift = p->right_shift, shift = p->shift;                                        \
        for (const int8_t *end = left + p->count; left < end; left++, right++, output++) {                    \
            const int32_t y = rounded_shift(high_of(y0 + *right * (1 << 21), scale), half, right_shift);      \
            const int32_t twice = left_sign(x0 + *left * (1 << 20)) right_sign y * 2;                         \
            *output = held(rounded_shift(high_of(twice, multiplier), rounding, shift));                       \
        }                                                                                                     \
    }
MMQ_ADD_ROW(sum_row, +, +)
MMQ_ADD_ROW(difference_row, +, -)
MMQ_ADD_ROW(reversed_row, -, +)

/* The same for all operands and bounds. */
static void any_row(const mmq_pair_t *p, const int8_t *left, const int8_t *right, int8_t *output) {
    const int32_t factor = p->factor, negate = p->negate, half = (int32_t)((1u << p->right_shift) >> 1);
    const uint32_t shift = p->right_shift;
    for (uint32_t i = 0; i < p->count; i++, left += p->left.next, right += p->right.next) {
        int32_t x = (*left + p->left.offset) * factor, y = *right + p->right.offset;
        y = shift > 0 ? rounded_shift(high_product(y * (1 << 20), p->right_multiplier), half, shift) : y * (1 << 19);
        x += (y ^ negate) - negate;
        output[i] = clamped(rounded_shift(high_product(x, p->multiplier), p->rounding, p->shift), p->low, p->high);
    }
}

void mmq_add(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_pair_t *p = (const mmq_pair_t *)parameters;
    const int8_t *left = constant_rows_at(&p->left.rows, arena, first);
    const int8_t *right = constant_rows_at(&p->right.rows, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
    const int usual = p->left.next && p->right.next && p->right_shift > 0 && p->low == -128 && p->high == 127;
    void (*row)(const mmq_pair_t *, const int8_t *, const int8_t *, int8_t *) = any_row;
    if (usual && (p->factor > 0 || p->negate == 0)) {
        row = p->factor < 0 ? reversed_row : p->negate ? difference_row : sum_row;
    }
    for (uint32_t r = 0; r < count; r++) {
        row(p, left, right, output);
        left += p->left.width;
        right += p->right.width;
        output += p->output_width;
    }
}

static void multiply_row(const mmq_pair_t *p, const int8_t *left, const int8_t *right, int8_t *output) {
    const int32_t x0 = p->left.offset, y0 = p->right.offset, multiplier = p->multiplier, rounding = p->rounding;
    const uint32_t left_next = p->left.next, right_next = p->right.next, shift = p->shift;
    for (const int8_t *end = output + p->count; output < end; output++, left += left_next, right += right_next) {
        const int32_t product = (*left + x0) * (*right + y0);
        *output = held(rounded_shift(high_product(product, multiplier), rounding, shift));
    }
}

void mmq_multiply(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_pair_t *p = (const mmq_pair_t *)parameters;
    const int8_t *left = constant_rows_at(&p->left.rows, arena, first);
    const int8_t *right = constant_rows_at(&p->right.rows, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
    for (uint32_t r = 0; r < count; r++) {
        multiply_row(p, left, right, output);
        hold(output, p->count, p->low, p->high);
        left += p->left.width;
        right += p->right.width;
        output += p->output_width;
    }
}

void mmq_lookup(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_lookup_t *p = (const mmq_lookup_t *)parameters;
    const int8_t *input = constant_rows_at(&p->input, arena, first), *middle = p->table + 128;
    int8_t *output = rows_at(&p->output, arena, first);
    for (uint32_t r = 0; r < count; r++, input += p->input_width, output += p->output_width) {
        const int8_t *from = input;
        for (int8_t *to = output, *end = output + p->count; to < end;) *to++ = middle[*from++];
    }
}
