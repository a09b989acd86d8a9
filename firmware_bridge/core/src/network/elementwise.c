/* SPDX-License-Identifier: Apache-2.0 */
/* elementwise.c: add, subtract, multiply, sums of constant rows, and whatever depends on one element alone. */
#include "network_math.h"

#if defined(__wasm__)
#define MMQ_BY_FOURS 0 /* there fewer bytes are worth more */
#else
#define MMQ_BY_FOURS 1
/* Four by four, rows whose elements lie side by side: the doubled sum of left << 20 and right scaled down. Written out
 * for both signs: there is no register for one. */
#define MMQ_ADD_ONE(i, sign)                                                                                   \
    y = requantised(y0 + right[i] * (1 << 21), scale, half, right_shift);                                      \
    twice = x0 + left[i] * (1 << 20) sign y * 2;                                                               \
    output[i] = held(requantised(twice, multiplier, rounding, shift));
#define MMQ_ADD_FOURS(name, sign)                                                                              \
    static void name(const mmq_pair_t *p, const int8_t *left, const int8_t *right, int8_t *output) {           \
        const int32_t x0 = p->left_offset * (1 << 20), y0 = p->right_offset * (1 << 21);                       \
        const int32_t scale = p->right_multiplier, half = (int32_t)((1u << p->right_shift) >> 1);              \
        const int32_t multiplier = p->scaling.multiplier, rounding = rounding_of(&p->scaling);                 \
        const uint32_t right_shift = p->right_shift, shift = p->scaling.shift;                                 \
        int32_t y, twice;                                                                                      \
        for (const int8_t *end = left + (p->count & ~3u); left < end; left += 4, right += 4, output += 4) {    \
            MMQ_ADD_ONE(0, sign)                                                                               \
            MMQ_ADD_ONE(1, sign)                                                                               \
            MMQ_ADD_ONE(2, sign)                                                                               \
            MMQ_ADD_ONE(3, sign)                                                                               \
        }                                                                                                      \
    }
MMQ_ADD_FOURS(sum_of_fours, +)
MMQ_ADD_FOURS(difference_of_fours, -)
#endif

/* The same from element `i` on, for all operands. */
static void rest_of_sums(const mmq_pair_t *p, const int8_t *left, const int8_t *right, int8_t *output, uint32_t i) {
    const int32_t x_by = p->ways & MMQ_LEFT_MINUS ? -(1 << 20) : 1 << 20, y_by = p->ways & MMQ_RIGHT_MINUS ? -2 : 2;
    const int32_t half = (int32_t)((1u << p->right_shift) >> 1), rounding = rounding_of(&p->scaling);
    const uint32_t shift = p->right_shift;
    for (; i < p->count; i++) {
        const int32_t x = left[p->ways & MMQ_LEFT_SAME ? 0 : i] + p->left_offset;
        int32_t y = (right[p->ways & MMQ_RIGHT_SAME ? 0 : i] + p->right_offset) * (1 << 20);
        y = shift > 0 ? requantised(2 * y, p->right_multiplier, half, shift) : y / 2;
        output[i] = held(requantised(x * x_by + y * y_by, p->scaling.multiplier, rounding, p->scaling.shift));
    }
}

void mmq_add(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_pair_t *p = (const mmq_pair_t *)parameters;
    const int8_t *left = constant_rows_at(&p->left, arena, first);
    const int8_t *right = constant_rows_at(&p->right, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
#if MMQ_BY_FOURS
    const int fours = !(p->ways & (MMQ_LEFT_SAME | MMQ_RIGHT_SAME | MMQ_LEFT_MINUS)) && p->right_shift > 0;
#else
    const int fours = 0;
#endif
    for (uint32_t r = 0; r < count; r++) {
#if MMQ_BY_FOURS
        if (fours) (p->ways & MMQ_RIGHT_MINUS ? difference_of_fours : sum_of_fours)(p, left, right, output);
#endif
        if (!fours || p->count % 4u != 0) rest_of_sums(p, left, right, output, fours ? p->count & ~3u : 0);
        hold(output, p->count, &p->scaling);
        left += p->left.width;
        right += p->right.width;
        output += p->output.width;
    }
}

void mmq_outer(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_outer_t *p = (const mmq_outer_t *)parameters;
    const uint32_t columns = p->count, period = p->period;
    int8_t *output = rows_at(&p->output, arena, first);
    for (uint32_t r = first; r < first + count; r++, output += p->output.width) {
        const int16_t *slow = p->slow + r / period * columns, *fast = p->fast + r % period * columns;
        for (uint32_t j = 0; j < columns; j++) output[j] = held((slow[j] + fast[j]) >> 7);
    }
}

static void multiply_row(const mmq_pair_t *p, const int8_t *left, const int8_t *right, int8_t *output) {
    const int32_t x0 = p->left_offset * 2, y0 = p->right_offset;
    const int32_t multiplier = p->scaling.multiplier, rounding = rounding_of(&p->scaling);
    const uint32_t left_next = p->ways & MMQ_LEFT_SAME ? 0 : 1, right_next = p->ways & MMQ_RIGHT_SAME ? 0 : 1;
    const uint32_t shift = p->scaling.shift;
    for (const int8_t *end = output + p->count; output < end; output++, left += left_next, right += right_next) {
        const int32_t twice = (*left * 2 + x0) * (*right + y0);
        *output = held(requantised(twice, multiplier, rounding, shift));
    }
}

void mmq_multiply(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_pair_t *p = (const mmq_pair_t *)parameters;
    const int8_t *left = constant_rows_at(&p->left, arena, first);
    const int8_t *right = constant_rows_at(&p->right, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
    for (uint32_t r = 0; r < count; r++) {
        multiply_row(p, left, right, output);
        hold(output, p->count, &p->scaling);
        left += p->left.width;
        right += p->right.width;
        output += p->output.width;
    }
}

void mmq_lookup(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_lookup_t *p = (const mmq_lookup_t *)parameters;
    const int8_t *input = constant_rows_at(&p->input, arena, first), *middle = p->table + 128;
    int8_t *output = rows_at(&p->output, arena, first);
    for (uint32_t r = 0; r < count; r++, input += p->input.width, output += p->output.width) {
        const int8_t *from = input;
        int8_t *to = output;
#if MMQ_BY_FOURS
        for (const int8_t *end = from + (p->count & ~3u); from < end; from += 4, to += 4) {
            to[0] = middle[from[0]];
            to[1] = middle[from[1]];
            to[2] = middle[from[2]];
            to[3] = middle[from[3]];
        }
#endif
        for (const int8_t *end = input + p->count; from < end;) *to++ = middle[*from++];
    }
}
