/* SPDX-License-Identifier: Apache-2.0 */
/* pairs.c: the inner loops of all products, in C, and for Cortex-M with DSP extension in its own instructions. The sums
 * are exact: their order changes no bit. */
#include "products.h"

static uint32_t place_of(uint32_t k) { return (k & ~3u) * 2 + ((k & 1u) << 1) + ((k & 2u) >> 1); }

static void take_rest(const int8_t *row, uint32_t from, uint32_t depth, int32_t offset, int16_t *pair, int32_t *sum) {
    for (uint32_t k = from; k < ((depth + 3u) & ~3u); k++) {
        const int32_t value = k < depth ? row[k] + offset : 0;
        pair[place_of(k)] = (int16_t)value;
        *sum += value;
    }
}

#if MMQ_DSP
#pragma GCC diagnostic ignored "-Wunused-parameter" /* of functions that are only assembly */

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

/* A doubled sum in `r` becomes a byte of the address in `to`. */
#define MMQ_END(r, multiplier, rounding, shift, to, place) \
    "add " r ", " r ", " r "\n"                            \
    "smmulr " r ", " r ", " multiplier "\n"                \
    "add " r ", " r ", " r ", asr #31\n"                   \
    "add " r ", " r ", " rounding "\n"                     \
    "asr " r ", " r ", " shift "\n"                        \
    "ssat " r ", #8, " r "\n"                              \
    "strb " r ", [" to ", #" place "]\n"

/* r0 pair, r1 a, r2 b, r3 depth, on the stack four. Sixteen products in seventeen instructions. */
__attribute__((naked)) void mmq_by_two_rows(const int16_t *pair, const int8_t *a, const int8_t *b, uint32_t depth,
                                            four_sums_t *four) {
    __asm volatile(
        "push {r4-r11, lr}\n"
        "ldr r12, [sp, #36]\n"
        "ldmia r12, {r4-r7}\n"
        "cbz r3, 2f\n"
        "1:\n"
        "ldmia r0!, {r8-r11}\n"
        "ldr r12, [r1], #4\n"
        "sxtb16 lr, r12\n"
        "sxtb16 r12, r12, ror #8\n"
        "smlad r4, r8, lr, r4\n"
        "smlad r6, r10, lr, r6\n"
        "smlad r4, r9, r12, r4\n"
        "smlad r6, r11, r12, r6\n"
        "ldr r12, [r2], #4\n"
        "sxtb16 lr, r12\n"
        "sxtb16 r12, r12, ror #8\n"
        "smlad r5, r8, lr, r5\n"
        "smlad r7, r10, lr, r7\n"
        "smlad r5, r9, r12, r5\n"
        "smlad r7, r11, r12, r7\n"
        "subs r3, r3, #4\n"
        "bne 1b\n"
        "2:\n"
        "ldr r12, [sp, #36]\n"
        "add r12, r12, #16\n"
        "ldmia r12, {r8-r12}\n"
        MMQ_END("r4", "r8", "r9", "r10", "r11", "0")
        MMQ_END("r5", "r8", "r9", "r10", "r11", "1")
        MMQ_END("r6", "r8", "r9", "r10", "r12", "0")
        MMQ_END("r7", "r8", "r9", "r10", "r12", "1")
        "pop {r4-r11, pc}\n");
}

#define MMQ_COLUMN               \
    "ldr r12, [r1]\n"            \
    "ldr r3, [r0], #4\n"         \
    "sxtb16 lr, r12\n"           \
    "sxtb16 r12, r12, ror #8\n"  \
    "add r1, r1, r2\n"           \
    "smlabb r4, lr, r3, r4\n"    \
    "smlatb r6, lr, r3, r6\n"    \
    "smlabb r5, r12, r3, r5\n"   \
    "smlatb r7, r12, r3, r7\n"   \
    "smlabt r8, lr, r3, r8\n"    \
    "smlatt r10, lr, r3, r10\n"  \
    "smlabt r9, r12, r3, r9\n"   \
    "smlatt r11, r12, r3, r11\n"

