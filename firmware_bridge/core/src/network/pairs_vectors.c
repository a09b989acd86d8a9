/* SPDX-License-Identifier: Apache-2.0 */
/* pairs_vectors.c: the inner loops of all products, eight by eight. */
#include "products.h"

#if MMQ_PRODUCTS == MMQ_BY_VECTORS
static int32_t take_row(const int8_t *row, uint32_t depth, int32_t offset, int16_t *to) {
    int32_t sum = 0;
    for (uint32_t k = 0; k < depth; k++) {
        to[k] = (int16_t)(row[k] + offset);
        sum += to[k];
    }
    for (uint32_t k = depth; k < up_to_4(depth); k++) to[k] = 0;
    return sum;
}

void mmq_take_pair(const int8_t *first, const int8_t *second, uint32_t depth, int32_t offset, int16_t *pair,
                   int32_t sums[2]) {
    sums[0] = take_row(first, depth, offset, pair);
    sums[1] = take_row(second, depth, offset, pair + up_to_4(depth));
}

void mmq_take_columns(const int8_t *first, const int8_t *second, uint32_t depth, int32_t offset, int16_t *pair,
                      int32_t sums[2]) {
    mmq_take_pair(first, second, depth, offset, pair, sums);
}

void mmq_by_rows(products_t *job) {
    const products_t own = *job; /* which no output can lie in */
    const uint32_t depth = own.depth;
    const int16_t *x = own.pair, *y = x + depth;
    const int8_t *a = own.right;
    const int32_t *bias = own.bias;
    const int16_t *narrow = own.narrow;
    int8_t *output = own.output, *second = own.second;
    for (uint32_t j = 0; j < own.columns; j += 2, a += 2 * depth) {
        const int8_t *b = a + depth;
        dot_t xa = no_dot(), xb = xa, ya = xa, yb = xa;
        int32_t s0 = own.starts[0], s1 = s0, s2 = own.starts[1], s3 = s2;
        uint32_t k = 0;
        if (narrow != NULL) {
            s0 = s2 = *narrow++;
            s1 = s3 = *narrow++;
        } else if (bias != NULL) {
            s0 = s2 = *bias++;
            s1 = s3 = *bias++;
        }
        for (; k + 8 <= depth; k += 8) {
            const halves_t u = halves_at(x + k), v = halves_at(y + k), c = bytes_at(a + k), d = bytes_at(b + k);
            xa = dot(xa, u, c);
            xb = dot(xb, u, d);
            ya = dot(ya, v, c);
            yb = dot(yb, v, d);
        }
        if (k < depth) {
            const halves_t u = four_halves_at(x + k), v = four_halves_at(y + k);
            const halves_t c = four_bytes_at(a + k), d = four_bytes_at(b + k);
            xa = dot(xa, u, c);
            xb = dot(xb, u, d);
            ya = dot(ya, v, c);
            yb = dot(yb, v, d);
        }
        *output++ = ended(&own, s0 + sum_of(xa));
        *output++ = ended(&own, s1 + sum_of(xb));
        *second++ = ended(&own, s2 + sum_of(ya));
        *second++ = ended(&own, s3 + sum_of(yb));
    }
    move_on(job, a, bias, narrow);
}

void mmq_by_columns(products_t *job) {
    const products_t own = *job;
    const uint32_t depth = own.depth;
    const int16_t *x = own.pair, *y = x + up_to_4(depth);
    const int8_t *column = own.right;
    int8_t *output = own.output, *second = own.second;
    for (uint32_t j = 0; j < own.columns; j += 4, column += 4) {
        columns_t s = columns_from(own.starts[0]), t = columns_from(own.starts[1]);
        const int8_t *a = column;
        int32_t sums[4], others[4];
        for (uint32_t k = 0; k < depth; k += 2, a += 2 * (size_t)own.width) {
            const int8_t *b = k + 1 < depth ? a + own.width : a; /* with an odd depth x and y end with a 0 */
            s = two_more(s, x + k, a, b);
            t = two_more(t, y + k, a, b);
        }
        columns_to(s, sums);
        columns_to(t, others);
        for (uint32_t i = 0; i < 4; i++) {
            *output++ = ended(&own, sums[i]);
            *second++ = ended(&own, others[i]);
        }
    }
    move_on(job, column, NULL, NULL);
}
#endif
