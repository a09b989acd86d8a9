/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_spec.c: any bits as a spec. mmq_bridge_size and mmq_bridge_init refuse it, or memory of exactly that size is
 * enough for whatever is pushed afterwards. Tables are as long as the spec's counts say, not a byte longer. */
#include "fuzz_common.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TABLE_BYTES ((size_t)1 << 22)
#define MOST_BRIDGE_BYTES ((size_t)1 << 26) /* larger ones are only sized, not run: zeroing them takes long */
#define MOST_SAMPLES 12000u
#define TABLES 8u

typedef struct {
    mmq_spec_t spec;
    mmq_modality_t modalities[MMQ_MAX_MODALITIES + 1u];
    void *tables[(MMQ_MAX_MODALITIES + 1u) * TABLES];
    uint32_t tables_count;
} fuzz_t;

/* Overwrite 4-byte fields of a struct: pairs of field number and value, from a byte count. */
static void mutate(fuzz_input_t *in, void *fields, size_t words) {
    for (uint32_t n = fuzz_u8(in) % 16u; n > 0; n--) {
        const size_t word = fuzz_u8(in) % words;
        const uint8_t kind = fuzz_u8(in);
        uint32_t value;
        memcpy(&value, (unsigned char *)fields + 4u * word, sizeof value);
        if (kind == 0) value = fuzz_u32(in);
        else if (kind == 1) value += fuzz_u8(in);
        else if (kind == 2) value -= fuzz_u8(in);
        else if (kind == 3) value <<= fuzz_u8(in) % 32u;
        else value = kind - 4u;
        memcpy((unsigned char *)fields + 4u * word, &value, sizeof value);
    }
}

/* A table of exactly rows * columns elements: those of `from`, over and over, or else the fuzzer's bytes.
 * Absurd counts get one element: the core must refuse them before it reads any. */
static void *table(fuzz_t *f, fuzz_input_t *in, const void *from, size_t from_bytes, size_t rows, size_t columns,
                   size_t size) {
    const uint8_t choice = fuzz_u8(in);
    size_t bytes = size;
    unsigned char *made;
    if (choice == 255u) return NULL;
    if (rows <= MOST_TABLE_BYTES && columns <= MOST_TABLE_BYTES && rows * columns * size <= MOST_TABLE_BYTES) {
        bytes = rows * columns * size;
    }
    made = fuzz_exactly(bytes + (bytes == 0));
    for (size_t i = 0; i < bytes; i++) {
        made[i] = from_bytes ? ((const unsigned char *)from)[i % from_bytes] : fuzz_u8(in);
    }
    if (bytes >= size && choice >= 128u) { /* one element of any bits */
        const size_t at = fuzz_u8(in) % (bytes / size);
        for (size_t i = 0; i < size; i++) made[at * size + i] = fuzz_u8(in);
    }
    f->tables[f->tables_count++] = made;
    return made;
}

static size_t floats(const float *from, size_t count) { return from ? count * sizeof(float) : 0u; }

static size_t window_length(const mmq_modality_t *m) {
    return m->kind == MMQ_PPG ? m->spectrum_samples : m->fft_size;
}

/* The tables of a modality whose counts may have been changed, from those it had. */
static void fill_tables(fuzz_t *f, fuzz_input_t *in, mmq_modality_t *m, const mmq_modality_t *base) {
    const size_t window = window_length(m), base_window = window_length(base);
    m->prefilter = table(f, in, base->prefilter, floats(base->prefilter, base->prefilter_sections * 5u),
                         m->prefilter_sections, 5, sizeof(float));
    m->bank = table(f, in, base->bank, floats(base->bank, base->bands * 5u), m->bands, 5, sizeof(float));
    m->fft_window = table(f, in, base->fft_window, floats(base->fft_window, base_window), window, 1, sizeof(float));
    m->twiddles = table(f, in, base->twiddles, floats(base->twiddles, base->fft_size), m->fft_size / 2u, 2,
                        sizeof(float));
    m->band_bins = table(f, in, base->band_bins, base->band_bins ? base->bands * 4u : 0u, m->bands, 2,
                         sizeof(uint16_t));
    m->spatial = table(f, in, base->spatial, floats(base->spatial, (size_t)base->outputs * base->channels), m->outputs,
                       m->channels, sizeof(float));
    if (!base->spatial && m->outputs == m->channels) m->spatial = NULL;
}

/* Features without look-backs. */
static size_t measured(const mmq_spec_t *spec) {
    size_t count = 0;
    for (uint32_t m = 0; m < spec->n_modalities && m <= MMQ_MAX_MODALITIES; m++) count += spec->modalities[m].features;
    return count;
}

