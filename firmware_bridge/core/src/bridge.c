/* bridge.c: checking a spec, laying out the caller's memory, taking samples in. */
#include "mmq_internal.h"

#define MAX_TIME_S 4e9
#define TOLERANCE 0.0625 /* of a sample period: how near a token's end a sample counts as at it */

static int is_power_of_two(uint32_t n) { return n && !(n & (n - 1u)); }

static int wave_is_good(const mmq_modality_t *m) {
    if (m->decimate < 1 || m->decimate > 64 || m->anti_alias_sections > 16) return 0;
    if (m->decimate > 1 && !(m->anti_alias_sections && m->anti_alias)) return 0;
    if (!m->bank || m->bands < 1 || m->bands > MMQ_MAX_BANDS) return 0;
    if (!(m->baseline_alpha >= 0.0f && m->baseline_alpha <= 1.0f)) return 0;
    return 1;
}

static int fft_is_good(const mmq_modality_t *m) {
    return is_power_of_two(m->fft_size) && m->fft_size >= 8 && m->fft_size <= MMQ_MAX_FFT && m->fft_window &&
           m->twiddles;
}

static int eeg_is_good(const mmq_modality_t *m) {
    if (!wave_is_good(m) || !fft_is_good(m) || !m->band_bins) return 0;
    if (m->features != 2u * m->bands * m->channels || !(m->psd_scale > 0.0f)) return 0;
    for (uint32_t b = 0; b < m->bands; b++) {
        if (m->band_bins[2 * b] >= m->band_bins[2 * b + 1] || m->band_bins[2 * b + 1] > m->fft_size / 2) return 0;
    }
    return 1;
}

static int pulse_is_good(const mmq_modality_t *m) {
    if (!wave_is_good(m) || m->channels != 1 || m->bands != 1) return 0;
    if (m->beat_window < 3 || m->beat_window > 1000 || m->beat_window % 2 == 0) return 0;
    if (m->peak_window < 3 || m->peak_window > m->beat_window || m->peak_window % 2 == 0) return 0;
    if (m->context < 1 || m->context > MMQ_MAX_CONTEXT || m->refractory < 1) return 0;
    if (m->kind == MMQ_ECG) return m->features == 7;
    return m->features == 10 && fft_is_good(m) && m->spectrum_decimate >= 1 && m->spectrum_samples >= 8 &&
           m->spectrum_samples <= m->fft_size && m->spectrum_low >= 3 && m->spectrum_low < m->spectrum_high &&
           m->spectrum_high + 3 <= m->fft_size / 2;
}

static int modality_is_good(const mmq_modality_t *m, float token_s) {
    if (m->kind >= MMQ_KINDS || m->channels < 1 || m->channels > MMQ_MAX_CHANNELS) return 0;
    if (!(m->rate_hz > 0.0f && m->rate_hz <= 4000.0f) || !(token_s * m->rate_hz >= 2.0f)) return 0;
    if (!(m->minimum >= -1e9f && m->minimum < m->maximum && m->maximum <= 1e9f)) return 0;
    if (!(m->max_lost_share >= 0.0f && m->max_saturated_share >= 0.0f)) return 0;
    if (m->hold_frames > 4000) return 0;
    switch (m->kind) {
    case MMQ_EEG: return eeg_is_good(m);
    case MMQ_ECG:
    case MMQ_PPG: return pulse_is_good(m);
    case MMQ_EDA: return m->channels == 1 && m->features == 6 && m->context >= 2 && m->context <= MMQ_MAX_CONTEXT;
    case MMQ_TEMP: return m->channels == 1 && m->features == 3 && m->context >= 2 && m->context <= MMQ_MAX_CONTEXT;
    default: return m->channels == 3 && m->features == 7;
    }
}

static int statistics_are_good(const mmq_spec_t *spec) {
    if (spec->normaliser == MMQ_RAW) return 1;
    if (spec->normaliser > MMQ_RUNNING || !spec->mean || !spec->std) return 0;
    if (!(spec->prior_tokens > 0.0f) || !(spec->clip > 0.0f)) return 0;
    for (uint32_t i = 0; i < spec->n_features; i++) {
        if (!mmq_is_finite(spec->mean[i]) || !(spec->std[i] > 0.0f) || !mmq_is_finite(spec->std[i])) return 0;
    }
    return 1;
}

