/* SPDX-License-Identifier: Apache-2.0 */
/* bridge.c: laying out the caller's memory. */
#include "mmq_internal.h"

#define BRIDGE_S 2.0f /* losses up to this long are filled, from version 3 on */

/* Working memory of one modality. */
static void layout_scratch(mmq_scratch_t *scratch, const mmq_modality_t *m, mmq_arena_t *arena) {
    const size_t wave = mmq_is_wave(m) ? MMQ_BLOCK : 0u, beats = mmq_is_pulse(m) ? m->context / m->refractory + 2u : 0u;
    size_t work = 0;
    uint32_t first;
    if (mmq_is_bank(m) || m->kind == MMQ_PPG) work = (m->fft_size + 2u) * (size_t)mmq_group(m, m->outputs, 0, &first);
    if (work < beats) work = beats;
    scratch->wave = mmq_arena_floats(arena, wave * m->channels);
    scratch->mixed = mmq_arena_floats(arena, m->spatial ? wave * m->outputs : 0u);
    scratch->work = mmq_arena_floats(arena, work);
    scratch->held = mmq_arena_floats(arena, m->channels);
    scratch->out = mmq_arena_floats(arena, m->features);
}

/* Kinds whose losses are filled: their rules look at a wave. Not the banks: their features are made of every sample. */
static int fills(const mmq_modality_t *m) { return mmq_is_pulse(m) || m->kind == MMQ_RESP; }

/* Lay the parts of `bridge` out in the arena; with a NULL base only count. */
static void layout(mmq_bridge_t *bridge, const mmq_spec_t *spec, mmq_arena_t *arena) {
    const size_t f = spec->n_features, m = spec->n_modalities;
    size_t end;
    (void)mmq_arena_take(arena, 1, sizeof *bridge);
    bridge->spec = spec;
    mmq_enrolment_begin(bridge);
    bridge->states = mmq_arena_take(arena, m, sizeof *bridge->states);
    bridge->kept = spec->tokens + MMQ_BEHIND;
    bridge->capacity = bridge->kept + (uint32_t)(spec->grace_s / spec->token_s) + 2u;
    bridge->features = mmq_arena_floats(arena, bridge->capacity * f);
    bridge->reasons = mmq_arena_take(arena, bridge->capacity * m, sizeof(uint16_t));
    bridge->running = mmq_arena_take(arena, 1, mmq_learnt_bytes(spec));
    mmq_learnt_place(bridge);
    if (mmq_counts_evidence(spec)) bridge->measured = mmq_arena_take(arena, m, sizeof *bridge->measured);
    bridge->token_ns = mmq_rounded((double)spec->token_s * 1e9);
    bridge->grace_ns = mmq_rounded((double)spec->grace_s * 1e9);
    for (uint32_t i = 0, start = 0; i < spec->n_modalities; i++) {
        mmq_state_t counted, *state = bridge->states ? bridge->states + i : &counted;
        state->spec = spec->modalities + i;
        state->index = i;
        state->period = mmq_rounded(256e9 / (double)state->spec->rate_hz);
        state->period_ns = state->period >> 8;
        state->end_ns = bridge->token_ns;
        state->safe_bits = mmq_quality_safe(state->spec);
        state->rate_hz = state->spec->rate_hz / (float)state->spec->decimate;
        state->renews = spec->version >= 2u;
        state->strict = spec->version >= 3u;
        state->bridge_frames = state->strict && fills(state->spec) ? (uint32_t)(BRIDGE_S * state->spec->rate_hz) : 0u;
        state->held = mmq_arena_floats(arena, MMQ_REORDER_FRAMES * state->spec->channels);
        state->feature_start = start;
        start += state->spec->features + mmq_look_backs(spec, state->spec);
        mmq_state_layout(state, arena);
    }
    end = arena->used;
    for (uint32_t i = 0; i < spec->n_modalities; i++) { /* all from the same place on */
        mmq_scratch_t counted, *scratch = bridge->states ? &bridge->states[i].scratch : &counted;
        mmq_arena_t rest = *arena;
        layout_scratch(scratch, spec->modalities + i, &rest);
        if (end < rest.used) end = rest.used;
    }
    arena->used = end;
}

size_t mmq_bridge_size(const mmq_spec_t *spec) {
    mmq_arena_t arena = {NULL, 0};
    mmq_bridge_t counted = {0};
    if (!spec || !mmq_spec_is_good(spec)) return 0;
    layout(&counted, spec, &arena);
    return arena.used + 8u;
}

mmq_status_t mmq_bridge_init(void *mem, size_t size, const mmq_spec_t *spec, mmq_bridge_t **bridge) {
    mmq_arena_t arena;
    size_t needed;
    if (!bridge) return MMQ_NULL;
    *bridge = NULL;
    if (!mem || !spec) return MMQ_NULL;
    if (spec->version > MMQ_FRONTEND_VERSION) return MMQ_NEWER_SPEC;
    if ((needed = mmq_bridge_size(spec)) == 0) return MMQ_BAD_SPEC;
    if (size < needed) return MMQ_TOO_SMALL;
    for (size_t i = 0; i < needed; i++) ((unsigned char *)mem)[i] = 0;
    arena.base = (unsigned char *)mem + (8u - (uintptr_t)mem % 8u) % 8u;
    arena.used = 0;
    *bridge = (mmq_bridge_t *)(void *)arena.base;
    layout(*bridge, spec, &arena);
    mmq_tokens_clear(*bridge);
    return MMQ_OK;
}
