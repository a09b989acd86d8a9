/* SPDX-License-Identifier: Apache-2.0 */
/* place.c: frames that follow each other at the modality's rate, taken or lost, the tokens that end on the way, and
 * frames with a counter that are held until a missing one comes. */
#include "mmq_internal.h"

#define WINDOW MMQ_REORDER_FRAMES
#if WINDOW < 1 || WINDOW > 32 || (WINDOW & (WINDOW - 1))
#error "MMQ_REORDER_FRAMES: expected 1, 2, 4, 8, 16 or 32"
#endif

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

static void let_go(mmq_bridge_t *bridge, const mmq_state_t *passing, int64_t ns);

static void finish(mmq_bridge_t *bridge, mmq_state_t *state) {
    const int64_t end_ns = state->end_ns;
    mmq_tokens_finish(bridge, state);
    if (bridge->letting_go) return; /* what the others hold comes first: who lets go settles */
    let_go(bridge, state, end_ns);
    mmq_tokens_settle(bridge, end_ns);
}

void mmq_place_forward(mmq_bridge_t *bridge, mmq_state_t *state, int64_t ns) {
    const int64_t target = (ns + mmq_tolerance_ns(state)) / bridge->token_ns, capacity = (int64_t)bridge->capacity;
    state->next_ns = ns;
    state->fraction = 0;
    state->started = 1;
    for (uint32_t i = 0; state->token < target; i++) {
        finish(bridge, state);
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

int mmq_place_take(mmq_bridge_t *bridge, mmq_state_t *state, const float *samples, uint32_t stride, uint32_t frames) {
    const int64_t ns = state->next_ns;
    const int late = state->token < bridge->closed;
    state->started = 1;
    for (uint32_t done = 0; done < frames;) {
        const uint32_t n = frames_to_token_end(state, frames - done);
        mmq_frames_take(state, samples + done, stride, n);
        done += n;
        state->next_ns = ns + (int64_t)(span(state, done) >> 8);
        if (state->next_ns + mmq_tolerance_ns(state) >= state->end_ns) finish(bridge, state);
    }
    state->fraction = (uint32_t)(span(state, frames) & 255u);
    return late;
}

static uint32_t bit_of(uint32_t index) { return 1u << (index & (WINDOW - 1u)); }

static float *held_at(const mmq_state_t *state, uint32_t index) {
    return state->held + (size_t)(index & (WINDOW - 1u)) * state->spec->channels;
}

void mmq_place_hold(mmq_state_t *state, uint32_t index, const float *samples, uint32_t stride) {
    float *place = held_at(state, index);
    for (uint32_t c = 0; c < state->spec->channels; c++) place[c] = samples[(size_t)c * stride];
    state->held_bits |= bit_of(index);
}

int mmq_place_holds(const mmq_state_t *state, uint32_t index) { return (state->held_bits & bit_of(index)) != 0; }

int mmq_place_go_on(mmq_bridge_t *bridge, mmq_state_t *state, uint32_t frames) {
    int late = 0;
    while (frames) {
        const uint32_t index = state->next_index, bit = bit_of(index);
        uint32_t n = 1;
        if (state->held_bits & bit) {
            state->held_bits &= ~bit;
            late |= mmq_place_take(bridge, state, held_at(state, index), 1, 1);
        } else {
            while (n < frames && !(state->held_bits & bit_of(index + n))) n = state->held_bits ? n + 1u : frames;
            mmq_place_lose(bridge, state, n);
        }
        state->next_index += n;
        frames -= n;
    }
    return late;
}

void mmq_place_release(mmq_bridge_t *bridge, mmq_state_t *state, int64_t until_ns) {
    while (state->held_bits && state->next_ns + mmq_tolerance_ns(state) < until_ns) {
        (void)mmq_place_go_on(bridge, state, 1);
    }
}

/* What the others hold for tokens that close when `passing` is at ns; not again from within. */
static void let_go(mmq_bridge_t *bridge, const mmq_state_t *passing, int64_t ns) {
    if (bridge->letting_go) return;
    bridge->letting_go = 1;
    for (uint32_t m = 0; m < bridge->spec->n_modalities; m++) {
        mmq_state_t *state = bridge->states + m;
        if (state != passing) mmq_place_release(bridge, state, ns - bridge->grace_ns);
    }
    bridge->letting_go = 0;
}

void mmq_place_see(mmq_bridge_t *bridge, int64_t ns) {
    let_go(bridge, NULL, ns);
    mmq_tokens_settle(bridge, ns);
    if (ns > bridge->latest_ns) bridge->latest_ns = ns;
}

void mmq_place_timed(mmq_bridge_t *bridge, mmq_state_t *state) {
    while (state->held_bits) (void)mmq_place_go_on(bridge, state, 1);
    state->counted = 0;
}
