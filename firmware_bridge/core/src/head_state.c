/* SPDX-License-Identifier: Apache-2.0 */
/* head_state.c: the personal head as bytes, and back.
 *
 * Little-endian 32-bit words: magic, layout, bytes of the whole, digest of the tables, marks, bias, weights [k]; of each
 * mark label, stretch, logit, components [k]; the CRC-32 of all before. Layout 1 has no stretch. */
#include "mmq_internal.h"
#include "mmq_personal.h"

#define MAGIC 0x48514d4du /* "MMQH" */
#define LAYOUT 2u
#define HEAD 5u /* words before bias */

static uint32_t digest(const mmq_head_t *head) {
    const uint32_t n = head->statistics;
    uint32_t crc = 0xffffffffu;
    crc = mmq_crc_add(mmq_crc_add(crc, head->tokens), head->n_features);
    crc = mmq_crc_add(mmq_crc_add(crc, n), head->components);
    for (uint32_t e = 0; e < n; e++) crc = mmq_crc_add(crc, head->column[e] | (uint32_t)head->owner[e] << 16);
    crc = mmq_crc_floats(mmq_crc_floats(crc, head->centre, n), head->scale, n);
    return ~mmq_crc_floats(crc, head->component, head->components * n);
}

/* Words of a mark. */
static uint32_t wide(const mmq_head_t *head, uint32_t layout) {
    return 1u + layout + head->components;
}

static size_t bytes_of(const mmq_head_t *head, uint32_t layout, uint32_t count) {
    return 4u * (HEAD + 2u + head->components + (size_t)count * wide(head, layout));
}

size_t mmq_head_size(const mmq_head_t *head, const mmq_head_state_t *state) {
    return head && state ? bytes_of(head, LAYOUT, state->count) : 0u;
}

static size_t put_floats(unsigned char *at, size_t word, const float *x, uint32_t n) {
    while (n--) mmq_put_word(at, word++, mmq_bits_of(*x++));
    return word;
}

mmq_status_t mmq_head_save(const mmq_head_t *head, const mmq_head_state_t *state, void *buffer, size_t size) {
    unsigned char *at = buffer;
    size_t word = HEAD;
    if (!head || !state || !buffer) return MMQ_NULL;
    if (size < bytes_of(head, LAYOUT, state->count)) return MMQ_TOO_SMALL;
    mmq_put_word(at, 0, MAGIC);
    mmq_put_word(at, 1, LAYOUT);
    mmq_put_word(at, 2, (uint32_t)bytes_of(head, LAYOUT, state->count));
    mmq_put_word(at, 3, digest(head));
    mmq_put_word(at, 4, state->count);
    word = put_floats(at, word, &state->bias, 1u);
    word = put_floats(at, word, state->weight, head->components);
    for (uint32_t i = 0; i < state->count; i++) {
        mmq_put_word(at, word++, state->label[i]);
        mmq_put_word(at, word++, state->stretch[i]);
        word = put_floats(at, word, state->logit + i, 1u);
        word = put_floats(at, word, state->u[i], head->components);
    }
    mmq_put_word(at, word, mmq_checksum(at, word));
    return MMQ_OK;
}

/* Whether whole bytes are ones these tables can have made. */
static mmq_status_t fits(const mmq_head_t *head, const unsigned char *at, size_t size) {
    const uint32_t layout = mmq_word_at(at, 1);
    if (layout > LAYOUT) return MMQ_STATE_NEWER;
    if (layout < 1u || size < bytes_of(head, layout, 0)) return MMQ_STATE_DAMAGED;
    if (mmq_word_at(at, 3) != digest(head)) return MMQ_STATE_FOREIGN;
    if (mmq_word_at(at, 4) > MMQ_HEAD_MARKS) return MMQ_STATE_DAMAGED;
    if (size != bytes_of(head, layout, mmq_word_at(at, 4))) return MMQ_STATE_DAMAGED;
    for (size_t word = HEAD; word < size / 4u - 1u; word++) {
        const size_t place = word - HEAD - 1u - head->components; /* from the first mark on */
        const uint32_t value = mmq_word_at(at, word);
        const int is_mark = word > HEAD + head->components;
        const int is_label = is_mark && place % wide(head, layout) == 0;
        if (is_mark && layout > 1u && place % wide(head, layout) == 1u) continue; /* a stretch: any number */
        if (is_label ? value > 1u : !mmq_is_finite(mmq_float_of(value))) return MMQ_STATE_DAMAGED;
    }
    return MMQ_OK;
}

static size_t get_floats(const unsigned char *at, size_t word, float *x, uint32_t n) {
    while (n--) *x++ = mmq_float_of(mmq_word_at(at, word++));
    return word;
}

mmq_status_t mmq_head_load(const mmq_head_t *head, mmq_head_state_t *state, const void *buffer, size_t size) {
    const unsigned char *at = buffer;
    mmq_status_t status;
    size_t word = HEAD;
    if (!head || !state || !buffer) return MMQ_NULL;
    if ((status = mmq_is_whole(at, size, MAGIC)) != MMQ_OK) return status;
    if ((status = fits(head, at, size)) != MMQ_OK) return status;
    mmq_head_reset(state);
    state->count = mmq_word_at(at, 4);
    word = get_floats(at, word, &state->bias, 1u);
    word = get_floats(at, word, state->weight, head->components);
    for (uint32_t i = 0; i < state->count; i++) {
        state->label[i] = (uint8_t)mmq_word_at(at, word++);
        if (mmq_word_at(at, 1) > 1u) state->stretch[i] = mmq_word_at(at, word++);
        word = get_floats(at, word, state->logit + i, 1u);
        word = get_floats(at, word, state->u[i], head->components);
    }
    return MMQ_OK;
}
