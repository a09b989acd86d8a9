/* SPDX-License-Identifier: Apache-2.0 */
/* products.h: two rows at a time against the rows of a matrix. */
#ifndef MMQ_PRODUCTS_H
#define MMQ_PRODUCTS_H

#include "network_math.h"

static inline int16_t *scratch_at(int8_t *arena, uint32_t at) { return (int16_t *)(void *)(arena + at); }

static inline int8_t requantised(int32_t sum, int32_t multiplier, int32_t rounding, uint32_t shift, int32_t low,
                                 int32_t high) {
    return clamped(rounded_shift(high_product(sum, multiplier), rounding, shift), low, high);
}

/* Elements 0 2 1 3 of four: the order in which SXTB16 takes the bytes of a word apart. */
static inline uint32_t place_of(uint32_t k) { return (k & ~3u) * 2 + ((k & 1u) << 1) + ((k & 2u) >> 1); }

/* Two rows as 16-bit numbers with `offset` added, four of the first and four of the second in turn, filled with 0 to a
 * multiple of 4. With one row the second is 0. */
static inline void take_pair(const int8_t *input, uint32_t width, uint32_t rows, uint32_t depth, int32_t offset,
                             int16_t *pair) {
    if (depth % 4u != 0) memset(pair + (depth & ~3u) * 2, 0, 8 * sizeof *pair);
    for (uint32_t r = 0; r < PAIR; r++) {
        const int8_t *row = input + (rows > 1 ? r * width : 0);
        for (uint32_t k = 0; k < depth; k++) pair[place_of(k) + 4 * r] = (int16_t)(row[k] + offset);
    }
}

/* sums += {row 0 . a, row 0 . b, row 1 . a, row 1 . b}; depth is a multiple of 4. */
static inline void dots(const int16_t *pair, const int8_t *a, const int8_t *b, uint32_t depth, int32_t *sums) {
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    for (uint32_t k = 0; k < depth; k += 4, pair += 8, a += 4, b += 4) {
        s0 += pair[0] * a[0] + pair[1] * a[2] + pair[2] * a[1] + pair[3] * a[3];
        s1 += pair[0] * b[0] + pair[1] * b[2] + pair[2] * b[1] + pair[3] * b[3];
        s2 += pair[4] * a[0] + pair[5] * a[2] + pair[6] * a[1] + pair[7] * a[3];
        s3 += pair[4] * b[0] + pair[5] * b[2] + pair[6] * b[1] + pair[7] * b[3];
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

#endif
