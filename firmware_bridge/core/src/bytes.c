/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.c: little-endian words of any alignment, the checksum over them, and whether saved ones came whole. */
#include "mmq_internal.h"

#include <string.h>

#define LEAST 4u /* words anything that is saved has */

uint32_t mmq_bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

float mmq_float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

uint32_t mmq_crc_add(uint32_t crc, uint32_t word) {
    crc ^= word;
    for (uint32_t i = 0; i < 32u; i++) crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
    return crc;
}

uint32_t mmq_crc_floats(uint32_t crc, const float *x, size_t n) {
    while (n--) crc = mmq_crc_add(crc, mmq_bits_of(*x++));
    return crc;
}

uint32_t mmq_word_at(const unsigned char *at, size_t word) {
    at += 4u * word;
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void mmq_put_word(unsigned char *at, size_t word, uint32_t value) {
    for (unsigned i = 0; i < 4u; i++) at[4u * word + i] = (unsigned char)(value >> 8u * i);
}

uint32_t mmq_checksum(const unsigned char *at, size_t words) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < words; i++) crc = mmq_crc_add(crc, mmq_word_at(at, i));
    return ~crc;
}

mmq_status_t mmq_is_whole(const unsigned char *at, size_t size, uint32_t magic) {
    if (size < 4u * LEAST) return MMQ_STATE_SHORT;
    if (mmq_word_at(at, 0) != magic) return MMQ_STATE_DAMAGED;
    if (mmq_word_at(at, 2) > size) return MMQ_STATE_SHORT;
    if (mmq_word_at(at, 2) != size || size % 4u) return MMQ_STATE_DAMAGED;
    return mmq_checksum(at, size / 4u - 1u) == mmq_word_at(at, size / 4u - 1u) ? MMQ_OK : MMQ_STATE_DAMAGED;
}
