/* SPDX-License-Identifier: Apache-2.0 */
/* pulse.c: heart rate, its variability, pulse amplitude and signal quality over the context (ecg, ppg). */
#include "kinds.h"

#include <math.h>

#define TOLERANCE 0.25f /* of the median interval */
#define SLOWEST_S 2.0f
#define BRIEF_S 0.5f         /* a filled loss up to this long leaves the wave regular, and noise irregular */
#define FLOOR_S 1e-3f        /* keeps the logarithms of sdnn and rmssd finite */
#define FLOOR_SHARE 1e-3f    /* of the median amplitude, the same for its deviation */

void mmq_pulse_layout(mmq_state_t *state, mmq_arena_t *arena) {
    const mmq_modality_t *spec = state->spec;
    state->of.pulses = mmq_arena_take(arena, spec->outputs, sizeof *state->of.pulses);
    for (uint32_t i = 0; i < spec->outputs; i++) {
        mmq_pulse_t *pulse = state->of.pulses ? state->of.pulses + i : NULL;
        mmq_beats_t counted, *beats = pulse ? &pulse->beats : &counted;
        mmq_ring_layout(&beats->signal, arena, 2u * spec->beat_window);
        beats->signal.capacity = spec->beat_window; /* the rest: sums of energy, see beats.c */
        beats->capacity = spec->context / spec->refractory + 2u;
        beats->beats = mmq_arena_take(arena, beats->capacity, sizeof *beats->beats);
        if (spec->kind != MMQ_PPG) continue;
        mmq_ring_layout(pulse ? &pulse->spectrum : &counted.signal, arena, spec->spectrum_samples);
    }
}

void mmq_pulse_restart(mmq_state_t *state, uint32_t output) {
    static const mmq_filter_t fresh = {0};
    mmq_pulse_t *pulse = state->of.pulses + output;
    mmq_beats_restart(&pulse->beats);
    mmq_ring_clear(&pulse->spectrum);
    pulse->spectrum_phase = pulse->slow = 0;
    pulse->filter = fresh;
}

void mmq_pulse_block(mmq_state_t *state, uint32_t output, const float *x, uint32_t stride, uint32_t n) {
    const mmq_modality_t *spec = state->spec;
    mmq_pulse_t *pulse = state->of.pulses + output;
    const int measured = mmq_is_measured(state, output);
    const int brief = (float)state->channels[output].lost_run <= BRIEF_S * spec->rate_hz;
    (void)stride; /* one row */
    for (uint32_t i = 0; i < n; i++) {
        const float y = mmq_filter(&pulse->filter, spec->bank, x[i], measured);
        if (!measured) pulse->beats.filled = pulse->beats.counter;
        mmq_beats_sample(&pulse->beats, spec, y);
        if (spec->kind != MMQ_PPG) continue;
        if (pulse->spectrum_phase == 0) {
            mmq_ring_put(&pulse->spectrum, measured || brief ? y : MMQ_NAN);
            pulse->slow++;
        }
        pulse->spectrum_phase = pulse->spectrum_phase + 1u == spec->spectrum_decimate ? 0u : pulse->spectrum_phase + 1u;
    }
}

/* The wave's own rules need no more samples than mmq_spectrum_*() ask for: NaN when there are fewer. */
uint16_t mmq_pulse_quality(const mmq_state_t *state, uint32_t output, float least) {
    const mmq_modality_t *spec = state->spec;
    const mmq_pulse_t *pulse = state->of.pulses + output;
    float *work = state->scratch.work;
    uint32_t why = mmq_filter_reasons(&pulse->filter, state);
    if (!mmq_has_rules(spec)) return 0;
    if ((float)pulse->filter.whole.n < least) return MMQ_WHY_UNJUDGED;
    if (spec->kind != MMQ_PPG) return (uint16_t)why;
    if (spec->min_regularity > 0.0f) {
        why |= mmq_under(mmq_spectrum_regularity(state, pulse, work), spec->min_regularity, MMQ_WHY_IRREGULAR);
    }
    if (mmq_judges_skewness(spec)) {
        const float skewness = mmq_spectrum_skewness(pulse, work);
        if (skewness < spec->min_skewness) why |= MMQ_WHY_SKEWED;
        if (skewness != skewness) why |= MMQ_WHY_UNJUDGED;
    }
    return (uint16_t)why;
}

