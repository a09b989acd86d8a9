/* SPDX-License-Identifier: Apache-2.0 */
/* counted.c: samples come in with a counter instead of a time: in turn, swapped, twice, or not at all. */
#include "mmq_internal.h"

#define BACK_S 60.0f     /* a counter that falls back further began anew */
#define AHEAD_S 86400.0f /* so did one that jumps further ahead */

/* The counter begins here: now, where the modality's clock is behind by more than the grace. */
static void begin(mmq_bridge_t *bridge, mmq_state_t *state, uint32_t index) {
    mmq_place_timed(bridge, state);
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
        if (ahead < 0 || (ahead < (int64_t)MMQ_REORDER_FRAMES && mmq_place_holds(state, index))) {
            late = 1;
        } else if (ahead == 0 && !state->held_bits) {
            n = frames - i;
            state->next_index += n;
            late |= mmq_place_take(bridge, state, samples + i, frames, n);
        } else {
            if (ahead >= (int64_t)MMQ_REORDER_FRAMES) {
                late |= mmq_place_go_on(bridge, state, (uint32_t)ahead - MMQ_REORDER_FRAMES + 1u);
            }
            mmq_place_hold(state, index, samples + i, frames);
            while (mmq_place_holds(state, state->next_index)) late |= mmq_place_go_on(bridge, state, 1);
        }
        i += n;
    }
    mmq_place_see(bridge, state->next_ns);
    return late ? MMQ_LATE : MMQ_OK;
}