static int spec_is_good(const mmq_spec_t *spec) {
    uint32_t features = 0;
    if (spec->version != MMQ_FRONTEND_VERSION || !spec->modalities) return 0;
    if (spec->tokens < 1 || spec->tokens > MMQ_MAX_TOKENS) return 0;
    if (spec->n_modalities < 1 || spec->n_modalities > MMQ_MAX_MODALITIES) return 0;
    if (!(spec->token_s >= 0.1f && spec->token_s <= 3600.0f)) return 0;
    if (!(spec->grace_s >= 0.0f && spec->grace_s <= 3600.0f)) return 0;
    if (spec->quantised && (!(spec->scale > 0.0f) || spec->zero_point < -128 || spec->zero_point > 127)) return 0;
    for (uint32_t m = 0; m < spec->n_modalities; m++) {
        if (!modality_is_good(spec->modalities + m, spec->token_s)) return 0;
        features += spec->modalities[m].features;
    }
    return features == spec->n_features && statistics_are_good(spec);
}

/* Lay the parts of `bridge` out in the arena; with a NULL base only count. */
static void layout(mmq_bridge_t *bridge, const mmq_spec_t *spec, mmq_arena_t *arena) {
    const size_t f = spec->n_features, m = spec->n_modalities;
    (void)mmq_arena_take(arena, 1, sizeof *bridge);
    bridge->spec = spec;
    bridge->states = mmq_arena_take(arena, m, sizeof *bridge->states);
    bridge->kept = spec->tokens + 4u;
    bridge->capacity = bridge->kept + (uint32_t)(spec->grace_s / spec->token_s) + 3u;
    bridge->features = mmq_arena_take(arena, bridge->capacity * f, sizeof(float));
    bridge->presence = mmq_arena_take(arena, bridge->capacity * m, sizeof(uint8_t));
    bridge->count = mmq_arena_take(arena, f, sizeof(float));
    bridge->mean = mmq_arena_take(arena, f, sizeof(float));
    bridge->square = mmq_arena_take(arena, f, sizeof(float));
    for (uint32_t i = 0, start = 0; i < spec->n_modalities; i++) {
        mmq_state_t counted = {0}, *state = bridge->states ? bridge->states + i : &counted;
        state->spec = spec->modalities + i;
        state->index = i;
        state->feature_start = start;
        start += state->spec->features;
        mmq_state_layout(state, arena);
        state->broken = 1; /* the first good frame restarts everything */
    }
}

size_t mmq_bridge_size(const mmq_spec_t *spec) {
    mmq_arena_t arena = {NULL, 0};
    mmq_bridge_t counted = {0};
    if (!spec || !spec_is_good(spec)) return 0;
    layout(&counted, spec, &arena);
    return arena.used + 8u;
}

mmq_status_t mmq_bridge_init(void *mem, size_t size, const mmq_spec_t *spec, mmq_bridge_t **bridge) {
    mmq_arena_t arena;
    size_t needed;
    if (!bridge) return MMQ_NULL;
    *bridge = NULL;
    if (!mem || !spec) return MMQ_NULL;
    if ((needed = mmq_bridge_size(spec)) == 0) return MMQ_BAD_SPEC;
    if (size < needed) return MMQ_TOO_SMALL;
    for (size_t i = 0; i < needed; i++) ((unsigned char *)mem)[i] = 0;
    arena.base = (unsigned char *)mem + (8u - (uintptr_t)mem % 8u) % 8u;
    arena.used = 0;
    *bridge = (mmq_bridge_t *)(void *)arena.base;
    layout(*bridge, spec, &arena);
    return MMQ_OK;
}

/* Frames until the end of the token the state is in, at least 1. */
static uint32_t frames_to_token_end(const mmq_bridge_t *bridge, const mmq_state_t *state) {
    const double end = (double)(state->token + 1) * (double)bridge->spec->token_s;
    const double frames = (end - state->next_s) * (double)state->spec->rate_hz - TOLERANCE;
    if (!(frames > 1.0)) return 1;
    if (frames > 1e9) return 1000000000u;
    return (uint32_t)frames + ((double)(uint32_t)frames < frames ? 1u : 0u);
}

static int token_is_over(const mmq_bridge_t *bridge, const mmq_state_t *state) {
    const double end = (double)(state->token + 1) * (double)bridge->spec->token_s;
    return state->next_s + TOLERANCE / (double)state->spec->rate_hz >= end;
}

