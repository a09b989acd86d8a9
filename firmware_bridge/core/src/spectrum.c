/* spectrum.c: skewness of the pulse wave in the token, its rate from the spectrum of the whole context. */
#include "mmq_internal.h"

#include <math.h>

#define SHORTEST 8u /* samples for a skewness, about half a second */

static float skewness_of(const float *x, uint32_t n) {
    float mean = 0.0f, second = 0.0f, third = 0.0f, deviation;
    for (uint32_t i = 0; i < n; i++) mean += x[i];
    mean /= (float)n;
    for (uint32_t i = 0; i < n; i++) second += (x[i] - mean) * (x[i] - mean);
    deviation = sqrtf(second / (float)n);
    if (!(deviation > 1e-12f)) return MMQ_NAN;
    for (uint32_t i = 0; i < n; i++) {
        const float z = (x[i] - mean) / deviation;
        third += z * z * z;
    }
    return third / (float)n;
}

static void peak_of(const mmq_state_t *state, const float *power, float *rate, float *purity) {
    const mmq_modality_t *spec = state->spec;
    uint32_t best = spec->spectrum_low;
    float total = 0.0f, near = 0.0f, curve, shift = 0.0f;
    for (uint32_t k = spec->spectrum_low; k <= spec->spectrum_high; k++) {
        total += power[k];
        if (power[k] > power[best]) best = k;
    }
    if (!(total > 0.0f)) return;
    for (uint32_t k = best - 3u; k <= best + 3u; k++) near += power[k];
    curve = power[best - 1u] - 2.0f * power[best] + power[best + 1u];
    if (curve < 0.0f) shift = 0.5f * (power[best - 1u] - power[best + 1u]) / curve;
    if (shift > 0.5f) shift = 0.5f;
    if (shift < -0.5f) shift = -0.5f;
    *rate = ((float)best + shift) * 60.0f * spec->rate_hz /
            (float)(spec->decimate * spec->spectrum_decimate * spec->fft_size);
    *purity = near / total;
}

void mmq_spectrum_features(mmq_state_t *state, float *skewness, float *rate, float *purity) {
    const mmq_modality_t *spec = state->spec;
    const uint32_t n = spec->spectrum_samples;
    const uint32_t kept = state->spectrum.count, token = state->count < kept ? state->count : kept;
    *skewness = *rate = *purity = MMQ_NAN;
    state->count = 0;
    for (uint32_t i = 0; i < kept; i++) state->work[i] = mmq_ring_get(&state->spectrum, i);
    if (token >= SHORTEST) *skewness = skewness_of(state->work + (kept - token), token);
    if (kept < n) return;
    for (uint32_t i = 0; i < n; i++) state->work[i] *= spec->fft_window[i];
    for (uint32_t i = n; i < spec->fft_size; i++) state->work[i] = 0.0f;
    mmq_power_spectrum(state->work, state->work2, spec->fft_size, spec->twiddles);
    peak_of(state, state->work, rate, purity);
}
