/* SPDX-License-Identifier: Apache-2.0 */
/* persist.c: what the wearer taught as bytes, and back.
 *
 * Little-endian 32-bit words: magic, layout, bytes of the whole, digest of the front end, tokens the enrolment has
 * had, then, where the enrolment counts them, the present tokens of each modality, no more than it learns from; then
 * count, mean and squares of each feature that is learnt, at last the CRC-32 of all before. Layout 2 is that of a front
 * end with look-backs: present tokens count on, modulo those a look-back needs, and after the statistics come the sums
 * of each look-back, then how many each is of, four to a word. Every layout
 * keeps the first three words and the last one, so that an older core knows a newer state for what it is. */
#include "mmq_internal.h"

#include <string.h>

#define MAGIC 0x53514d4du /* "MMQS" */
#define NEWEST_LAYOUT 2u
#define HEAD 5u /* words before the features */
#define FLOATS 64u /* number of a modality's first float in the digest */
#define MOST_COUNT 16777216.0f /* where a float stops counting */

/* The i-th number of a struct, as bits. */
static uint32_t word_of(const void *numbers, uint32_t i) {
    uint32_t bits;
    memcpy(&bits, (const unsigned char *)numbers + 4u * i, sizeof bits);
    return bits;
}

/* The numbers of a modality but its tables, and what tables its kind reads. A number that is 0 says nothing, and the
 * floats are counted by themselves: what later versions append to either leaves the digests of older front ends. */
static uint32_t add_modality(uint32_t crc, const mmq_modality_t *m) {
    const uint32_t first_float = offsetof(mmq_modality_t, rate_hz) / 4u;
    const int wave = mmq_is_wave(m), bank = mmq_is_bank(m);
    for (uint32_t i = 0; i < offsetof(mmq_modality_t, prefilter) / 4u; i++) {
        const uint32_t word = word_of(m, i);
        if (word) crc = mmq_crc_add(mmq_crc_add(crc, i < first_float ? i : i - first_float + FLOATS), word);
    }
    if (wave) crc = mmq_crc_floats(crc, m->prefilter, 5u * (size_t)m->prefilter_sections);
    if (wave) crc = mmq_crc_floats(crc, m->bank, 5u * (size_t)m->bands);
    if (bank || m->kind == MMQ_PPG) {
        crc = mmq_crc_floats(crc, m->fft_window, bank ? m->fft_size : m->spectrum_samples);
        crc = mmq_crc_floats(crc, m->twiddles, m->fft_size);
    }
    for (uint32_t i = 0; bank && i < 2u * m->bands; i++) crc = mmq_crc_add(crc, m->band_bins[i]);
    if (bank && m->spatial) crc = mmq_crc_floats(crc, m->spatial, (size_t)m->outputs * m->channels);
    return crc;
}

/* Of all that decides features and their normalisation; not of the window's length, the grace and the quantisation. */
static uint32_t digest(const mmq_spec_t *spec) {
#define PLACE(member) offsetof(mmq_spec_t, member) / 4u
    static const uint8_t head[] = {PLACE(version),          PLACE(n_modalities), PLACE(n_features), PLACE(normaliser),
                                   PLACE(enrolment_tokens), PLACE(token_s),      PLACE(clip),       PLACE(prior_tokens)};
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < sizeof head; i++) crc = mmq_crc_add(crc, word_of(spec, head[i]));
    if (mmq_counts_evidence(spec)) crc = mmq_crc_add(crc, spec->enrolment_least);
    if (spec->look_back_tokens) crc = mmq_crc_add(crc, spec->look_back_tokens);
    if (spec->normaliser != MMQ_RAW) {
        crc = mmq_crc_floats(crc, spec->mean, mmq_all_features(spec));
        crc = mmq_crc_floats(crc, spec->std, mmq_all_features(spec));
    }
    for (uint32_t m = 0; m < spec->n_modalities; m++) crc = add_modality(crc, spec->modalities + m);
    return ~crc;
}

static uint32_t counted(const mmq_spec_t *spec) { return mmq_counts_evidence(spec) ? spec->n_modalities : 0u; }

static uint32_t layout(const mmq_spec_t *spec) { return spec->look_back_tokens ? 2u : 1u; }

/* Word of the first number that is learnt, and how many of these are floats; the counts of the sums follow. */
static size_t learnt_at(const mmq_spec_t *spec) { return HEAD + counted(spec); }

static size_t floats_of(const mmq_spec_t *spec) { return mmq_learnt_floats(spec) + (size_t)mmq_sums(spec); }

static size_t bytes_of(const mmq_spec_t *spec) {
    return 4u * (learnt_at(spec) + floats_of(spec) + (mmq_sums(spec) + 3u) / 4u + 1u);
}

size_t mmq_state_size(const mmq_spec_t *spec) { return spec && mmq_spec_is_good(spec) ? bytes_of(spec) : 0u; }

/* Tokens the enrolment has had. */
static uint32_t had(const mmq_bridge_t *bridge) {
    const uint32_t lasts = bridge->spec->enrolment_tokens;
    const int64_t left = bridge->measured ? (int64_t)mmq_enrolment_lacks(bridge->spec, bridge->measured)
                                          : bridge->enrolment_end - bridge->closed;
    return left > 0 ? lasts - (uint32_t)left : lasts;
}

/* Present tokens of a modality that always matter; of more, how many look-back periods went by does not. */
static uint32_t most_of(const mmq_spec_t *spec) {
    return spec->enrolment_tokens > spec->look_back_tokens ? spec->enrolment_tokens : spec->look_back_tokens;
}

