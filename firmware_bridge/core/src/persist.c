/* SPDX-License-Identifier: Apache-2.0 */
/* persist.c: what the wearer taught as bytes, and back.
 *
 * Little-endian 32-bit words: magic, layout, bytes of the whole, digest of the front end, tokens the enrolment has
 * had, then, where the enrolment counts them, the present tokens of each modality, no more than it learns from; then
 * count, mean and squares of each feature that is learnt, at last the CRC-32 of all before. Every layout
 * keeps the first three words and the last one, so that an older core knows a newer state for what it is. */
#include "mmq_internal.h"

#include <string.h>

#define MAGIC 0x53514d4du /* "MMQS" */
#define LAYOUT 1u
#define HEAD 5u /* words before the features */
#define LEAST 4u /* words any layout has */
#define FLOATS 64u /* number of a modality's first float in the digest */
#define MOST_COUNT 16777216.0f /* where a float stops counting */

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The CRC-32 of zip and Ethernet, a little-endian word at a time; starts and ends inverted. */
static uint32_t crc_add(uint32_t crc, uint32_t word) {
    crc ^= word;
    for (uint32_t i = 0; i < 32u; i++) crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
    return crc;
}

static uint32_t add_floats(uint32_t crc, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) crc = crc_add(crc, bits_of(x[i]));
    return crc;
}

/* The numbers of a modality but its tables, and what tables its kind reads. A number that is 0 says nothing, and the
 * floats are counted by themselves: what later versions append to either leaves the digests of older front ends. */
static uint32_t add_modality(uint32_t crc, const mmq_modality_t *m) {
    const uint32_t first_float = offsetof(mmq_modality_t, rate_hz) / 4u;
    const int wave = mmq_is_wave(m), bank = mmq_is_bank(m);
    for (uint32_t i = 0; i < offsetof(mmq_modality_t, prefilter) / 4u; i++) {
        uint32_t word;
        memcpy(&word, (const unsigned char *)m + 4u * i, sizeof word);
        if (word) crc = crc_add(crc_add(crc, i < first_float ? i : i - first_float + FLOATS), word);
    }
    if (wave) crc = add_floats(crc, m->prefilter, 5u * (size_t)m->prefilter_sections);
    if (wave) crc = add_floats(crc, m->bank, 5u * (size_t)m->bands);
    if (bank || m->kind == MMQ_PPG) {
        crc = add_floats(crc, m->fft_window, bank ? m->fft_size : m->spectrum_samples);
        crc = add_floats(crc, m->twiddles, m->fft_size);
    }
    for (uint32_t i = 0; bank && i < 2u * m->bands; i++) crc = crc_add(crc, m->band_bins[i]);
    if (bank && m->spatial) crc = add_floats(crc, m->spatial, (size_t)m->outputs * m->channels);
    return crc;
}

/* Of all that decides features and their normalisation; not of the window's length, the grace and the quantisation. */
static uint32_t digest(const mmq_spec_t *spec) {
    const uint32_t head[] = {spec->version,        spec->n_modalities,          spec->n_features,
                             spec->normaliser,     spec->enrolment_tokens,      bits_of(spec->token_s),
                             bits_of(spec->clip),  bits_of(spec->prior_tokens)};
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) crc = crc_add(crc, head[i]);
    if (mmq_counts_evidence(spec)) crc = crc_add(crc, spec->enrolment_least);
    if (spec->normaliser != MMQ_RAW) {
        crc = add_floats(crc, spec->mean, spec->n_features);
        crc = add_floats(crc, spec->std, spec->n_features);
    }
    for (uint32_t m = 0; m < spec->n_modalities; m++) crc = add_modality(crc, spec->modalities + m);
    return ~crc;
}

static uint32_t learnt(const mmq_spec_t *spec) { return spec->normaliser >= MMQ_ENROLMENT ? spec->n_features : 0u; }

static uint32_t counted(const mmq_spec_t *spec) { return mmq_counts_evidence(spec) ? spec->n_modalities : 0u; }

static size_t bytes_of(const mmq_spec_t *spec) {
    return 4u * (HEAD + counted(spec) + 3u * (size_t)learnt(spec) + 1u);
}

/* Words of any alignment. */
static uint32_t get(const unsigned char *at, size_t word) {
    at += 4u * word;
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put(unsigned char *at, size_t word, uint32_t value) {
    for (unsigned i = 0; i < 4u; i++) at[4u * word + i] = (unsigned char)(value >> 8u * i);
}

static uint32_t checksum(const unsigned char *at, size_t words) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < words; i++) crc = crc_add(crc, get(at, i));
    return ~crc;
}

size_t mmq_state_size(const mmq_spec_t *spec) { return spec && mmq_spec_is_good(spec) ? bytes_of(spec) : 0u; }

/* Tokens the enrolment has had. */
static uint32_t had(const mmq_bridge_t *bridge) {
    const uint32_t lasts = bridge->spec->enrolment_tokens;
    const int64_t left = bridge->measured ? (int64_t)mmq_enrolment_lacks(bridge->spec, bridge->measured)
                                          : bridge->enrolment_end - bridge->closed;
    return left > 0 ? lasts - (uint32_t)left : lasts;
}

