/* SPDX-License-Identifier: Apache-2.0 */
/* product.c: products of two activations, the right one by its rows or by its columns. */
#include "products.h"

typedef struct {
    const mmq_product_t *p;
    int32_t starts[PAIR]; /* of the sums of each row: right_offset times the row's own sum */
} strip_t;

static void start_sums(const mmq_product_t *p, const int8_t *left, uint32_t rows, strip_t *strip) {
    strip->p = p;
    for (uint32_t r = 0; r < PAIR; r++) {
        const int8_t *row = left + (rows > 1 ? r * p->left_width : 0);
        int32_t sum = (int32_t)p->depth * p->left_offset;
        for (uint32_t k = 0; k < p->depth; k++) sum += row[k];
        strip->starts[r] = sum * p->right_offset;
    }
}

static inline int8_t out(const mmq_product_t *p, int32_t sum) {
    return requantised(sum, p->multiplier, p->rounding, p->shift, p->low, p->high);
}

/* The last depth % 4 elements, which `dots` cannot take: there is nothing to fill a row of the arena with. */
static void add_tail(const int16_t *pair, const int8_t *a, const int8_t *b, uint32_t depth, int32_t *sums) {
    for (uint32_t k = depth & ~3u; k < depth; k++) {
        const int32_t x = pair[place_of(k)], y = pair[place_of(k) + 4];
        sums[0] += x * a[k];
        sums[1] += x * b[k];
        sums[2] += y * a[k];
        sums[3] += y * b[k];
    }
}

static void by_rows(const strip_t *strip, const int16_t *pair, const int8_t *right, int8_t *output, int8_t *second) {
    const mmq_product_t *p = strip->p;
    const uint32_t depth = p->depth;
    for (uint32_t j = 0; j < p->outputs; j += 2) {
        const uint32_t last = j + 1 < p->outputs ? j + 1 : j;
        const int8_t *a = right + (size_t)j * depth, *b = right + (size_t)last * depth;
        int32_t sums[4] = {strip->starts[0], strip->starts[0], strip->starts[1], strip->starts[1]};
        dots(pair, a, b, depth & ~3u, sums);
        if (depth % 4u != 0) add_tail(pair, a, b, depth, sums);
        second[j] = out(p, sums[2]);
        second[last] = out(p, sums[3]);
        output[j] = out(p, sums[0]);
        output[last] = out(p, sums[1]);
    }
}

void mmq_product_by_rows(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_product_t *p = (const mmq_product_t *)parameters;
    const int8_t *left = constant_rows_at(&p->left, arena, first), *right = constant_rows_at(&p->right, arena, 0);
    int8_t *output = rows_at(&p->output, arena, first);
    int16_t *pair = scratch_at(arena, p->scratch);
    for (uint32_t r = 0; r < count; r += PAIR) {
        const uint32_t rows = count - r < PAIR ? count - r : PAIR;
        strip_t strip;
        take_pair(left, p->left_width, rows, p->depth, p->left_offset, pair);
        start_sums(p, left, rows, &strip);
        by_rows(&strip, pair, right, output, output + (rows > 1 ? p->output_width : 0));
        left += PAIR * p->left_width;
        output += PAIR * p->output_width;
    }
}

/* Two rows as 16-bit numbers, two of the first and two of the second in turn, filled with 0 to a multiple of 2. */
static void take_twos(const int8_t *input, uint32_t width, uint32_t rows, uint32_t depth, int32_t offset,
                      int16_t *twos) {
    if (depth % 2u != 0) memset(twos + (depth & ~1u) * 2, 0, 4 * sizeof *twos);
    for (uint32_t r = 0; r < PAIR; r++) {
        const int8_t *row = input + (rows > 1 ? r * width : 0);
        for (uint32_t k = 0; k < depth; k++) twos[(k & ~1u) * 2 + (k & 1u) + 2 * r] = (int16_t)(row[k] + offset);
    }
}

static void by_columns(const strip_t *strip, const int16_t *twos, const int8_t *right, int8_t *output, int8_t *second) {
    const mmq_product_t *p = strip->p;
    for (uint32_t j = 0; j < p->outputs; j++) {
        const int8_t *column = right + j;
        int32_t s = strip->starts[0], t = strip->starts[1];
        for (uint32_t k = 0; k < p->depth; k++, column += p->outputs) {
            const int16_t *x = twos + (k & ~1u) * 2 + (k & 1u);
            s += x[0] * *column;
            t += x[2] * *column;
        }
        second[j] = out(p, t);
        output[j] = out(p, s);
    }
}

void mmq_product_by_columns(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_product_t *p = (const mmq_product_t *)parameters;
    const int8_t *left = constant_rows_at(&p->left, arena, first), *right = constant_rows_at(&p->right, arena, 0);
    int8_t *output = rows_at(&p->output, arena, first);
    int16_t *twos = scratch_at(arena, p->scratch);
    for (uint32_t r = 0; r < count; r += PAIR) {
        const uint32_t rows = count - r < PAIR ? count - r : PAIR;
        strip_t strip;
        take_twos(left, p->left_width, rows, p->depth, p->left_offset, twos);
        start_sums(p, left, rows, &strip);
        by_columns(&strip, twos, right, output, output + (rows > 1 ? p->output_width : 0));
        left += PAIR * p->left_width;
        output += PAIR * p->output_width;
    }
}
