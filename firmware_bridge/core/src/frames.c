/* SPDX-License-Identifier: Apache-2.0 */
/* frames.c: frames that came, or did not: first the rules of quality.c, then modality.c's way to the features. */
#include "mmq_internal.h"

/* One frame in which something changes: samples [channels], each `stride` from the next; NULL: all of them lost. */
static void one_frame(mmq_state_t *state, const float *samples, uint32_t stride) {
    const uint32_t were_alive = state->alive;
    float *held = state->scratch.held;
    for (uint32_t c = 0; c < state->spec->channels; c++) {
        const float x = samples ? samples[(size_t)c * stride] : MMQ_NAN;
        if (mmq_quality_sample(state, c, x)) mmq_state_restart_channel(state, c);
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
    int64_t frames = (until_ns - state->next_ns + state->half_ns) / state->period_ns; /* rounded */
    for (; frames > 0 && state->alive; frames--) one_frame(state, NULL, 0);
}