/* Move a modality's clock forward over a gap, finishing the tokens in it. */
static void skip_to(mmq_bridge_t *bridge, mmq_state_t *state, double time_s) {
    const double tolerance = TOLERANCE / (double)state->spec->rate_hz;
    const int64_t target = (int64_t)((time_s + tolerance) / (double)bridge->spec->token_s);
    state->next_s = time_s;
    for (uint32_t i = 0; state->token < target; i++) {
        mmq_tokens_finish(bridge, state);
        mmq_tokens_settle(bridge, (double)state->token * (double)bridge->spec->token_s);
        if (i == bridge->capacity && target - state->token > (int64_t)bridge->capacity) {
            state->token = target - (int64_t)bridge->capacity;
            mmq_tokens_settle(bridge, (double)state->token * (double)bridge->spec->token_s);
        }
    }
}

/* Where do these frames begin? Returns how many leading frames come too late; sets the clock. */
static uint32_t align(mmq_bridge_t *bridge, mmq_state_t *state, uint32_t frames, double time_s) {
    const double rate = (double)state->spec->rate_hz;
    const double open_s = (double)bridge->closed * (double)bridge->spec->token_s;
    double due_s = state->started ? state->next_s : 0.0, late;
    uint32_t dropped = 0;
    if (due_s < open_s - TOLERANCE / rate) due_s = open_s;
    late = (due_s - time_s) * rate; /* in frames: above 0.5 some are late */
    if (late > 0.5 || (!state->started && late > TOLERANCE)) {
        if (late - 0.5 >= (double)frames) return frames;
        dropped = (uint32_t)(late + (late > 0.5 ? 0.5 : 1.0 - TOLERANCE));
        if (dropped >= frames) return frames;
        time_s += (double)dropped / rate;
    }
    if (state->started && (time_s - state->next_s) * rate > 0.5) {
        mmq_quality_lost(state, (time_s - state->next_s) * rate + 0.5);
    }
    if (!state->started || time_s > state->next_s) skip_to(bridge, state, time_s);
    state->next_s = time_s;
    state->started = 1;
    return dropped;
}

mmq_status_t mmq_bridge_push(mmq_bridge_t *bridge, uint32_t modality, const float *samples, uint32_t frames,
                             double time_s) {
    mmq_state_t *state;
    uint32_t done, dropped;
    double start_s;
    if (!bridge || !samples) return MMQ_NULL;
    if (modality >= bridge->spec->n_modalities) return MMQ_BAD_MODALITY;
    if (!(time_s >= -MAX_TIME_S && time_s <= MAX_TIME_S)) return MMQ_BAD_TIME;
    if (frames == 0) return MMQ_OK;
    state = bridge->states + modality;
    dropped = align(bridge, state, frames, time_s);
    if (dropped == frames) return MMQ_LATE;
    start_s = state->next_s;
    for (done = dropped; done < frames;) {
        uint32_t n = frames_to_token_end(bridge, state);
        if (n > frames - done) n = frames - done;
        for (uint32_t i = 0; i < n; i++) mmq_quality_frame(state, samples + done + i, frames);
        done += n;
        state->next_s = start_s + (double)(done - dropped) / (double)state->spec->rate_hz;
        if (token_is_over(bridge, state)) {
            mmq_tokens_finish(bridge, state);
            mmq_tokens_settle(bridge, (double)state->token * (double)bridge->spec->token_s);
        }
    }
    mmq_tokens_settle(bridge, state->next_s);
    return dropped ? MMQ_LATE : MMQ_OK;
}

mmq_status_t mmq_bridge_advance(mmq_bridge_t *bridge, double time_s) {
    if (!bridge) return MMQ_NULL;
    if (!(time_s >= -MAX_TIME_S && time_s <= MAX_TIME_S)) return MMQ_BAD_TIME;
    for (uint32_t m = 0; m < bridge->spec->n_modalities; m++) {
        mmq_state_t *state = bridge->states + m;
        if (time_s <= state->next_s) continue;
        mmq_quality_lost(state, (time_s - state->next_s) * (double)state->spec->rate_hz + 0.5);
        skip_to(bridge, state, time_s);
        state->started = 1;
    }
    mmq_tokens_settle(bridge, time_s);
    return MMQ_OK;
}
