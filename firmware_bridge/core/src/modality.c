/* modality.c: one modality's state: memory, restart, the common path of a frame to its features. */
#include "mmq_internal.h"

static int is_wave(const mmq_state_t *state) { return state->spec->kind <= MMQ_PPG; }

void mmq_state_layout(mmq_state_t *state, mmq_arena_t *arena) {
    const mmq_modality_t *spec = state->spec;
    const size_t channels = spec->channels;
    state->last = mmq_arena_take(arena, channels, sizeof(float));
    state->flat_run = mmq_arena_take(arena, channels, sizeof(uint32_t));
    state->frame = mmq_arena_take(arena, channels, sizeof(float));
    state->out = mmq_arena_take(arena, spec->features, sizeof(float));
    if (is_wave(state)) {
        state->baseline = mmq_arena_take(arena, channels, sizeof(float));
        state->anti_alias = mmq_arena_take(arena, channels * spec->anti_alias_sections * 2u, sizeof(float));
        state->bank = mmq_arena_take(arena, channels * spec->bands * 4u, sizeof(float));
    }
    switch (spec->kind) {
    case MMQ_EEG: mmq_eeg_layout(state, arena); break;
    case MMQ_ECG:
    case MMQ_PPG: mmq_pulse_layout(state, arena); break;
    case MMQ_EDA:
    case MMQ_TEMP: mmq_eda_layout(state, arena); break;
    default: break;
    }
}

void mmq_state_restart(mmq_state_t *state) {
    const mmq_modality_t *spec = state->spec;
    state->fresh = 1;
    state->phase = 0;
    if (is_wave(state)) {
        for (uint32_t i = 0; i < spec->channels * spec->anti_alias_sections * 2u; i++) state->anti_alias[i] = 0.0f;
        for (uint32_t i = 0; i < spec->channels * spec->bands * 4u; i++) state->bank[i] = 0.0f;
    }
    switch (spec->kind) {
    case MMQ_EEG: mmq_eeg_restart(state); break;
    case MMQ_ECG:
    case MMQ_PPG: mmq_pulse_restart(state); break;
    case MMQ_EDA:
    case MMQ_TEMP: mmq_eda_restart(state); break;
    default: mmq_acc_restart(state); break;
    }
}

/* Baseline, anti-alias filter, decimation. Returns 1 when a decimated frame came out in state->frame. */
static int decimated(mmq_state_t *state, const float *frame) {
    const mmq_modality_t *spec = state->spec;
    const int keep = state->phase == 0;
    for (uint32_t c = 0; c < spec->channels; c++) {
        float x;
        if (state->fresh) state->baseline[c] = frame[c];
        x = frame[c] - state->baseline[c];
        state->baseline[c] += spec->baseline_alpha * x;
        state->frame[c] = mmq_cascade(spec->anti_alias, state->anti_alias + c * spec->anti_alias_sections * 2u,
                                      spec->anti_alias_sections, x);
    }
    state->fresh = 0;
    state->phase = state->phase + 1u == spec->decimate ? 0u : state->phase + 1u;
    return keep;
}

void mmq_state_frame(mmq_state_t *state, const float *frame) {
    switch (state->spec->kind) {
    case MMQ_EEG:
        if (decimated(state, frame)) mmq_eeg_sample(state, state->frame);
        break;
    case MMQ_ECG:
    case MMQ_PPG:
        if (decimated(state, frame)) mmq_pulse_sample(state, state->frame);
        break;
    case MMQ_EDA:
    case MMQ_TEMP: mmq_eda_sample(state, frame); break;
    default: mmq_acc_sample(state, frame); break;
    }
}

void mmq_state_features(mmq_state_t *state, float *out) {
    switch (state->spec->kind) {
    case MMQ_EEG: mmq_eeg_features(state, out); break;
    case MMQ_ECG:
    case MMQ_PPG: mmq_pulse_features(state, out); break;
    case MMQ_EDA: mmq_eda_features(state, out); break;
    case MMQ_TEMP: mmq_temp_features(state, out); break;
    default: mmq_acc_features(state, out); break;
    }
}
