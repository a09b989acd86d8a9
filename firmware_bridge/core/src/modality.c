/* modality.c: one modality's state: memory, restart, the way of a block of frames to its features. */
#include "mmq_internal.h"

/* What leaves filters and contexts full of something else than the signal: they start anew with the next token. */
#define SPOILING (uint32_t)(MMQ_WHY_SATURATED | MMQ_WHY_STEP | MMQ_WHY_STRONG)
#define BAD_WEIGHT 0.25f /* share of an output's weights on bad channels that makes it bad */

/* Kinds that share their code; what the build leaves out falls away here. */
typedef enum { BANK, PULSE, BREATH, SLOW, MOTION, NONE } family_t;

static family_t family(const mmq_modality_t *spec) {
    switch (spec->kind) {
    case MMQ_EEG:
    case MMQ_EOG:
    case MMQ_EMG: return MMQ_HAS_BANK ? BANK : NONE;
    case MMQ_ECG:
    case MMQ_PPG: return MMQ_HAS_PULSE ? PULSE : NONE;
    case MMQ_RESP: return MMQ_HAS(MMQ_RESP) ? BREATH : NONE;
    case MMQ_ACC: return MMQ_HAS(MMQ_ACC) ? MOTION : NONE;
    default: return MMQ_HAS_SLOW ? SLOW : NONE;
    }
}

int mmq_is_bank(const mmq_modality_t *spec) { return family(spec) == BANK; }

int mmq_is_wave(const mmq_modality_t *spec) { return family(spec) <= BREATH; }

void mmq_state_layout(mmq_state_t *state, mmq_arena_t *arena) {
    const mmq_modality_t *spec = state->spec;
    state->channels = mmq_arena_take(arena, spec->channels, sizeof *state->channels);
    if (mmq_is_wave(spec)) {
        state->baseline = mmq_arena_take(arena, 2u * spec->channels, sizeof(float));
        state->prefilter = mmq_arena_take(arena, (size_t)spec->channels * spec->prefilter_sections * 2u, sizeof(float));
    }
    switch (family(spec)) {
    case BANK: if (MMQ_HAS_BANK) mmq_bank_layout(state, arena); break;
    case PULSE: if (MMQ_HAS_PULSE) mmq_pulse_layout(state, arena); break;
    case BREATH: if (MMQ_HAS(MMQ_RESP)) mmq_breath_layout(state, arena); break;
    case SLOW: if (MMQ_HAS_SLOW) mmq_slow_layout(state, arena); break;
    case MOTION: if (MMQ_HAS(MMQ_ACC)) mmq_motion_layout(state, arena); break;
    default: break;
    }
}

static void restart_output(mmq_state_t *state, uint32_t output) {
    switch (family(state->spec)) {
    case BANK: if (MMQ_HAS_BANK) mmq_bank_restart_output(state, output); break;
    case PULSE: if (MMQ_HAS_PULSE) mmq_pulse_restart(state, output); break;
    case BREATH: if (MMQ_HAS(MMQ_RESP)) mmq_breath_restart(state, output); break;
    case SLOW: if (MMQ_HAS_SLOW) mmq_slow_restart(state, output); break;
    case MOTION: if (MMQ_HAS(MMQ_ACC)) mmq_motion_restart(state, output); break;
    default: break;
    }
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
    if (!spec->spatial) restart_output(state, spec->kind == MMQ_ACC ? channel / 3u : channel);
}

void mmq_state_restart(mmq_state_t *state) {
    state->phase = 0;
    for (uint32_t c = 0; c < state->spec->channels; c++) mmq_state_restart_channel(state, c);
    for (uint32_t o = 0; o < state->spec->outputs; o++) restart_output(state, o);
    if (MMQ_HAS_BANK && mmq_is_bank(state->spec)) mmq_bank_restart(state);
}

/* Condition one group of channels into the scratch; a broken channel gives zeros. */
static uint32_t condition(mmq_state_t *state, const float *frames, uint32_t stride, uint32_t n, uint32_t first,
                          uint32_t width) {
    const mmq_modality_t *spec = state->spec;
    float *wave = state->scratch->wave + (size_t)first * MMQ_BLOCK;
    float *prefilter = state->prefilter + (size_t)first * spec->prefilter_sections * 2u;
    uint32_t kept;
    for (uint32_t c = first; c < first + width; c++) {
        if (state->channels[c].fresh && !state->channels[c].broken) {
            state->baseline[first + c] = 0.0f; /* 2 * first + (c - first) */
            state->baseline[first + c + width] = frames[(size_t)c * stride];
            state->channels[c].fresh = 0;
        }
    }
    kept = MMQ_BY_WIDTH(width, mmq_condition, spec, frames + (size_t)first * stride, stride, n, state->phase,
                        state->baseline + 2u * first, prefilter, wave);
    for (uint32_t c = first; c < first + width; c++) {
        for (uint32_t i = 0; state->channels[c].broken && i < kept; i++) wave[(size_t)i * width + (c - first)] = 0.0f;
    }
    return kept;
}

static void wave_block(mmq_state_t *state, const float *frames, uint32_t stride, uint32_t n) {
    const mmq_modality_t *spec = state->spec;
    const float *x = state->scratch->wave;
    uint32_t kept = 0, first;
    for (uint32_t c = 0, width; c < spec->channels; c += width) {
        width = mmq_group(spec, spec->channels, c, &first);
        kept = condition(state, frames, stride, n, c, width);
    }
    state->phase = (state->phase + n) % spec->decimate;
    if (kept == 0) return;
    if (MMQ_HAS(MMQ_EEG) && spec->spatial) {
        mmq_mix(state, kept);
        x = state->scratch->mixed;
    }
    if (MMQ_HAS_BANK && mmq_is_bank(spec)) mmq_bank_block(state, x, kept);
    for (uint32_t o = 0; o < spec->outputs && !mmq_is_bank(spec); o++, x += MMQ_BLOCK) {
        if (MMQ_HAS(MMQ_RESP) && spec->kind == MMQ_RESP) mmq_breath_block(state, o, x, kept);
        if (MMQ_HAS_PULSE && spec->kind != MMQ_RESP) mmq_pulse_block(state, o, x, kept);
    }
}

