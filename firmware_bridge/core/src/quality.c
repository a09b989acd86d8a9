/* quality.c: the generic rules: NaN, range, gap, saturation, flat run -> is a token present? */
#include "mmq_internal.h"

static int frame_is_lost(const mmq_modality_t *spec, const float *samples, uint32_t stride) {
    for (uint32_t c = 0; c < spec->channels; c++) {
        const float x = samples[(size_t)c * stride];
        if (!mmq_is_finite(x) || x < spec->minimum || x > spec->maximum) return 1;
    }
    return 0;
}

static void judge(mmq_state_t *state, const float *samples, uint32_t stride) {
    const mmq_modality_t *spec = state->spec;
    int saturated = 0;
    for (uint32_t c = 0; c < spec->channels; c++) {
        const float x = samples[(size_t)c * stride];
        if (x <= spec->rail_low || x >= spec->rail_high) saturated = 1;
        if (state->have_last && x == state->last[c]) {
            if (state->flat_run[c] < UINT32_MAX) state->flat_run[c]++;
        } else {
            state->flat_run[c] = 1;
        }
        if (spec->flat_frames && state->flat_run[c] > spec->flat_frames) state->flat = 1;
        state->last[c] = x;
    }
    state->have_last = 1;
    state->saturated += (uint32_t)saturated;
    state->good++;
}

void mmq_quality_frame(mmq_state_t *state, const float *samples, uint32_t stride) {
    if (frame_is_lost(state->spec, samples, stride)) {
        mmq_quality_lost(state, 1.0);
        return;
    }
    if (state->broken) {
        state->broken = 0;
        mmq_state_restart(state);
    }
    state->lost_run = 0;
    judge(state, samples, stride);
    mmq_state_frame(state, state->last);
}

void mmq_quality_lost(mmq_state_t *state, double frames) {
    const uint32_t hold = state->spec->hold_frames;
    while (frames >= 1.0) {
        if (!state->have_last || state->broken || state->lost_run >= hold) {
            state->broken = 1;
            state->have_last = 0;
            return;
        }
        state->lost_run++;
        mmq_state_frame(state, state->last);
        frames -= 1.0;
    }
}

int mmq_quality_present(const mmq_state_t *state, float token_s) {
    const mmq_modality_t *spec = state->spec;
    const float due = token_s * spec->rate_hz, good = (float)state->good;
    if (state->good == 0 || state->flat) return 0;
    if (due - good > spec->max_lost_share * due + 0.5f) return 0;
    return (float)state->saturated <= spec->max_saturated_share * good;
}

void mmq_quality_next_token(mmq_state_t *state) {
    const mmq_modality_t *spec = state->spec;
    state->good = 0;
    state->saturated = 0;
    state->flat = 0;
    for (uint32_t c = 0; c < spec->channels; c++) {
        if (spec->flat_frames && state->have_last && state->flat_run[c] > spec->flat_frames) state->flat = 1;
    }
}
