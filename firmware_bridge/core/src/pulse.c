/* pulse.c: heart rate, its variability, pulse amplitude and signal quality over the context (ecg, ppg). */
#include "mmq_internal.h"

#include <math.h>

#define TOLERANCE 0.25f /* of the median interval */
#define SLOWEST_S 2.0f
#define FLOOR_S 1e-3f        /* keeps the logarithms of sdnn and rmssd finite */
#define FLOOR_SHARE 1e-3f    /* of the median amplitude, the same for its deviation */

void mmq_pulse_layout(mmq_state_t *state, mmq_arena_t *arena) {
    const mmq_modality_t *spec = state->spec;
    state->beats.signal.at = mmq_arena_take(arena, spec->beat_window, sizeof(float));
    state->beats.signal.capacity = spec->beat_window;
    state->beats.beats = mmq_arena_take(arena, MMQ_MAX_BEATS, sizeof(mmq_beat_t));
    state->sorted = mmq_arena_take(arena, MMQ_MAX_BEATS, sizeof(float));
    state->sorted2 = mmq_arena_take(arena, MMQ_MAX_BEATS, sizeof(float));
    if (spec->kind != MMQ_PPG) return;
    state->spectrum.at = mmq_arena_take(arena, spec->spectrum_samples, sizeof(float));
    state->spectrum.capacity = spec->spectrum_samples;
    state->work = mmq_arena_take(arena, spec->fft_size, sizeof(float));
    state->work2 = mmq_arena_take(arena, spec->fft_size, sizeof(float));
}

void mmq_pulse_restart(mmq_state_t *state) {
    mmq_beats_restart(&state->beats);
    state->spectrum.count = 0;
    state->spectrum.next = 0;
    state->spectrum_phase = 0;
}

void mmq_pulse_sample(mmq_state_t *state, const float *frame) {
    const mmq_modality_t *spec = state->spec;
    const float y = mmq_cascade(spec->bank, state->bank, 2, frame[0]);
    mmq_beats_sample(&state->beats, spec, y);
    if (spec->kind != MMQ_PPG) return;
    if (state->spectrum_phase == 0) {
        mmq_ring_put(&state->spectrum, y);
        state->count++; /* in this token */
    }
    state->spectrum_phase = state->spectrum_phase + 1u == spec->spectrum_decimate ? 0u : state->spectrum_phase + 1u;
}

/* Oldest beat of the context, as an offset from the oldest kept. */
static uint32_t first_in_context(const mmq_beats_t *beats, uint32_t context) {
    uint32_t first = beats->n_beats;
    while (first > 0) {
        const uint32_t place = (beats->next_beat + MMQ_MAX_BEATS - beats->n_beats + first - 1u) % MMQ_MAX_BEATS;
        if (beats->counter - beats->beats[place].sample > context) break;
        first--;
    }
    return first;
}

static const mmq_beat_t *beat_at(const mmq_beats_t *beats, uint32_t i) {
    return beats->beats + (beats->next_beat + MMQ_MAX_BEATS - beats->n_beats + i) % MMQ_MAX_BEATS;
}

static void variability(const mmq_state_t *state, uint32_t first, float median, float *out) {
    const mmq_beats_t *beats = &state->beats;
    const float second = state->spec->rate_hz / (float)state->spec->decimate;
    float sum = 0.0f, square = 0.0f, steps = 0.0f, previous = 0.0f, time = 0.0f;
    uint32_t n = 0, pairs = 0, long_steps = 0;
    for (uint32_t i = first; i < beats->n_beats; i++) {
        const float interval = beat_at(beats, i)->interval;
        if (!(fabsf(interval - median) <= TOLERANCE * median)) {
            previous = 0.0f;
            continue;
        }
        n++;
        time += interval;
        sum += interval - median;
        square += (interval - median) * (interval - median);
        if (previous > 0.0f) {
            const float step = interval - previous;
            pairs++;
            steps += step * step;
            if (fabsf(step) > 0.05f * second) long_steps++;
        }
        previous = interval;
    }
    out[6] = time / (float)state->spec->context;
    if (n < 3) return;
    sum /= (float)n;
    square = square / (float)n - sum * sum;
    out[0] = 60.0f * second / (median + sum);
    out[1] = mmq_logf(sqrtf(square > 0.0f ? square : 0.0f) / second + FLOOR_S);
    if (pairs < 3) return;
    out[2] = mmq_logf(sqrtf(steps / (float)pairs) / second + FLOOR_S);
    out[3] = (float)long_steps / (float)pairs;
}

static void amplitudes(mmq_state_t *state, uint32_t first, float *out) {
    const mmq_beats_t *beats = &state->beats;
    const uint32_t n = beats->n_beats - first;
    float median, sum = 0.0f, square = 0.0f;
    if (n < 3) return;
    for (uint32_t i = 0; i < n; i++) state->sorted[i] = beat_at(beats, first + i)->amplitude;
    median = mmq_median(state->sorted, n);
    if (!(median > 1e-9f)) return;
    out[4] = mmq_logf(median);
    for (uint32_t i = 0; i < n; i++) sum += state->sorted[i] - median;
    sum /= (float)n;
    for (uint32_t i = 0; i < n; i++) {
        const float rest = state->sorted[i] - median - sum;
        square += rest * rest;
    }
    out[5] = mmq_logf(sqrtf(square / (float)n) + FLOOR_SHARE * median);
}

void mmq_pulse_features(mmq_state_t *state, float *out) {
    const mmq_beats_t *beats = &state->beats;
    const float second = state->spec->rate_hz / (float)state->spec->decimate;
    const uint32_t first = first_in_context(beats, state->spec->context);
    uint32_t n = 0;
    for (uint32_t i = 0; i < 7; i++) out[i] = MMQ_NAN;
    for (uint32_t i = first; i < beats->n_beats; i++) {
        const float interval = beat_at(beats, i)->interval;
        if (interval > 0.0f && interval < SLOWEST_S * second) state->sorted[n++] = interval;
    }
    out[6] = 0.0f;
    if (n >= 3) variability(state, first, mmq_median(state->sorted, n), out);
    amplitudes(state, first, out);
    if (state->spec->kind == MMQ_PPG) mmq_spectrum_features(state, out + 7, out + 8, out + 9);
}

mmq_status_t mmq_bridge_beats(const mmq_bridge_t *bridge, uint32_t modality, float *ages, uint32_t capacity,
                              uint32_t *count) {
    const mmq_state_t *state;
    uint32_t first;
    if (!bridge || !ages || !count) return MMQ_NULL;
    if (modality >= bridge->spec->n_modalities) return MMQ_BAD_MODALITY;
    state = bridge->states + modality;
    if (state->spec->kind != MMQ_ECG && state->spec->kind != MMQ_PPG) return MMQ_BAD_MODALITY;
    first = first_in_context(&state->beats, state->spec->context);
    *count = state->beats.n_beats - first;
    for (uint32_t i = 0; i < *count && i < capacity; i++) {
        const mmq_beat_t *beat = beat_at(&state->beats, first + i);
        const float samples = (float)(state->beats.counter - 1u - beat->sample) - beat->fraction;
        ages[i] = samples * (float)state->spec->decimate / state->spec->rate_hz;
    }
    return MMQ_OK;
}