void mmq_state_block(mmq_state_t *state, const float *frames, uint32_t stride, uint32_t n) {
    const mmq_modality_t *spec = state->spec;
    if (mmq_is_wave(spec)) {
        wave_block(state, frames, stride, n);
        return;
    }
    for (uint32_t o = 0; o < spec->outputs; o++) {
        if (MMQ_HAS(MMQ_ACC) && spec->kind == MMQ_ACC) {
            const mmq_channel_t *axes = state->channels + (size_t)3 * o;
            if (axes[0].broken || axes[1].broken || axes[2].broken) continue;
            mmq_motion_block(state, o, frames + (size_t)3 * o * stride, stride, n);
        } else if (MMQ_HAS_SLOW && !state->channels[o].broken) {
            mmq_slow_block(state, o, frames + (size_t)o * stride, n);
        }
    }
}

/* The rules for the shape of a signal, once half a token of it came since the last restart. */
static uint16_t shape(const mmq_state_t *state, uint32_t output, float token_s) {
    const mmq_modality_t *spec = state->spec;
    const float half = 0.5f * token_s * spec->rate_hz / (float)spec->decimate;
    switch (family(spec)) {
    case BANK: return MMQ_HAS_BANK && (float)state->bank.count >= half ? mmq_bank_quality(state, output) : 0;
    case PULSE:
        if (!MMQ_HAS_PULSE || (float)state->pulses[output].whole.n < half) return 0;
        return mmq_pulse_quality(state, output);
    case BREATH:
        if (!MMQ_HAS(MMQ_RESP) || (float)state->breaths[output].whole.n < half) return 0;
        return mmq_breath_quality(state, output);
    default: return 0;
    }
}

/* What the channels behind an output suffer from. */
static uint16_t inherited(const mmq_state_t *state, const uint16_t *reasons, uint32_t output) {
    const mmq_modality_t *spec = state->spec;
    const uint32_t n = spec->channels;
    float whole = 0.0f, bad = 0.0f;
    uint32_t why = 0;
    if (spec->kind == MMQ_ACC) return reasons[3 * output] | reasons[3 * output + 1] | reasons[3 * output + 2];
    if (!spec->spatial) return reasons[output];
    for (uint32_t c = 0; c < n; c++) {
        const float weight = spec->spatial[(size_t)output * n + c], size = weight < 0.0f ? -weight : weight;
        whole += size;
        if (reasons[c]) bad += size;
        if (size > 0.0f) why |= reasons[c];
    }
    return bad > BAD_WEIGHT * whole || !(whole > 0.0f) ? (uint16_t)why : 0;
}

static void features_of(mmq_state_t *state, uint32_t output, float *out) {
    switch (family(state->spec)) {
    case PULSE: if (MMQ_HAS_PULSE) mmq_pulse_features(state, output, out); break;
    case BREATH: if (MMQ_HAS(MMQ_RESP)) mmq_breath_features(state, output, out); break;
    case MOTION: if (MMQ_HAS(MMQ_ACC)) mmq_motion_features(state, output, out); break;
    case SLOW:
        if (state->spec->kind == MMQ_TEMP && MMQ_HAS(MMQ_TEMP)) mmq_temp_features(state, output, out);
        if (state->spec->kind == MMQ_EDA && MMQ_HAS(MMQ_EDA)) mmq_eda_features(state, output, out);
        break;
    default: break;
    }
}

static void features(mmq_state_t *state, float *out) {
    const mmq_modality_t *spec = state->spec;
    if (MMQ_HAS_BANK && mmq_is_bank(spec)) {
        mmq_bank_features(state, out);
        return;
    }
    for (uint32_t o = 0; o < spec->outputs; o++) features_of(state, o, out + o * (spec->features / spec->outputs));
}

uint16_t mmq_state_finish(mmq_state_t *state, float token_s, float *out) {
    const mmq_modality_t *spec = state->spec;
    const uint32_t size = spec->features / spec->outputs;
    uint16_t *reasons = state->scratch->reasons, *verdicts = state->scratch->verdicts;
    uint32_t bad = 0, why = 0;
    for (uint32_t c = 0; c < spec->channels; c++) reasons[c] = mmq_quality_channel(state, c, token_s);
    for (uint32_t o = 0; o < spec->outputs; o++) {
        verdicts[o] = inherited(state, reasons, o);
        if (!verdicts[o]) verdicts[o] = shape(state, o, token_s);
        bad += verdicts[o] != 0;
        why |= verdicts[o];
    }
    features(state, out); /* always: it also prepares the next token */
    for (uint32_t i = 0; i < spec->features; i++) {
        if (verdicts[i / size]) out[i] = MMQ_NAN;
    }
    mmq_quality_next_token(state);
    for (uint32_t c = 0; state->renews && c < spec->channels; c++) {
        const uint32_t suffered = reasons[c] | (spec->spatial || spec->kind == MMQ_ACC ? 0u : verdicts[c]);
        if (suffered & SPOILING) mmq_state_restart_channel(state, c);
    }
    return bad && (float)bad > spec->max_bad_share * (float)spec->outputs ? (uint16_t)why : 0;
}
