/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_common.c: see fuzz_common.h. */
#include "fuzz_common.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

uint8_t fuzz_u8(fuzz_input_t *in) {
    if (in->left == 0) return 0;
    in->left--;
    return *in->at++;
}

uint32_t fuzz_u32(fuzz_input_t *in) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) value |= (uint32_t)fuzz_u8(in) << (8 * i);
    return value;
}

float fuzz_float(fuzz_input_t *in) {
    const uint32_t bits = fuzz_u32(in);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double fuzz_double(fuzz_input_t *in) {
    const uint64_t low = fuzz_u32(in), bits = low | (uint64_t)fuzz_u32(in) << 32;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void *fuzz_exactly(size_t bytes) {
    void *place = malloc(bytes);
    PROMISE(place);
    return place;
}

/* One period of a wave that is close enough to a sine, of a phase in periods. */
static float wave(float periods) {
    const float x = 2.0f * (periods - floorf(periods)) - 1.0f; /* -1 to 1 */
    return 4.0f * x * (1.0f - fabsf(x));
}

static float noise(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) * (2.0f / 16777216.0f) - 1.0f;
}

typedef struct {
    uint32_t shape, period, seed;
    float centre, amplitude, constant;
} shape_t;

static shape_t read_shape(fuzz_input_t *in, const mmq_modality_t *modality) {
    const float range = modality->maximum - modality->minimum;
    shape_t s;
    s.shape = fuzz_u8(in) % 6u;
    s.period = 2u + fuzz_u8(in);
    s.centre = modality->minimum + range * (float)fuzz_u8(in) / 255.0f;
    s.amplitude = range * ldexpf(1.0f, -(int)(fuzz_u8(in) % 48u));
    s.constant = s.shape == 1 ? fuzz_float(in) : 0.0f;
    s.seed = s.period;
    return s;
}

static float sample_of(shape_t *s, uint32_t frame) {
    const float periods = (float)(frame % (s->period * 64u)) / (float)s->period;
    if (s->shape == 1) return s->constant;
    if (s->shape == 3) return s->centre + (frame % s->period < 3u ? s->amplitude : 0.0f);
    if (s->shape == 4) return s->centre + s->amplitude * noise(&s->seed);
    return s->centre + s->amplitude * wave(periods);
}

void fuzz_samples(fuzz_input_t *in, const mmq_modality_t *modality, float *samples, uint32_t frames, uint32_t phase) {
    const size_t count = (size_t)modality->channels * frames;
    shape_t s = read_shape(in, modality);
    s.seed += phase;
    for (size_t i = 0; i < count; i++) {
        const uint32_t channel = (uint32_t)(i / frames), frame = (uint32_t)(i % frames);
        samples[i] = s.shape == 0 ? fuzz_float(in) : sample_of(&s, phase + frame + channel);
    }
    if (s.shape != 5 || count == 0) return;
    for (uint32_t hits = fuzz_u8(in) % 8u; hits > 0; hits--) samples[fuzz_u32(in) % count] = fuzz_float(in);
}

static int is_nan(float x) { return x != x; }

static void check_feature(const mmq_spec_t *spec, float x, int present) {
    if (!present) PROMISE(x == 0.0f);
    if (spec->normaliser == MMQ_RAW) {
        PROMISE(is_nan(x) || fabsf(x) <= 3.4028235e38f);
    } else {
        PROMISE(fabsf(x) <= spec->clip); /* false for NaN */
    }
}

uint32_t fuzz_look_backs(const mmq_spec_t *spec, const mmq_modality_t *modality) {
    uint32_t count = 0;
    for (uint32_t bit = 0; spec->look_back_tokens && bit < 32u; bit++) count += modality->look_back >> bit & 1u;
    return count * modality->outputs;
}

void fuzz_check_token(const mmq_spec_t *spec, const float *features, const uint8_t *presence) {
    for (uint32_t m = 0; m < spec->n_modalities; m++) {
        PROMISE(presence[m] <= 1);
        const uint32_t count = spec->modalities[m].features + fuzz_look_backs(spec, spec->modalities + m);
        for (uint32_t i = 0; i < count; i++) check_feature(spec, *features++, presence[m]);
    }
}

/* The int8 window is the float one, scaled and rounded half away from zero. */
static void check_i8(const mmq_spec_t *spec, float x, int8_t q) {
    const float scaled = is_nan(x) ? 0.0f : x / spec->scale;
    const double whole = trunc((double)(scaled < 0.0f ? scaled - 0.5f : scaled + 0.5f)) + (double)spec->zero_point;
    PROMISE((double)q == fmin(fmax(whole, -128.0), 127.0));
}

static void check_quantised(const mmq_bridge_t *bridge, const mmq_spec_t *spec, mmq_status_t status,
                            const float *features, const float *presence) {
    const size_t f = (size_t)spec->tokens * spec->n_features, m = (size_t)spec->tokens * spec->n_modalities;
    int8_t *small = fuzz_exactly(f), *seen = fuzz_exactly(m);
    const mmq_status_t status_i8 = mmq_bridge_window_i8(bridge, small, seen);
    PROMISE(status_i8 == (spec->quantised ? status : MMQ_NOT_QUANTISED));
    if (status_i8 == MMQ_OK) {
        for (size_t i = 0; i < f; i++) check_i8(spec, features[i], small[i]);
        for (size_t i = 0; i < m; i++) PROMISE(seen[i] == (presence[i] > 0.0f ? 127 : -128));
    }
    free(small);
    free(seen);
}

void fuzz_check_window(const mmq_bridge_t *bridge, const mmq_spec_t *spec) {
    const size_t f = (size_t)spec->tokens * spec->n_features, m = (size_t)spec->tokens * spec->n_modalities;
    float *features = fuzz_exactly(f * sizeof *features), *presence = fuzz_exactly(m * sizeof *presence);
    const mmq_status_t status = mmq_bridge_window(bridge, features, presence);
    PROMISE(status == MMQ_OK || status == MMQ_NOT_READY || status == MMQ_ENROLLING);
    if (status == MMQ_OK) {
        uint8_t seen[MMQ_MAX_MODALITIES];
        for (uint32_t t = 0; t < spec->tokens; t++) {
            for (uint32_t i = 0; i < spec->n_modalities; i++) {
                const float x = presence[t * spec->n_modalities + i];
                PROMISE(x == 0.0f || x == 1.0f);
                seen[i] = x > 0.0f;
            }
            fuzz_check_token(spec, features + (size_t)t * spec->n_features, seen);
        }
    }
    check_quantised(bridge, spec, status, features, presence);
    free(features);
    free(presence);
}

static uint32_t crc32(const uint8_t *at, size_t bytes) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1u ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}

static void put_word(uint8_t *at, uint32_t word) {
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(word >> (8 * i));
}

uint8_t *fuzz_forged(fuzz_input_t *in, const uint8_t *saved, size_t *size) {
    const uint8_t how = fuzz_u8(in);
    const size_t length = how & 1u ? fuzz_u32(in) % (2u * *size) : *size;
    uint8_t *made = fuzz_exactly(length + 1u);
    for (size_t i = 0; i < length; i++) made[i] = how & 2u || i >= *size ? fuzz_u8(in) : saved[i];
    for (uint32_t n = how >> 4; n > 0 && length >= 4u; n--) {
        uint8_t *word = made + fuzz_u8(in) % (length / 4u) * 4u;
        put_word(word, fuzz_u32(in));
    }
    if (how & 4u && length >= 16u) {
        put_word(made + 8, (uint32_t)length);
        put_word(made + length - 4u, crc32(made, length - 4u));
    }
    *size = length;
    return made;
}