mmq_status_t mmq_state_save(const mmq_bridge_t *bridge, void *buffer, size_t size) {
    unsigned char *at = buffer;
    const mmq_spec_t *spec;
    size_t word = HEAD;
    if (!bridge || !buffer) return MMQ_NULL;
    spec = bridge->spec;
    if (size < bytes_of(spec)) return MMQ_TOO_SMALL;
    put(at, 0, MAGIC);
    put(at, 1, LAYOUT);
    put(at, 2, (uint32_t)bytes_of(spec));
    put(at, 3, digest(spec));
    put(at, 4, had(bridge));
    for (uint32_t m = 0; m < counted(spec); m++) {
        const uint32_t measured = bridge->measured[m], most = spec->enrolment_tokens;
        put(at, word++, measured < most ? measured : most);
    }
    for (uint32_t i = 0; i < learnt(spec); i++) {
        put(at, word++, bits_of(bridge->running[i].count));
        put(at, word++, bits_of(bridge->running[i].mean));
        put(at, word++, bits_of(bridge->running[i].square));
    }
    put(at, word, checksum(at, word));
    return MMQ_OK;
}

/* Whether these are bytes some core has saved, as it saved them. */
static mmq_status_t is_whole(const unsigned char *at, size_t size) {
    if (size < 4u * LEAST) return MMQ_STATE_SHORT;
    if (get(at, 0) != MAGIC) return MMQ_STATE_DAMAGED;
    if (get(at, 2) > size) return MMQ_STATE_SHORT;
    if (get(at, 2) != size || size % 4u) return MMQ_STATE_DAMAGED;
    return checksum(at, size / 4u - 1u) == get(at, size / 4u - 1u) ? MMQ_OK : MMQ_STATE_DAMAGED;
}

static int is_learnt(const mmq_running_t *running) {
    const float count = running->count;
    if (!(count >= 0.0f && count <= MOST_COUNT) || count != (float)(uint32_t)count) return 0;
    return mmq_is_finite(running->mean) && mmq_is_finite(running->square) && running->square >= 0.0f;
}

static mmq_running_t running_at(const mmq_spec_t *spec, const unsigned char *at, uint32_t i) {
    const size_t word = HEAD + counted(spec) + 3u * (size_t)i;
    const mmq_running_t running = {float_of(get(at, word)), float_of(get(at, word + 1u)), float_of(get(at, word + 2u))};
    return running;
}

/* Whether the present tokens of the modalities are what the enrolment has had. */
static int counts_agree(const mmq_spec_t *spec, const unsigned char *at) {
    uint32_t measured[MMQ_MAX_MODALITIES];
    for (uint32_t m = 0; m < counted(spec); m++) {
        measured[m] = get(at, HEAD + m);
        if (measured[m] > spec->enrolment_tokens) return 0;
    }
    return !counted(spec) || spec->enrolment_tokens - mmq_enrolment_lacks(spec, measured) == get(at, 4);
}

/* Whether a whole state is one this bridge can have had. */
static mmq_status_t fits(const mmq_spec_t *spec, const unsigned char *at, size_t size) {
    if (get(at, 1) > LAYOUT) return MMQ_STATE_NEWER;
    if (get(at, 1) < LAYOUT) return MMQ_STATE_DAMAGED;
    if (get(at, 3) != digest(spec)) return MMQ_STATE_FOREIGN;
    if (size != bytes_of(spec) || get(at, 4) > spec->enrolment_tokens) return MMQ_STATE_DAMAGED;
    if (!counts_agree(spec, at)) return MMQ_STATE_DAMAGED;
    for (uint32_t i = 0; i < learnt(spec); i++) {
        const mmq_running_t running = running_at(spec, at, i);
        if (!is_learnt(&running)) return MMQ_STATE_DAMAGED;
    }
    return MMQ_OK;
}

mmq_status_t mmq_state_load(mmq_bridge_t *bridge, const void *buffer, size_t size) {
    const unsigned char *at = buffer;
    mmq_status_t status;
    if (!bridge || !buffer) return MMQ_NULL;
    if (bridge->started) return MMQ_STATE_LATE;
    if ((status = is_whole(at, size)) != MMQ_OK) return status;
    if ((status = fits(bridge->spec, at, size)) != MMQ_OK) return status;
    bridge->enrolment_end = (int64_t)(bridge->spec->enrolment_tokens - get(at, 4));
    if (bridge->measured && bridge->enrolment_end) bridge->enrolment_end = MMQ_UNKNOWN_END;
    for (uint32_t m = 0; m < counted(bridge->spec); m++) bridge->measured[m] = get(at, HEAD + m);
    for (uint32_t i = 0; i < learnt(bridge->spec); i++) bridge->running[i] = running_at(bridge->spec, at, i);
    return MMQ_OK;
}