static void build(fuzz_t *f, fuzz_input_t *in) {
    const mmq_spec_t *base = fuzz_specs[fuzz_u8(in) % fuzz_specs_count]();
    const uint32_t known = base->n_modalities;
    PROMISE(mmq_bridge_size(base) > 0);
    memset(f, 0, sizeof *f);
    f->spec = *base;
    for (uint32_t m = 0; m <= MMQ_MAX_MODALITIES; m++) f->modalities[m] = base->modalities[m % known];
    mutate(in, &f->spec, offsetof(mmq_spec_t, mean) / 4u);
    for (uint32_t m = 0; m < f->spec.n_modalities && m <= MMQ_MAX_MODALITIES; m++) {
        mutate(in, &f->modalities[m], offsetof(mmq_modality_t, prefilter) / 4u);
        fill_tables(f, in, &f->modalities[m], base->modalities + m % known);
    }
    f->spec.modalities = f->modalities;
    f->spec.mean = table(f, in, base->mean, floats(base->mean, measured(base)), measured(&f->spec), 1, sizeof(float));
    f->spec.std = table(f, in, base->std, floats(base->std, measured(base)), measured(&f->spec), 1, sizeof(float));
    if (fuzz_u8(in) == 255u) f->spec.modalities = NULL;
}

static void read_all(mmq_bridge_t *bridge, const mmq_spec_t *spec) {
    const size_t f = spec->n_features, m = spec->n_modalities, t = spec->tokens;
    float *features = fuzz_exactly(t * f * sizeof *features), *presence = fuzz_exactly(t * m * sizeof *presence);
    int8_t *small = fuzz_exactly(t * f), *seen = fuzz_exactly(t * m);
    uint16_t *reasons = fuzz_exactly(m * sizeof *reasons);
    int64_t number;
    (void)mmq_bridge_window(bridge, features, presence);
    (void)mmq_bridge_window_i8(bridge, small, seen);
    while (mmq_bridge_token(bridge, features, (uint8_t *)seen, &number) == MMQ_OK) {
        PROMISE(mmq_bridge_reasons(bridge, number, reasons) == MMQ_OK);
        for (uint32_t i = 0; i < spec->n_modalities; i++) PROMISE((uint8_t)seen[i] <= 1);
    }
    free(features);
    free(presence);
    free(small);
    free(seen);
    free(reasons);
}

/* A state of exactly its bytes; the digest reads every table that it may. */
static void save(mmq_bridge_t *bridge, const mmq_spec_t *spec) {
    const size_t size = mmq_state_size(spec);
    uint8_t *state = fuzz_exactly(size);
    PROMISE(size >= 24u && mmq_state_save(bridge, state, size) == MMQ_OK);
    PROMISE(mmq_state_load(bridge, state, size) == MMQ_STATE_LATE);
    free(state);
}

/* Push to every modality a few times, moving on in time so that tokens close. */
static void use(mmq_bridge_t *bridge, const mmq_spec_t *spec, fuzz_input_t *in) {
    const double step_s = (double)spec->token_s / 2.0;
    uint32_t budget = MOST_SAMPLES;
    for (uint32_t step = 0; step < 7; step++) {
        for (uint32_t i = 0; i < spec->n_modalities; i++) {
            const mmq_modality_t *m = spec->modalities + i;
            const double due = step_s * (double)m->rate_hz;
            uint32_t frames = due < 4000.0 ? (uint32_t)due : 4000u;
            float *samples;
            if (frames * m->channels > budget) frames = budget / m->channels;
            budget -= frames * m->channels;
            samples = fuzz_exactly((size_t)frames * m->channels * sizeof *samples + 1u);
            fuzz_samples(in, m, samples, frames, 0);
            (void)mmq_bridge_push(bridge, i, samples, frames, step * step_s);
            free(samples);
        }
        (void)mmq_bridge_advance(bridge, (step + 1) * step_s);
        read_all(bridge, spec);
    }
    save(bridge, spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input_t in = {data, size};
    static fuzz_t f;
    mmq_bridge_t *bridge = NULL;
    mmq_status_t status;
    size_t needed;
    void *memory;
    build(&f, &in);
    needed = mmq_bridge_size(&f.spec);
    PROMISE(needed < UINT32_MAX); /* no size_t overflows, one of 32 bits neither */
    memory = fuzz_exactly(needed <= MOST_BRIDGE_BYTES ? needed + (needed == 0) : 1u);
    status = mmq_bridge_init(memory, needed <= MOST_BRIDGE_BYTES ? needed : 1u, &f.spec, &bridge);
    if (needed == 0) PROMISE(status == MMQ_BAD_SPEC || status == MMQ_NEWER_SPEC);
    else PROMISE(status == (needed <= MOST_BRIDGE_BYTES ? MMQ_OK : MMQ_TOO_SMALL));
    PROMISE((status == MMQ_OK) == (bridge != NULL));
    PROMISE((status == MMQ_NEWER_SPEC) == (f.spec.version > MMQ_FRONTEND_VERSION));
    if (bridge) use(bridge, &f.spec, &in);
    free(memory);
    for (uint32_t i = 0; i < f.tables_count; i++) free(f.tables[i]);
    return 0;
}
