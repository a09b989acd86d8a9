/* SPDX-License-Identifier: Apache-2.0 */
/* pairs.c: the inner loops of all products in plain C, and what all ways have in common. The sums are exact: their order
 * changes no bit. */
#include "products.h"

static uint32_t place_of(uint32_t k, uint32_t depth, int row, uint32_t second) {
#if MMQ_PRODUCTS == MMQ_BY_VECTORS
    (void)row;
    return k + second * up_to_4(depth);
#else
    (void)depth;
    return row ? (k & ~3u) * 2 + ((k & 1u) << 1) + ((k & 2u) >> 1) + second * 4u : 2 * k + second;
#endif
}

void mmq_one_column(products_t *job, int row) {
    const int8_t *right = job->right;
    int32_t s = job->starts[0], t = job->starts[1];
    if (job->narrow != NULL) s = t = *job->narrow++;
    else if (job->bias != NULL) s = t = *job->bias++;
    for (uint32_t k = 0; k < job->depth; k++, right += row ? 1 : job->width) {
        s += job->pair[place_of(k, job->depth, row, 0)] * *right;
        t += job->pair[place_of(k, job->depth, row, 1)] * *right;
    }
    job->right += row ? job->depth : 1;
    *job->second++ = ended(job, t);
    *job->output++ = ended(job, s);
}

#if MMQ_PRODUCTS != MMQ_BY_VECTORS
#if MMQ_PRODUCTS == MMQ_BY_DSP
static int32_t take_fours(const int8_t *row, uint32_t depth, int32_t offset, int16_t *pair) {
    const uint32_t both = ((uint32_t)offset & 0xffffu) | ((uint32_t)offset << 16), ones = 0x10001u;
    uint32_t *to = (uint32_t *)(void *)pair;
    int32_t sum = 0;
    for (const int8_t *end = row + (depth & ~3u); row < end; row += 4, to += 4) {
        const uint32_t word = word_at(row), even = halves_sum(even_bytes(word), both);
        const uint32_t odd = halves_sum(odd_bytes(word), both);
        to[0] = even;
        to[1] = odd;
        sum = two_products(odd, ones, two_products(even, ones, sum));
    }
    return sum;
}
#else
static int32_t take_fours(const int8_t *row, uint32_t depth, int32_t offset, int16_t *pair) {
    int32_t sum = 0;
    for (const int8_t *end = row + (depth & ~3u); row < end; row += 4, pair += 8) {
        const int32_t a = row[0] + offset, b = row[1] + offset, c = row[2] + offset, d = row[3] + offset;
        pair[0] = (int16_t)a;
        pair[1] = (int16_t)c;
        pair[2] = (int16_t)b;
        pair[3] = (int16_t)d;
        sum += a + b + c + d;
    }
    return sum;
}
#endif

static void take_rest(const int8_t *row, uint32_t depth, int32_t offset, int16_t *pair, uint32_t second, int32_t *sum) {
    for (uint32_t k = depth & ~3u; k < up_to_4(depth); k++) {
        const int32_t value = k < depth ? row[k] + offset : 0;
        pair[place_of(k, depth, 1, second)] = (int16_t)value;
        *sum += value;
    }
}

void mmq_take_pair(const int8_t *first, const int8_t *second, uint32_t depth, int32_t offset, int16_t *pair,
                   int32_t sums[2]) {
    sums[0] = take_fours(first, depth, offset, pair);
    sums[1] = take_fours(second, depth, offset, pair + 4);
    if (depth % 4u == 0) return;
    take_rest(first, depth, offset, pair, 0, sums);
    take_rest(second, depth, offset, pair, 1, sums + 1);
}

void mmq_take_columns(const int8_t *first, const int8_t *second, uint32_t depth, int32_t offset, int16_t *pair,
                      int32_t sums[2]) {
    int32_t sum = 0, other = 0;
    for (uint32_t k = 0; k < depth; k++, pair += 2) {
        const int32_t x = first[k] + offset, y = second[k] + offset;
        pair[0] = (int16_t)x;
        pair[1] = (int16_t)y;
        sum += x;
        other += y;
    }
    sums[0] = sum;
    sums[1] = other;
}
#endif

#if MMQ_PRODUCTS == MMQ_BY_PLAIN
#define MMQ_STEP(place, k)   \
    x = pair[place];         \
    y = pair[(place) + 4];   \
    u = a[k];                \
    v = b[k];                \
    s0 += x * u;             \
    s1 += x * v;             \
    s2 += y * u;             \
    s3 += y * v;

void mmq_by_rows(products_t *job) {
    const products_t own = *job; /* which no output can lie in */
    const int8_t *a = own.right;
    const int32_t *bias = own.bias;
    const int16_t *narrow = own.narrow;
    int8_t *output = own.output, *second = own.second;
    for (uint32_t j = 0; j < own.columns; j += 2, a += own.depth) {
        const int8_t *b = a + own.depth;
        const int16_t *pair = own.pair;
        int32_t s0 = own.starts[0], s1 = s0, s2 = own.starts[1], s3 = s2;
        if (narrow != NULL) {
            s0 = s2 = *narrow++;
            s1 = s3 = *narrow++;
        } else if (bias != NULL) {
            s0 = s2 = *bias++;
            s1 = s3 = *bias++;
        }
        for (const int8_t *end = b; a < end; a += 4, b += 4, pair += 8) {
            int32_t x, y, u, v;
            MMQ_STEP(0, 0)
            MMQ_STEP(1, 2)
            MMQ_STEP(2, 1)
            MMQ_STEP(3, 3)
        }
        *output++ = ended(&own, s0);
        *output++ = ended(&own, s1);
        *second++ = ended(&own, s2);
        *second++ = ended(&own, s3);
    }
    move_on(job, a, bias, narrow);
}

void mmq_by_columns(products_t *job) {
    const products_t own = *job;
    const int8_t *column = own.right;
    int8_t *output = own.output, *second = own.second;
    for (uint32_t j = 0; j < own.columns; j += 2, column += 2) {
        const int8_t *matrix = column;
        const int16_t *pair = own.pair;
        int32_t s0 = own.starts[0], s1 = s0, s2 = own.starts[1], s3 = s2;
        for (uint32_t k = 0; k < own.depth; k++, matrix += own.width, pair += 2) {
            const int32_t x = pair[0], y = pair[1], u = matrix[0], v = matrix[1];
            s0 += x * u;
            s1 += x * v;
            s2 += y * u;
            s3 += y * v;
        }
        *output++ = ended(&own, s0);
        *output++ = ended(&own, s1);
        *second++ = ended(&own, s2);
        *second++ = ended(&own, s3);
    }
    move_on(job, column, NULL, NULL);
}
#endif
