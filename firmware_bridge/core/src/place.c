/* SPDX-License-Identifier: Apache-2.0 */
/* place.c: frames that follow each other at the modality's rate, taken or lost, and the tokens that end on the way. */
#include "mmq_internal.h"

/* How long so many frames take, in 1/256 ns, with what is left over of those before. */
static uint64_t span(const mmq_state_t *state, uint32_t frames) {
    return frames * (uint64_t)state->period + state->fraction;
}

int64_t mmq_frames_in(const mmq_state_t *state, int64_t ns) { return (ns + state->period_ns - 1) / state->period_ns; }

/* Frames until the end of the token the state is in, at least 1. */
static uint32_t frames_to_token_end(const mmq_state_t *state, uint32_t most) {
    const int64_t left = state->end_ns - state->next_ns - mmq_tolerance_ns(state);
    const int64_t frames = mmq_frames_in(state, left);
    return frames < 1 ? 1u : frames > (int64_t)most ? most : (uint32_t)frames;
}

void mmq_place_forward(mmq_bridge_t *bridge, mmq_state_t *state, int64_t ns) {
    const int64_t target = (ns + mmq_tolerance_ns(state)) / bridge->token_ns, capacity = (int64_t)bridge->capacity;
    state->next_ns = ns;
    state->fraction = 0;
    state->started = 1;
    for (uint32_t i = 0; state->token < target; i++) {
        mmq_tokens_finish(bridge, state);
        /* Once a whole ring of absent tokens is behind us: */
        if (i == bridge->capacity && target - state->token > capacity) {
            state->token = target - capacity;
            state->end_ns = (state->token + 1) * bridge->token_ns;
            mmq_tokens_settle(bridge, state->token * bridge->token_ns);
        }
    }
}

/* Lose frames that all lie before the token's end, or whose tokens do not matter. */
static void lose(mmq_bridge_t *bridge, mmq_state_t *state, uint32_t frames) {
    const uint64_t lost = span(state, frames);
    const int64_t ns = state->next_ns + (int64_t)(lost >> 8);
    if (state->started) mmq_frames_lose(state, ns);
    mmq_place_forward(bridge, state, ns);
    state->fraction = (uint32_t)(lost & 255u);
}

void mmq_place_lose(mmq_bridge_t *bridge, mmq_state_t *state, uint32_t frames) {
    while (frames && state->alive) { /* while frames are held they count for the token they lie in */
        const uint32_t n = frames_to_token_end(state, frames);
        lose(bridge, state, n);
        frames -= n;
    }
    if (frames) lose(bridge, state, frames);
}

void mmq_place_skip(mmq_bridge_t *bridge, mmq_state_t *state, int64_t ns) {
    const int64_t frames = (ns - state->next_ns + mmq_half_ns(state)) / state->period_ns; /* rounded */
    if (state->started && frames <= (int64_t)UINT32_MAX) mmq_place_lose(bridge, state, (uint32_t)frames);
    else if (state->started) mmq_frames_lose(state, ns);
    mmq_place_forward(bridge, state, ns);
}

uint32_t mmq_place_ahead(const mmq_state_t *state, uint32_t frames, int64_t *ns) {
    const uint32_t n = frames_to_token_end(state, frames);
    *ns = state->next_ns + (int64_t)(span(state, n) >> 8);
    return n;
}

int mmq_place_take(mmq_bridge_t *bridge, mmq_state_t *state, const float *samples, uint32_t stride, uint32_t frames) {
    const int64_t ns = state->next_ns;
    const int late = state->token < bridge->closed;
    state->started = 1;
    for (uint32_t done = 0; done < frames;) {
        const uint32_t n = frames_to_token_end(state, frames - done);
        mmq_frames_take(state, samples + done, stride, n);
        done += n;
        state->next_ns = ns + (int64_t)(span(state, done) >> 8);
        if (state->next_ns + mmq_tolerance_ns(state) >= state->end_ns) mmq_tokens_finish(bridge, state);
    }
    state->fraction = (uint32_t)(span(state, frames) & 255u);
    return late;
}
