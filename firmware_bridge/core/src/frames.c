/* SPDX-License-Identifier: Apache-2.0 */
/* frames.c: frames that came, or did not: first the rules of quality.c, then modality.c's way to the features. */
#include "mmq_internal.h"

/* The frames of a loss that all channels had: on a line from the last good ones to `samples`; ecg: on the baseline, as
 * noise that is held looks like a QRS. Filters and contexts go on as if nothing had been lost, and what they then say of
 * these frames does not count. */
static void fill(mmq_state_t *state, const float *samples, uint32_t stride) {
    const uint32_t n = state->channels[0].lost_run, channels = state->spec->channels;
    float *filled = state->scratch.held;
    state->alive = channels;
    for (uint32_t c = 0; c < channels; c++) state->channels[c].alive = 1;
    for (uint32_t i = 1; i <= n; i++) {
        for (uint32_t c = 0; c < channels; c++) {
            const float last = state->channels[c].last, *baseline = state->baseline + 2u * c; /* one row each: no bank */
            filled[c] = state->spec->kind == MMQ_ECG
                            ? baseline[1] + baseline[0]
                            : last + (samples[(size_t)c * stride] - last) * ((float)i / (float)(n + 1u));
        }
        mmq_state_block(state, filled, 1, 1);
    }
}

/* One frame in which something changes: samples [channels], each `stride` from the next; NULL: all of them lost. */
static void one_frame(mmq_state_t *state, const float *samples, uint32_t stride) {
    float *held = state->scratch.held;
    uint32_t were_alive, hold = state->spec->hold_frames;
    if (samples && !state->alive && state->channels[0].lost_run <= state->bridge_frames &&
        mmq_quality_all_back(state, samples, stride)) {
        fill(state, samples, stride);
    }
    if (state->bridge_frames && mmq_quality_all_lost(state, samples, stride)) hold = 0; /* filled once they are back */
    were_alive = state->alive;
    for (uint32_t c = 0; c < state->spec->channels; c++) {
        const float x = samples ? samples[(size_t)c * stride] : MMQ_NAN;
        if (mmq_quality_sample(state, c, x, hold)) mmq_state_restart_channel(state, c);
        held[c] = state->channels[c].last;
    }
    if (!state->alive) return;
    if (!were_alive) mmq_state_restart(state);
    mmq_state_block(state, held, 1, 1);
}

void mmq_frames_take(mmq_state_t *state, const float *samples, uint32_t stride, uint32_t frames) {
    while (frames) {
        uint32_t n = frames < MMQ_BLOCK ? frames : MMQ_BLOCK, unsafe = 0;
        n = mmq_quality_steady(state, samples, stride, n, &unsafe);
        if (n == 0) {
            one_frame(state, samples, stride);
            n = 1;
        } else {
            mmq_quality_frames(state, samples, stride, n, unsafe);
            if (state->alive) mmq_state_block(state, samples, stride, n);
        }
        samples += n;
        frames -= n;
    }
}

void mmq_frames_lose(mmq_state_t *state, int64_t until_ns) {
    int64_t frames = (until_ns - state->next_ns + mmq_half_ns(state)) / state->period_ns; /* rounded */
    for (; frames > 0 && state->alive; frames--) one_frame(state, NULL, 0);
    if (frames > 0) mmq_quality_lose(state, frames);
}
