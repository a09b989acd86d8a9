/* SPDX-License-Identifier: Apache-2.0 */
/* push.c: samples come in with their time: late, repeated, after a gap, or as they should. Time is in nanoseconds. */
#include "mmq_internal.h"

static int64_t of_frames(const mmq_state_t *state, uint32_t frames) {
    return (int64_t)(frames * (uint64_t)state->period >> 8);
}

/* Where do these frames begin? Returns how many leading frames come too late; sets the clock. */
static uint32_t align(mmq_bridge_t *bridge, mmq_state_t *state, uint32_t frames, int64_t ns) {
    const int64_t half = mmq_half_ns(state), open_ns = bridge->closed * bridge->token_ns;
    int64_t due = state->next_ns, dropped = 0; /* the first frame is due at 0 */
    if (due < open_ns - mmq_tolerance_ns(state)) due = open_ns;
    if (due - ns > (state->started ? half : mmq_tolerance_ns(state))) {
        /* Every frame that is late by more than half a period: as many as if each came in a push of its own. */
        dropped = due - ns > half ? mmq_frames_in(state, due - ns - half) : 1;
        if (dropped >= (int64_t)frames) return frames;
        ns += of_frames(state, (uint32_t)dropped);
    }
    if (state->started && ns - state->next_ns > half) mmq_frames_lose(state, ns);
    if (!state->started || ns > state->next_ns) mmq_place_forward(bridge, state, ns);
    state->next_ns = ns;
    state->fraction = 0;
    return (uint32_t)dropped;
}

/* From version 3 on the rate places the samples; their time says only whether some are missing or come again. Returns
 * how many leading frames come again; sets the clock. A stray of up to jitter_ns is none. A little more, as a clock
 * that drifts makes it, is put right to within that bound by whole frames; even more in full. */
static uint32_t pace(mmq_bridge_t *bridge, mmq_state_t *state, uint32_t frames, int64_t ns) {
    const int64_t ahead = ns - state->next_ns, near = mmq_jitter_ns(state), far = near + near / 2;
    int64_t odd = 0;
    state->behind |= ahead < (state->started ? -far : -near);
    if (ahead < -near || (state->behind && ahead < -mmq_half_ns(state))) {
        odd = mmq_frames_in(state, -ahead - (state->behind ? mmq_half_ns(state) : near));
        if (odd >= (int64_t)frames) return frames;
    } else if (state->started && ahead > near && ahead <= far) {
        mmq_place_lose(bridge, state, (uint32_t)mmq_frames_in(state, ahead - near));
    } else if (ahead > near) {
        mmq_place_skip(bridge, state, ns);
    }
    state->started = 1;
    state->behind = 0;
    return (uint32_t)odd;
}

/* What of the caller's time is 0 on the bridge's clock: the first time it hears of (which is now, where counted samples
 * came before), or 0 where that is near. */
static int64_t origin_of(const mmq_bridge_t *bridge, int64_t ns) {
    const int64_t near = (int64_t)(MMQ_START_S * 1e9), wrap = (int64_t)1000000 << 32; /* 2^32 ms */
    int64_t origin = bridge->origin_ns, ahead = ns - origin - bridge->latest_ns;
    if (!bridge->timed) return ns < -near || ns > near ? ns - bridge->latest_ns : 0;
    if (ns < 0 || ns >= wrap) return origin;
    /* A 32-bit count of milliseconds falls back to 0, for one sensor before the other. */
    if (ahead < -wrap / 2 && bridge->latest_ns + origin < wrap + near) origin -= wrap;
    if (ahead > wrap / 2 && bridge->laps) origin += wrap;
    return origin;
}

/* Keep the origin that was found. */
static void keep_origin(mmq_bridge_t *bridge, int64_t origin) {
    if (bridge->timed && origin < bridge->origin_ns) bridge->laps = 1;
    if (!bridge->timed || origin < bridge->origin_ns) bridge->origin_ns = origin;
    bridge->started = bridge->timed = 1;
}

mmq_status_t mmq_bridge_push(mmq_bridge_t *bridge, uint32_t modality, const float *samples, uint32_t frames,
                             double time_s) {
    const int64_t jump = (int64_t)(MMQ_MAX_JUMP_S * 1e9);
    mmq_state_t *state;
    uint32_t dropped;
    int64_t ns, origin;
    int late;
    if (!bridge || !samples) return MMQ_NULL;
    if (modality >= bridge->spec->n_modalities) return MMQ_BAD_MODALITY;
    if (!mmq_nanoseconds(time_s, &ns)) return MMQ_BAD_TIME;
    state = bridge->states + modality;
    origin = origin_of(bridge, ns);
    ns -= origin;
    if (ns > bridge->latest_ns + jump || (int64_t)frames > jump / state->period_ns) return MMQ_BAD_TIME;
    if (frames == 0) return MMQ_OK;
    keep_origin(bridge, origin);
    mmq_place_timed(bridge, state);
    mmq_rate_step(state, frames, ns);
    dropped = state->strict ? pace(bridge, state, frames, ns) : align(bridge, state, frames, ns);
    if (dropped == frames) return MMQ_LATE;
    late = mmq_place_take(bridge, state, samples + dropped, frames, frames - dropped) && state->strict;
    mmq_place_see(bridge, state->next_ns);
    return dropped || late ? MMQ_LATE : MMQ_OK;
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
        mmq_place_release(bridge, state, ns);
        if (ns <= state->next_ns) continue;
        mmq_frames_lose(state, ns);
        mmq_place_forward(bridge, state, ns);
    }
    mmq_place_see(bridge, ns);
    return MMQ_OK;
}