static void variability(const mmq_state_t *state, const mmq_beats_t *beats, uint32_t first, float median, float *out) {
    const float second = state->rate_hz;
    mmq_spread_t good = {0};
    float steps = 0.0f, previous = 0.0f, mean;
    uint32_t pairs = 0, long_steps = 0;
    for (uint32_t i = first; i < beats->n_beats; i++) {
        const float interval = mmq_beat_at(beats, i)->interval, step = interval - previous;
        const int accepted = fabsf(interval - median) <= TOLERANCE * median;
        if (accepted) mmq_spread_add(&good, interval);
        if (accepted && previous > 0.0f) {
            pairs++;
            steps += step * step;
            if (fabsf(step) > 0.05f * second) long_steps++;
        }
        previous = accepted ? interval : 0.0f;
    }
    if (good.n < 1.0f) return;
    mean = mmq_spread_mean(&good);
    out[6] = good.n * mean / (float)state->spec->context;
    if (good.n < 3.0f) return;
    out[0] = 60.0f * second / mean;
    out[1] = mmq_logf(mmq_spread_deviation(&good) / second + FLOOR_S);
    if (pairs < 3) return;
    out[2] = mmq_logf(sqrtf(steps / (float)pairs) / second + FLOOR_S);
    out[3] = (float)long_steps / (float)pairs;
}

static void amplitudes(const mmq_beats_t *beats, uint32_t first, float *sorted, float *out) {
    const uint32_t n = beats->n_beats - first;
    mmq_spread_t all = {0};
    float median;
    if (n < 3) return;
    for (uint32_t i = 0; i < n; i++) {
        sorted[i] = mmq_beat_at(beats, first + i)->amplitude;
        mmq_spread_add(&all, sorted[i]);
    }
    median = mmq_median(sorted, n);
    if (!(median > 1e-9f)) return;
    out[4] = mmq_logf(median);
    out[5] = mmq_logf(mmq_spread_deviation(&all) + FLOOR_SHARE * median);
}

void mmq_pulse_features(mmq_state_t *state, uint32_t output, float *out) {
    mmq_pulse_t *pulse = state->of.pulses + output;
    const mmq_beats_t *beats = &pulse->beats;
    const float second = state->rate_hz;
    const uint32_t first = mmq_beats_first(beats, state->spec->context);
    float *work = state->scratch.work;
    uint32_t n = 0;
    for (uint32_t i = first; i < beats->n_beats; i++) {
        const float interval = mmq_beat_at(beats, i)->interval;
        if (interval > 0.0f && interval < SLOWEST_S * second) work[n++] = interval;
    }
    out[6] = 0.0f;
    if (n >= 3) variability(state, beats, first, mmq_median(work, n), out);
    amplitudes(beats, first, work, out);
    if (state->spec->kind == MMQ_PPG) {
        out[7] = mmq_spectrum_skewness(pulse, work);
        mmq_spectrum_peak(state->spec, pulse, work, out + 8);
    }
    pulse->slow = 0;
    mmq_filter_next_token(&pulse->filter);
}

mmq_status_t mmq_bridge_beats(const mmq_bridge_t *bridge, uint32_t modality, float *ages, uint32_t capacity,
                              uint32_t *count) {
    const mmq_state_t *state;
    const mmq_beats_t *beats;
    uint32_t first;
    if (!bridge || !ages || !count) return MMQ_NULL;
    if (modality >= bridge->spec->n_modalities) return MMQ_BAD_MODALITY;
    state = bridge->states + modality;
    if (state->spec->kind != MMQ_ECG && state->spec->kind != MMQ_PPG) return MMQ_BAD_MODALITY;
    beats = &state->of.pulses->beats;
    first = mmq_beats_first(beats, state->spec->context);
    *count = beats->n_beats - first;
    for (uint32_t i = 0; i < *count && i < capacity; i++) {
        const mmq_beat_t *beat = mmq_beat_at(beats, first + i);
        const float samples = (float)(beats->counter - 1u - beat->sample) - beat->fraction;
        ages[i] = samples * (float)state->spec->decimate / state->spec->rate_hz;
    }
    return MMQ_OK;
}