static uint32_t turns(const mmq_spec_t *spec, uint32_t more) {
    return spec->look_back_tokens ? more % spec->look_back_tokens : 0u;
}

mmq_status_t mmq_state_save(const mmq_bridge_t *bridge, void *buffer, size_t size) {
    unsigned char *at = buffer;
    const mmq_spec_t *spec;
    size_t word = HEAD;
    if (!bridge || !buffer) return MMQ_NULL;
    spec = bridge->spec;
    if (size < bytes_of(spec)) return MMQ_TOO_SMALL;
    mmq_put_word(at, 0, MAGIC);
    mmq_put_word(at, 1, layout(spec));
    mmq_put_word(at, 2, (uint32_t)bytes_of(spec));
    mmq_put_word(at, 3, digest(spec));
    mmq_put_word(at, 4, had(bridge));
    for (uint32_t m = 0; m < counted(spec); m++) {
        const uint32_t measured = bridge->measured[m], most = most_of(spec);
        mmq_put_word(at, word++, measured < most ? measured : most + turns(spec, measured - most));
    }
    for (size_t i = 0; i < floats_of(spec); i++) mmq_put_word(at, word++, mmq_bits_of(((const float *)bridge->running)[i]));
    for (uint32_t i = 0; i < mmq_sums(spec); i += 4u) mmq_put_word(at, word++, 0);
    memcpy(at + 4u * (learnt_at(spec) + floats_of(spec)), bridge->past.counts, mmq_sums(spec));
    mmq_put_word(at, word, mmq_checksum(at, word));
    return MMQ_OK;
}

static float float_at(const mmq_spec_t *spec, const unsigned char *at, size_t i) {
    return mmq_float_of(mmq_word_at(at, learnt_at(spec) + i));
}

/* Whether all that was learnt is of a kind that can be. */
static int is_learnt(const mmq_spec_t *spec, const unsigned char *at) {
    const unsigned char *counts = at + 4u * (learnt_at(spec) + floats_of(spec));
    for (size_t i = 0; i < floats_of(spec); i++) {
        const float x = float_at(spec, at, i);
        const size_t what = i < mmq_learnt_floats(spec) ? i % 3u : 1u; /* count, mean or sum, square */
        if (!mmq_is_finite(x) || (what != 1u && x < 0.0f)) return 0;
        if (what == 0 && (x > MOST_COUNT || x != (float)(uint32_t)x)) return 0;
    }
    for (uint32_t i = 0; i < mmq_sums(spec) || i % 4u; i++) {
        if (counts[i] > (i < mmq_sums(spec) ? spec->look_back_tokens / MMQ_SUMS : 0u)) return 0;
    }
    return 1;
}

/* Whether the present tokens of the modalities are what the enrolment has had. */
static int counts_agree(const mmq_spec_t *spec, const unsigned char *at) {
    uint32_t measured[MMQ_MAX_MODALITIES];
    for (uint32_t m = 0; m < counted(spec); m++) {
        measured[m] = mmq_word_at(at, HEAD + m);
        if (measured[m] > most_of(spec) + (spec->look_back_tokens ? spec->look_back_tokens - 1u : 0u)) return 0;
    }
    return !counted(spec) || spec->enrolment_tokens - mmq_enrolment_lacks(spec, measured) == mmq_word_at(at, 4);
}

/* Whether a whole state is one this bridge can have had. */
static mmq_status_t fits(const mmq_spec_t *spec, const unsigned char *at, size_t size) {
    if (mmq_word_at(at, 1) > NEWEST_LAYOUT) return MMQ_STATE_NEWER;
    if (!mmq_word_at(at, 1)) return MMQ_STATE_DAMAGED;
    if (mmq_word_at(at, 3) != digest(spec)) return MMQ_STATE_FOREIGN;
    if (mmq_word_at(at, 1) != layout(spec)) return MMQ_STATE_DAMAGED;
    if (size != bytes_of(spec) || mmq_word_at(at, 4) > spec->enrolment_tokens) return MMQ_STATE_DAMAGED;
    if (!counts_agree(spec, at)) return MMQ_STATE_DAMAGED;
    return is_learnt(spec, at) ? MMQ_OK : MMQ_STATE_DAMAGED;
}

mmq_status_t mmq_state_load(mmq_bridge_t *bridge, const void *buffer, size_t size) {
    const unsigned char *at = buffer;
    mmq_status_t status;
    if (!bridge || !buffer) return MMQ_NULL;
    if (bridge->started) return MMQ_STATE_LATE;
    if ((status = mmq_is_whole(at, size, MAGIC)) != MMQ_OK) return status;
    if ((status = fits(bridge->spec, at, size)) != MMQ_OK) return status;
    bridge->enrolment_end = (int64_t)(bridge->spec->enrolment_tokens - mmq_word_at(at, 4));
    if (bridge->measured && bridge->enrolment_end) bridge->enrolment_end = MMQ_UNKNOWN_END;
    for (uint32_t m = 0; m < counted(bridge->spec); m++) bridge->measured[m] = mmq_word_at(at, HEAD + m);
    for (size_t i = 0; i < floats_of(bridge->spec); i++) ((float *)bridge->running)[i] = float_at(bridge->spec, at, i);
    memcpy(bridge->past.counts, at + 4u * (learnt_at(bridge->spec) + floats_of(bridge->spec)), mmq_sums(bridge->spec));
    return MMQ_OK;
}
