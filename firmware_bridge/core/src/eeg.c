/* eeg.c: differential entropy from the filter bank, log power spectral density from Hann FFTs. */
#include "mmq_internal.h"

#include <math.h>

#define HALF_LOG_2_PI_E 1.4189385332046727f
#define SMALLEST 1e-12f

void mmq_eeg_layout(mmq_state_t *state, mmq_arena_t *arena) {
    const size_t cells = (size_t)state->spec->channels * state->spec->bands, n = state->spec->fft_size;
    state->sum = mmq_arena_take(arena, cells, sizeof(float));
    state->square = mmq_arena_take(arena, cells, sizeof(float));
    state->power = mmq_arena_take(arena, cells, sizeof(float));
    state->segment = mmq_arena_take(arena, state->spec->channels * n, sizeof(float));
    state->work = mmq_arena_take(arena, n, sizeof(float));
    state->work2 = mmq_arena_take(arena, n, sizeof(float));
}

void mmq_eeg_restart(mmq_state_t *state) { state->filled = 0; }

static void next_token(mmq_state_t *state) {
    for (uint32_t i = 0; i < state->spec->channels * state->spec->bands; i++) {
        state->sum[i] = 0.0f;
        state->square[i] = 0.0f;
        state->power[i] = 0.0f;
    }
    state->count = 0;
    state->segments = 0;
    state->filled = 0;
}

/* One Hann-windowed FFT of each channel's segment, band powers added up. */
static void add_segment(mmq_state_t *state) {
    const mmq_modality_t *spec = state->spec;
    const uint32_t n = spec->fft_size;
    for (uint32_t c = 0; c < spec->channels; c++) {
        float *segment = state->segment + (size_t)c * n;
        for (uint32_t i = 0; i < n; i++) state->work[i] = segment[i] * spec->fft_window[i];
        mmq_power_spectrum(state->work, state->work2, n, spec->twiddles);
        for (uint32_t b = 0; b < spec->bands; b++) {
            float power = 0.0f;
            for (uint32_t k = spec->band_bins[2 * b]; k < spec->band_bins[2 * b + 1]; k++) power += state->work[k];
            state->power[c * spec->bands + b] +=
                power / (float)(spec->band_bins[2 * b + 1] - spec->band_bins[2 * b]);
        }
        for (uint32_t i = 0; i < n / 2; i++) segment[i] = segment[i + n / 2];
    }
    state->segments++;
    state->filled = n / 2;
}

void mmq_eeg_sample(mmq_state_t *state, const float *frame) {
    const mmq_modality_t *spec = state->spec;
    for (uint32_t c = 0; c < spec->channels; c++) {
        for (uint32_t b = 0; b < spec->bands; b++) {
            const uint32_t cell = c * spec->bands + b;
            const float y = mmq_cascade(spec->bank + 10u * b, state->bank + 4u * cell, 2, frame[c]);
            state->sum[cell] += y;
            state->square[cell] += y * y;
        }
        state->segment[(size_t)c * spec->fft_size + state->filled] = frame[c];
    }
    state->count++;
    if (++state->filled == spec->fft_size) add_segment(state);
}

void mmq_eeg_features(mmq_state_t *state, float *out) {
    const mmq_modality_t *spec = state->spec;
    for (uint32_t c = 0; c < spec->channels; c++) {
        for (uint32_t b = 0; b < spec->bands; b++) {
            const uint32_t cell = c * spec->bands + b;
            float *de = out + (size_t)c * 2u * spec->bands + b, *psd = de + spec->bands;
            const float n = (float)state->count, mean = n > 0.0f ? state->sum[cell] / n : 0.0f;
            float variance = n > 0.0f ? state->square[cell] / n - mean * mean : 0.0f;
            float power = state->segments ? state->power[cell] / (float)state->segments * spec->psd_scale : 0.0f;
            if (!(variance > SMALLEST)) variance = SMALLEST;
            if (!(power > SMALLEST)) power = SMALLEST;
            *de = state->count > 1 ? 0.5f * mmq_logf(variance) + HALF_LOG_2_PI_E : MMQ_NAN;
            *psd = state->segments ? mmq_logf(power) : MMQ_NAN;
        }
    }
    next_token(state);
}