/* r0 pair, r1 matrix, r2 width, r3 depth (kept on the stack), then on the stack eight. */
__attribute__((naked)) void mmq_by_four_columns(const int16_t *pair, const int8_t *matrix, uint32_t width,
                                                uint32_t depth, eight_sums_t *eight) {
    __asm volatile(
        "push {r3-r11, lr}\n"
        "ldr r12, [sp, #40]\n"
        "ldmia r12, {r4-r11}\n"
        "1:\n"
        "ldr r3, [sp]\n"
        "subs r3, r3, #4\n"
        "blo 2f\n"
        "str r3, [sp]\n"
        MMQ_COLUMN MMQ_COLUMN MMQ_COLUMN MMQ_COLUMN
        "b 1b\n"
        "2:\n"
        "ldr r3, [sp]\n"
        "cbz r3, 3f\n"
        "subs r3, r3, #1\n"
        "str r3, [sp]\n"
        MMQ_COLUMN
        "b 2b\n"
        "3:\n"
        "ldr r12, [sp, #40]\n"
        "add r12, r12, #32\n"
        "ldmia r12, {r0-r3, r12}\n"
        MMQ_END("r4", "r0", "r1", "r2", "r3", "0")
        MMQ_END("r5", "r0", "r1", "r2", "r3", "1")
        MMQ_END("r6", "r0", "r1", "r2", "r3", "2")
        MMQ_END("r7", "r0", "r1", "r2", "r3", "3")
        MMQ_END("r8", "r0", "r1", "r2", "r12", "0")
        MMQ_END("r9", "r0", "r1", "r2", "r12", "1")
        MMQ_END("r10", "r0", "r1", "r2", "r12", "2")
        MMQ_END("r11", "r0", "r1", "r2", "r12", "3")
        "pop {r3-r11, pc}\n");
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

static int8_t ended(int32_t sum, int32_t multiplier, int32_t rounding, uint32_t shift) {
    return held(rounded_shift(high_product(sum, multiplier), rounding, shift));
}

#define MMQ_STEP(place, k)   \
    x = pair[place];         \
    y = pair[(place) + 4];   \
    u = a[k];                \
    v = b[k];                \
    s0 += x * u;             \
    s1 += x * v;             \
    s2 += y * u;             \
    s3 += y * v;

void mmq_by_two_rows(const int16_t *pair, const int8_t *a, const int8_t *b, uint32_t depth, four_sums_t *four) {
    const int32_t multiplier = four->multiplier, rounding = four->rounding;
    const uint32_t shift = four->shift;
    int32_t s0 = four->sums[0], s1 = four->sums[1], s2 = four->sums[2], s3 = four->sums[3];
    for (const int8_t *end = a + depth; a < end; a += 4, b += 4, pair += 8) {
        int32_t x, y, u, v;
        MMQ_STEP(0, 0)
        MMQ_STEP(1, 2)
        MMQ_STEP(2, 1)
        MMQ_STEP(3, 3)
    }
    four->output[0] = ended(s0, multiplier, rounding, shift);
    four->output[1] = ended(s1, multiplier, rounding, shift);
    four->second[0] = ended(s2, multiplier, rounding, shift);
    four->second[1] = ended(s3, multiplier, rounding, shift);
}

static void by_two_columns(const int16_t *pair, const int8_t *matrix, uint32_t width, uint32_t depth,
                           const eight_sums_t *eight, uint32_t column) {
    const int32_t multiplier = eight->multiplier, rounding = eight->rounding;
    const uint32_t shift = eight->shift;
    const int32_t *sums = eight->sums + column;
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[4], s3 = sums[5];
    matrix += column;
    for (uint32_t k = 0; k < depth; k++, matrix += width, pair += 2) {
        const int32_t x = pair[0], y = pair[1], u = matrix[0], v = matrix[1];
        s0 += x * u;
        s1 += x * v;
        s2 += y * u;
        s3 += y * v;
    }
    eight->output[column] = ended(s0, multiplier, rounding, shift);
    eight->output[column + 1] = ended(s1, multiplier, rounding, shift);
    eight->second[column] = ended(s2, multiplier, rounding, shift);
    eight->second[column + 1] = ended(s3, multiplier, rounding, shift);
}

void mmq_by_four_columns(const int16_t *pair, const int8_t *matrix, uint32_t width, uint32_t depth,
                         eight_sums_t *eight) {
    by_two_columns(pair, matrix, width, depth, eight, 0);
    by_two_columns(pair, matrix, width, depth, eight, 2);
}

#endif

void mmq_take_pair(const int8_t *first, const int8_t *second, uint32_t depth, int32_t offset, int16_t *pair,
                   int32_t sums[2]) {
    sums[0] = take_fours(first, depth, offset, pair);
    sums[1] = take_fours(second, depth, offset, pair + 4);
    if (depth % 4u == 0) return;
    take_rest(first, depth & ~3u, depth, offset, pair, sums);
    take_rest(second, depth & ~3u, depth, offset, pair + 4, sums + 1);
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
