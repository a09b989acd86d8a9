/* SPDX-License-Identifier: Apache-2.0 */
/* counted.c: samples come in with a counter instead of a time: in turn, swapped, twice, or not at all. */
#include "mmq_internal.h"

#define WINDOW MMQ_REORDER_FRAMES
#if WINDOW < 1 || WINDOW > 32 || (WINDOW & (WINDOW - 1))
#error "MMQ_REORDER_FRAMES: expected 1, 2, 4, 8, 16 or 32"
#endif
#define BACK_S 60.0f     /* a counter that falls back further began anew */
#define AHEAD_S 86400.0f /* so did one that jumps further ahead */

static uint32_t bit_of(uint32_t index) { return 1u << (index & (WINDOW - 1u)); }

static float *held_at(const mmq_state_t *state, uint32_t index) {
    return state->held + (size_t)(index & (WINDOW - 1u)) * state->spec->channels;
}

static void hold(mmq_state_t *state, uint32_t index, const float *samples, uint32_t stride) {
    float *place = held_at(state, index);
    for (uint32_t c = 0; c < state->spec->channels; c++) place[c] = samples[(size_t)c * stride];
    state->held_bits |= bit_of(index);
}

/* Give up waiting for what is missing among the next `frames`. Returns whether a token of theirs was closed. */
static int go_on(mmq_bridge_t *bridge, mmq_state_t *state, uint32_t frames) {
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

void mmq_counted_release(mmq_bridge_t *bridge, mmq_state_t *state, int64_t until_ns) {
    while (state->held_bits && state->next_ns + mmq_tolerance_ns(state) < until_ns) (void)go_on(bridge, state, 1);
}

/* What is held for a token that is about to close. */
static void release_all(mmq_bridge_t *bridge, int64_t ns) {
    for (uint32_t m = 0; m < bridge->spec->n_modalities; m++) {
        mmq_counted_release(bridge, bridge->states + m, ns - bridge->grace_ns);
    }
}

int mmq_counted_take(mmq_bridge_t *bridge, mmq_state_t *state, const float *samples, uint32_t stride,
                     uint32_t frames) {
    const int late = state->token < bridge->closed;
    for (uint32_t done = 0; done < frames;) { /* as if each token came in a push of its own */
        int64_t ns;
        const uint32_t n = mmq_place_ahead(state, frames - done, &ns);
        release_all(bridge, ns);
        (void)mmq_place_take(bridge, state, samples + done, stride, n);
        done += n;
    }
    return late;
}

void mmq_counted_see(mmq_bridge_t *bridge, int64_t ns) {
    release_all(bridge, ns);
    mmq_tokens_settle(bridge, ns);
    if (ns > bridge->latest_ns) bridge->latest_ns = ns;
}

void mmq_counted_end(mmq_bridge_t *bridge, mmq_state_t *state) {
    while (state->held_bits) (void)go_on(bridge, state, 1);
    state->counted = 0;
}

/* The counter begins here: now, where the modality's clock is behind by more than the grace. */
static void begin(mmq_bridge_t *bridge, mmq_state_t *state, uint32_t index) {
    mmq_counted_end(bridge, state);
    if (bridge->latest_ns - state->next_ns > bridge->grace_ns) mmq_place_skip(bridge, state, bridge->latest_ns);
    mmq_rate_begin(state);
    state->counted = 1;
    state->next_index = index;
}

/* As a counter of 32 bits: the difference between two, which may wrap around between them. */
static int64_t difference(uint32_t a, uint32_t b) {
    const uint32_t ahead = a - b;
    return ahead < 0x80000000u ? (int64_t)ahead : (int64_t)ahead - ((int64_t)1 << 32);
}

mmq_status_t mmq_bridge_push_counted(mmq_bridge_t *bridge, uint32_t modality, const float *samples, uint32_t frames,
                                     uint32_t first_sample_index) {
    mmq_state_t *state;
    int64_t ahead;
    int late = 0;
    if (!bridge || !samples) return MMQ_NULL;
    if (modality >= bridge->spec->n_modalities) return MMQ_BAD_MODALITY;
    state = bridge->states + modality;
    if ((float)frames > AHEAD_S * state->spec->rate_hz) return MMQ_BAD_TIME;
    if (frames == 0) return MMQ_OK;
    bridge->started = 1;
    ahead = difference(first_sample_index, state->next_index);
    if (!state->counted || (float)ahead > AHEAD_S * state->spec->rate_hz ||
        (float)-ahead > BACK_S * state->spec->rate_hz) {
        begin(bridge, state, first_sample_index);
    }
    for (uint32_t i = 0; i < frames;) {
        const uint32_t index = first_sample_index + i;
        uint32_t n = 1;
        ahead = difference(index, state->next_index);
        if (ahead < 0 || (ahead < (int64_t)WINDOW && state->held_bits & bit_of(index))) {
            late = 1;
        } else if (ahead == 0 && !state->held_bits) {
            n = frames - i;
            state->next_index += n;
            late |= mmq_counted_take(bridge, state, samples + i, frames, n);
        } else {
            if (ahead >= (int64_t)WINDOW) late |= go_on(bridge, state, (uint32_t)ahead - WINDOW + 1u);
            hold(state, index, samples + i, frames);
            while (state->held_bits & bit_of(state->next_index)) late |= go_on(bridge, state, 1);
        }
        i += n;
    }
    mmq_counted_see(bridge, state->next_ns);
    return late ? MMQ_LATE : MMQ_OK;
}
