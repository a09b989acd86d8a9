/* SPDX-License-Identifier: Apache-2.0 */
/* push.c: samples come in with their time: late, repeated, after a gap, or as they should. Time is in nanoseconds. */
#include "mmq_internal.h"

static int64_t of_frames(const mmq_state_t *state, uint32_t frames) {
    return (int64_t)(frames * (uint64_t)state->period >> 8);
}

/* Frames until the end of the token the state is in, at least 1. */
static uint32_t frames_to_token_end(const mmq_state_t *state, uint32_t most) {
    const int64_t left = state->end_ns - state->next_ns - state->tolerance_ns;
    const int64_t frames = (left + state->period_ns - 1) / state->period_ns;
    return frames < 1 ? 1u : frames > (int64_t)most ? most : (uint32_t)frames;
}

/* Move a modality's clock forward, finishing the tokens on the way. */
static void skip_to(mmq_bridge_t *bridge, mmq_state_t *state, int64_t ns) {
    const int64_t target = (ns + state->tolerance_ns) / bridge->token_ns, capacity = (int64_t)bridge->capacity;
    state->next_ns = ns;
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

/* Where do these frames begin? Returns how many leading frames come too late; sets the clock. */
static uint32_t align(mmq_bridge_t *bridge, mmq_state_t *state, uint32_t frames, int64_t ns) {
    const int64_t half = state->half_ns, open_ns = bridge->closed * bridge->token_ns;
    int64_t due = state->next_ns, dropped = 0; /* the first frame is due at 0 */
    if (due < open_ns - state->tolerance_ns) due = open_ns;
    if (due - ns > (state->started ? half : state->tolerance_ns)) {
        /* Every frame that is late by more than half a period: as many as if each came in a push of its own. */
        dropped = due - ns > half ? (due - ns - half + state->period_ns - 1) / state->period_ns : 1;
        if (dropped >= (int64_t)frames) return frames;
        ns += of_frames(state, (uint32_t)dropped);
    }
    if (state->started && ns - state->next_ns > half) mmq_frames_lose(state, ns);
    if (!state->started || ns > state->next_ns) skip_to(bridge, state, ns);
    state->next_ns = ns;
    return (uint32_t)dropped;
}

/* What of the caller's time is 0 on the bridge's clock: the first time it hears of, or 0 where that is near. */
static int64_t origin_of(const mmq_bridge_t *bridge, int64_t ns) {
    const int64_t near = (int64_t)(MMQ_START_S * 1e9), wrap = (int64_t)1000000 << 32; /* 2^32 ms */
    int64_t origin = bridge->origin_ns, ahead = ns - origin - bridge->latest_ns;
    if (!bridge->started) return ns < -near || ns > near ? ns : 0;
    if (ns < 0 || ns >= wrap) return origin;
    /* A 32-bit count of milliseconds falls back to 0, for one sensor before the other. */
    if (ahead < -wrap / 2 && bridge->latest_ns + origin < wrap + near) origin -= wrap;
    if (ahead > wrap / 2 && bridge->laps) origin += wrap;
    return origin;
}

/* Keep the origin that was found. */
static void keep_origin(mmq_bridge_t *bridge, int64_t origin) {
    if (bridge->started && origin < bridge->origin_ns) bridge->laps = 1;
    if (!bridge->started || origin < bridge->origin_ns) bridge->origin_ns = origin;
    bridge->started = 1;
}

static void see(mmq_bridge_t *bridge, int64_t ns) {
    mmq_tokens_settle(bridge, ns);
    if (ns > bridge->latest_ns) bridge->latest_ns = ns;
}

mmq_status_t mmq_bridge_push(mmq_bridge_t *bridge, uint32_t modality, const float *samples, uint32_t frames,
                             double time_s) {
    const int64_t jump = (int64_t)(MMQ_MAX_JUMP_S * 1e9);
    mmq_state_t *state;
    uint32_t dropped;
    int64_t ns, origin;
    if (!bridge || !samples) return MMQ_NULL;
    if (modality >= bridge->spec->n_modalities) return MMQ_BAD_MODALITY;
    if (!mmq_nanoseconds(time_s, &ns)) return MMQ_BAD_TIME;
    state = bridge->states + modality;
    origin = origin_of(bridge, ns);
    ns -= origin;
    if (ns > bridge->latest_ns + jump || (int64_t)frames > jump / state->period_ns) return MMQ_BAD_TIME;
    if (frames == 0) return MMQ_OK;
    keep_origin(bridge, origin);
    dropped = align(bridge, state, frames, ns);
    if (dropped == frames) return MMQ_LATE;
    ns = state->next_ns;
    for (uint32_t done = dropped; done < frames;) {
        const uint32_t n = frames_to_token_end(state, frames - done);
        mmq_frames_take(state, samples + done, frames, n);
        done += n;
        state->next_ns = ns + of_frames(state, done - dropped);
        if (state->next_ns + state->tolerance_ns >= state->end_ns) mmq_tokens_finish(bridge, state);
    }
    see(bridge, state->next_ns);
    return dropped ? MMQ_LATE : MMQ_OK;
}

mmq_status_t mmq_bridge_lead_off(mmq_bridge_t *bridge, uint32_t modality, uint64_t off) {
    const mmq_state_t *state;
    if (!bridge) return MMQ_NULL;
    if (modality >= bridge->spec->n_modalities) return MMQ_BAD_MODALITY;
    state = bridge->states + modality;
    for (uint32_t c = 0; c < state->spec->channels; c++, off >>= 1) state->channels[c].off = off & 1u;
    return MMQ_OK;
}

mmq_status_t mmq_bridge_advance(mmq_bridge_t *bridge, double time_s) {
    int64_t ns, origin;
    if (!bridge) return MMQ_NULL;
    if (!mmq_nanoseconds(time_s, &ns)) return MMQ_BAD_TIME;
    origin = origin_of(bridge, ns);
    ns -= origin;
    keep_origin(bridge, origin);
    for (uint32_t m = 0; m < bridge->spec->n_modalities; m++) {
        mmq_state_t *state = bridge->states + m;
        if (ns <= state->next_ns) continue;
        mmq_frames_lose(state, ns);
        skip_to(bridge, state, ns);
    }
    see(bridge, ns);
    return MMQ_OK;
}
