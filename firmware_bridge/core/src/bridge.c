/* bridge.c: laying out the caller's memory. */
#include "mmq_internal.h"

static int64_t nanoseconds(float s) { return (int64_t)((double)s * 1e9 + 0.5); }

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Beats a context can hold. */
static size_t beats_of(const mmq_modality_t *m) {
    return m->kind == MMQ_ECG || m->kind == MMQ_PPG ? m->context / m->refractory + 2u : 0u;
}

/* Working memory for the most demanding modality. */
static void layout_scratch(mmq_scratch_t *scratch, const mmq_spec_t *spec, mmq_arena_t *arena) {
    size_t wave = 0, mixed = 0, work = 0, beats = 0, features = 0, channels = 0, outputs = 0;
    for (uint32_t i = 0; i < spec->n_modalities; i++) {
        const mmq_modality_t *m = spec->modalities + i;
        uint32_t first;
        const size_t lanes = mmq_is_bank(m) ? mmq_group(m, m->outputs, 0, &first) : 1u;
        if (mmq_is_wave(m)) wave = larger(wave, (size_t)m->channels * MMQ_BLOCK);
        if (mmq_is_wave(m) && m->spatial) mixed = larger(mixed, (size_t)m->outputs * MMQ_BLOCK);
        if (mmq_is_bank(m) || m->kind == MMQ_PPG) work = larger(work, (m->fft_size + 2u) * lanes);
        if (m->kind == MMQ_PPG) work = larger(work, m->spectrum_samples);
        beats = larger(beats, beats_of(m));
        features = larger(features, m->features);
        channels = larger(channels, m->channels);
        outputs = larger(outputs, m->outputs);
    }
    scratch->wave = mmq_arena_take(arena, wave, sizeof(float));
    scratch->mixed = mmq_arena_take(arena, mixed, sizeof(float));
    scratch->work = mmq_arena_take(arena, work, sizeof(float));
    scratch->sorted = mmq_arena_take(arena, beats, sizeof(float));
    scratch->held = mmq_arena_take(arena, channels, sizeof(float));
    scratch->out = mmq_arena_take(arena, features, sizeof(float));
    scratch->reasons = mmq_arena_take(arena, channels, sizeof(uint16_t));
    scratch->verdicts = mmq_arena_take(arena, outputs, sizeof(uint16_t));
}

/* Lay the parts of `bridge` out in the arena; with a NULL base only count. */
static void layout(mmq_bridge_t *bridge, const mmq_spec_t *spec, mmq_arena_t *arena) {
    const size_t f = spec->n_features, m = spec->n_modalities;
    const size_t learnt = spec->normaliser >= MMQ_ENROLMENT ? f : 0u;
    (void)mmq_arena_take(arena, 1, sizeof *bridge);
    bridge->spec = spec;
    bridge->states = mmq_arena_take(arena, m, sizeof *bridge->states);
    bridge->kept = spec->tokens + 4u;
    bridge->capacity = bridge->kept + (uint32_t)(spec->grace_s / spec->token_s) + 3u;
    bridge->features = mmq_arena_take(arena, bridge->capacity * f, sizeof(float));
    bridge->reasons = mmq_arena_take(arena, bridge->capacity * m, sizeof(uint16_t));
    bridge->count = mmq_arena_take(arena, learnt, sizeof(float));
    bridge->mean = mmq_arena_take(arena, learnt, sizeof(float));
    bridge->square = mmq_arena_take(arena, learnt, sizeof(float));
    bridge->token_ns = nanoseconds(spec->token_s);
    bridge->grace_ns = nanoseconds(spec->grace_s);
    layout_scratch(&bridge->scratch, spec, arena);
    for (uint32_t i = 0, start = 0; i < spec->n_modalities; i++) {
        mmq_state_t counted = {0}, *state = bridge->states ? bridge->states + i : &counted;
        state->spec = spec->modalities + i;
        state->scratch = &bridge->scratch;
        state->index = i;
        state->period = (int64_t)(256e9 / (double)state->spec->rate_hz + 0.5);
        state->period_ns = state->period >> 8;
        state->end_ns = bridge->token_ns;
        state->renews = spec->version >= 2u;
        state->safe_bits = mmq_quality_safe(state->spec);
        state->feature_start = start;
        start += state->spec->features;
        mmq_state_layout(state, arena);
    }
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
    for (uint32_t m = 0; m < spec->n_modalities; m++) {
        for (uint32_t c = 0; c < spec->modalities[m].channels; c++) {
            (*bridge)->states[m].channels[c].broken = 1; /* the first good frame restarts everything */
        }
    }
    return MMQ_OK;
}
