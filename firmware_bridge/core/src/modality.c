/* SPDX-License-Identifier: Apache-2.0 */
/* modality.c: one modality's state: memory, restart, the way of a block of frames to its features. */
#include "mmq_internal.h"

#define BAD_WEIGHT 0.25f /* share of an output's weights on bad channels that makes it bad */

/* What leaves filters and contexts full of something else than the signal: they start anew with the next token, and
 * again until a token is good (an electrode's pop decays for a while). */
#define SPOILING (uint32_t)(MMQ_WHY_SATURATED | MMQ_WHY_STEP | MMQ_WHY_STRONG)

/* What the build leaves out falls away here: nothing else names it. */
#define IF(kinds, function) ((kinds) ? (function) : NULL)
#define KIND(kinds, files, quality, features)                                                                       \
    {IF(kinds, mmq_##files##_layout), IF(kinds, mmq_##files##_restart), IF(kinds, mmq_##files##_block),             \
     IF(kinds, quality), IF(kinds, features)}

static uint16_t no_rules(const mmq_state_t *state, uint32_t output, float least) {
    (void)state, (void)output, (void)least;
    return 0;
}

static const mmq_methods_t bank = KIND(MMQ_HAS_BANK, bank, mmq_bank_quality, mmq_bank_features);
static const mmq_methods_t pulse = KIND(MMQ_HAS_PULSE, pulse, mmq_pulse_quality, mmq_pulse_features);
static const mmq_methods_t breath = KIND(MMQ_HAS(MMQ_RESP), slow, mmq_breath_quality, mmq_breath_features);
static const mmq_methods_t eda = KIND(MMQ_HAS(MMQ_EDA), slow, no_rules, mmq_eda_features);
static const mmq_methods_t temp = KIND(MMQ_HAS(MMQ_TEMP), slow, no_rules, mmq_temp_features);
static const mmq_methods_t motion = KIND(MMQ_HAS(MMQ_ACC), motion, no_rules, mmq_motion_features);

static const mmq_methods_t *const methods[MMQ_KINDS] = {
    [MMQ_EEG] = &bank, [MMQ_EOG] = &bank,  [MMQ_EMG] = &bank,    [MMQ_ECG] = &pulse, [MMQ_PPG] = &pulse,
    [MMQ_EDA] = &eda,  [MMQ_TEMP] = &temp, [MMQ_RESP] = &breath, [MMQ_ACC] = &motion,
};

/* Channels of one output: the three axes of an accelerometer. With a matrix each output has its own weights instead. */
static uint32_t axes_of(const mmq_modality_t *spec) { return spec->kind == MMQ_ACC ? 3u : 1u; }

void mmq_state_layout(mmq_state_t *state, mmq_arena_t *arena) {
    const mmq_modality_t *spec = state->spec;
    const size_t waves = mmq_is_wave(spec) ? spec->channels : 0u;
    state->channels = mmq_arena_take(arena, spec->channels, sizeof *state->channels);
    state->baseline = mmq_arena_floats(arena, 2u * waves);
    state->prefilter = mmq_arena_floats(arena, 2u * waves * spec->prefilter_sections);
    for (uint32_t c = 0; state->channels && c < spec->channels; c++) state->channels[c].lost_run = MMQ_LONG_AGO;
    state->methods = methods[spec->kind];
    state->methods->layout(state, arena);
}

void mmq_state_restart_channel(mmq_state_t *state, uint32_t channel) {
    const mmq_modality_t *spec = state->spec;
    state->channels[channel].fresh = 1;
    if (mmq_is_wave(spec)) {
        const uint32_t size = spec->prefilter_sections * 2u;
        uint32_t first;
        const uint32_t width = mmq_group(spec, spec->channels, channel, &first);
        float *states = state->prefilter + (size_t)first * size + (channel - first);
        for (uint32_t k = 0; k < size; k++) states[(size_t)k * width] = 0.0f;
    }
    if (!spec->spatial) state->methods->restart(state, channel / axes_of(spec));
}

void mmq_state_restart(mmq_state_t *state) {
    state->phase = 0;
    state->of.bank.filled = 0;
    for (uint32_t c = 0; c < state->spec->channels; c++) mmq_state_restart_channel(state, c);
    for (uint32_t o = 0; o < state->spec->outputs; o++) state->methods->restart(state, o);
}

/* Condition one group of channels into the scratch; a channel that is not alive gives zeros. */
static uint32_t condition(mmq_state_t *state, const float *frames, uint32_t stride, uint32_t n, uint32_t first,
                          uint32_t width) {
    const mmq_modality_t *spec = state->spec;
    float *wave = state->scratch.wave + (size_t)first * MMQ_BLOCK;
    float *prefilter = state->prefilter + (size_t)first * spec->prefilter_sections * 2u;
    uint32_t kept;
    for (uint32_t c = first; c < first + width; c++) {
        if (state->channels[c].fresh && state->channels[c].alive) {
            state->baseline[first + c] = 0.0f; /* 2 * first + (c - first) */
            state->baseline[first + c + width] = frames[(size_t)c * stride];
            state->channels[c].fresh = 0;
        }
    }
    kept = MMQ_BY_WIDTH(width, mmq_condition, spec, frames + (size_t)first * stride, stride, n, state->phase,
                        state->baseline + 2u * first, prefilter, wave);
    for (uint32_t c = first; c < first + width; c++) {
        for (uint32_t i = 0; !state->channels[c].alive && i < kept; i++) wave[(size_t)i * width + (c - first)] = 0.0f;
    }
    return kept;
}

static uint32_t condition_all(mmq_state_t *state, const float *frames, uint32_t stride, uint32_t n) {
    const mmq_modality_t *spec = state->spec;
    uint32_t kept = 0, first;
    for (uint32_t c = 0, width; c < spec->channels; c += width) {
        width = mmq_group(spec, spec->channels, c, &first);
        kept = condition(state, frames, stride, n, c, width);
    }
    state->phase = (state->phase + n) % spec->decimate;
    return kept;
}

void mmq_state_block(mmq_state_t *state, const float *frames, uint32_t stride, uint32_t n) {
    const mmq_modality_t *spec = state->spec;
    if (mmq_is_wave(spec)) {
        n = condition_all(state, frames, stride, n);
        if (n == 0) return;
        frames = state->scratch.wave;
        stride = MMQ_BLOCK;
        if (MMQ_HAS(MMQ_EEG) && spec->spatial) frames = mmq_mix(state, n);
    }
    for (uint32_t o = 0, first, width; o < spec->outputs; o += width) {
        width = mmq_group(spec, spec->outputs, o, &first);
        state->methods->block(state, o, frames, stride, n);
        frames += width * stride * axes_of(spec);
    }
}

/* What the channels behind an output suffer from. */
static uint32_t inherited(const mmq_state_t *state, uint32_t output) {
    const mmq_modality_t *spec = state->spec;
    const uint32_t n = spec->channels, axes = axes_of(spec);
    float whole = 0.0f, bad = 0.0f;
    uint32_t why = 0;
    if (!spec->spatial || axes > 1u) {
        for (uint32_t c = axes * output; c < axes * (output + 1u); c++) why |= state->channels[c].seen;
        return why;
    }
    for (uint32_t c = 0; c < n; c++) {
        const float weight = spec->spatial[(size_t)output * n + c], size = weight < 0.0f ? -weight : weight;
        whole += size;
        if (state->channels[c].seen) bad += size;
        if (size > 0.0f) why |= state->channels[c].seen;
    }
    return bad > BAD_WEIGHT * whole || !(whole > 0.0f) ? why : 0;
}

uint16_t mmq_state_finish(mmq_state_t *state, float token_s, float *out) {
    const mmq_modality_t *spec = state->spec;
    const uint32_t size = spec->features / spec->outputs;
    const float half = 0.5f * token_s * spec->rate_hz / (float)spec->decimate; /* samples since the last restart */
    uint32_t bad = 0, why = 0;
    mmq_quality_token(state, token_s);
    for (uint32_t o = 0; o < spec->outputs; o++) {
        uint32_t verdict = inherited(state, o);
        if (!verdict) verdict = state->methods->quality(state, o, half);
        if (!state->strict) verdict &= ~(uint32_t)MMQ_WHY_UNJUDGED;
        bad += verdict != 0;
        why |= verdict;
        if (!spec->spatial && spec->kind != MMQ_ACC) state->channels[o].seen |= (uint16_t)verdict;
        mmq_blank(out, size);
        state->methods->features(state, o, out); /* always: it also prepares the next token */
        if (verdict) mmq_blank(out, size);
        out += size;
    }
    for (uint32_t c = 0; state->renews && c < spec->channels; c++) {
        mmq_channel_t *channel = state->channels + c;
        const uint32_t seen = channel->seen & ~(uint32_t)MMQ_WHY_UNJUDGED; /* or nothing would ever be judged again */
        channel->spoilt = seen && (channel->spoilt || seen & SPOILING);
        if (channel->spoilt) mmq_state_restart_channel(state, c);
    }
    mmq_quality_next_token(state);
    return bad && (float)bad > spec->max_bad_share * (float)spec->outputs ? (uint16_t)why : 0;
}
