/* SPDX-License-Identifier: Apache-2.0 */
/* spectrum.c: the pulse wave at about 16 Hz: skewness and regularity of the token, rate from the spectrum of the
 * whole context. Each works in the shared memory `work`, fft_size + 2 floats. */
#include "kinds.h"

#include <math.h>

#define SHORTEST 8u /* samples for a skewness, about half a second */
#define LAGS 3u     /* a regularity is judged over at least so many of the longest periods, if there are as many */

static void newest(const mmq_ring_t *ring, uint32_t n, float *x) {
    for (uint32_t i = 0; i < n; i++) x[i] = mmq_ring_get(ring, ring->count - n + i);
}

/* Of the token, since the last restart, as far as the ring reaches. */
static uint32_t samples_of_token(const mmq_pulse_t *pulse) {
    return pulse->slow < pulse->spectrum.count ? pulse->slow : pulse->spectrum.count;
}

/* The same without the mean of those that were measured, the others NaN; returns their deviation. */
static float centred(const mmq_ring_t *ring, uint32_t n, float *x, uint32_t *measured) {
    float mean = 0.0f, square = 0.0f;
    uint32_t good = 0;
    newest(ring, n, x);
    for (uint32_t i = 0; i < n; i++) {
        if (x[i] != x[i]) continue;
        mean += x[i];
        good++;
    }
    *measured = good;
    mean /= (float)good;
    for (uint32_t i = 0; i < n; i++) {
        x[i] -= mean; /* what is NaN stays it */
        if (x[i] == x[i]) square += x[i] * x[i];
    }
    return sqrtf(square / (float)good);
}

float mmq_spectrum_skewness(const mmq_pulse_t *pulse, float *work) {
    const uint32_t n = samples_of_token(pulse);
    float deviation, third = 0.0f;
    uint32_t good;
    if (n < SHORTEST) return MMQ_NAN;
    deviation = centred(&pulse->spectrum, n, work, &good);
    if (good < SHORTEST || !(deviation > 1e-12f)) return MMQ_NAN;
    for (uint32_t i = 0; i < n; i++) {
        const float z = work[i] / deviation;
        if (z == z) third += z * z * z;
    }
    return third / (float)good;
}

/* Autocorrelation at a lag over the pairs of which both were measured; NaN when they are not `least`. */
static float over_pairs(const float *x, uint32_t n, uint32_t lag, uint32_t least) {
    float sum = 0.0f, head = 0.0f, tail = 0.0f;
    uint32_t pairs = 0;
    for (uint32_t i = lag; i < n; i++) {
        const float product = x[i - lag] * x[i];
        if (product != product) continue;
        pairs++;
        sum += product;
        head += x[i - lag] * x[i - lag];
        tail += x[i] * x[i];
    }
    return pairs < least ? MMQ_NAN : sum / (sqrtf(head) * sqrtf(tail));
}

static float regularity_over_gaps(const mmq_modality_t *spec, const float *x, uint32_t n) {
    float best = -1.0f;
    for (uint32_t lag = spec->lag_high; lag > 0 && lag >= spec->lag_low; lag--) {
        const float r = over_pairs(x, n, lag, spec->lag_high);
        if (r != r) return MMQ_NAN;
        if (r > best) best = r;
    }
    return best;
}

/* Largest autocorrelation at a lag a pulse may have; 0 when nothing moves. From the longest lag to the shortest: so
 * the energies of the two parts only grow, and each takes one addition a lag. From version 3 on of the samples that
 * there are, as long as each lag has one longest period of pairs. */
float mmq_spectrum_regularity(const mmq_state_t *state, const mmq_pulse_t *pulse, float *work) {
    const mmq_modality_t *spec = state->spec;
    const uint32_t token = samples_of_token(pulse), least = LAGS * spec->lag_high;
    uint32_t n = token > least ? token : least, good;
    float head = 0.0f, tail = 0.0f, best = -1.0f, deviation;
    if (state->strict && n > pulse->spectrum.count) n = pulse->spectrum.count;
    if (n < SHORTEST || n <= spec->lag_high || pulse->spectrum.count < n) return MMQ_NAN;
    deviation = centred(&pulse->spectrum, n, work, &good);
    if (good < n || n < 2u * spec->lag_high) return regularity_over_gaps(spec, work, n);
    if (!(deviation > 1e-12f)) return 0.0f;
    for (uint32_t i = spec->lag_high + 1u; i < n; i++) {
        head += work[i - spec->lag_high - 1u] * work[i - spec->lag_high - 1u];
        tail += work[i] * work[i];
    }
    for (uint32_t lag = spec->lag_high; lag > 0 && lag >= spec->lag_low; lag--) {
        float sum = 0.0f, r;
        head += work[n - lag - 1u] * work[n - lag - 1u];
        tail += work[lag] * work[lag];
        for (uint32_t i = lag; i < n; i++) sum += work[i - lag] * work[i];
        r = sum / (sqrtf(head) * sqrtf(tail));
        if (r > best) best = r;
    }
    return best;
}

float mmq_vertex(float before, float middle, float after) {
    const float curve = before - 2.0f * middle + after;
    const float shift = curve < 0.0f ? 0.5f * (before - after) / curve : 0.0f;
    return shift > 0.5f ? 0.5f : shift < -0.5f ? -0.5f : shift;
}

/* Powers are in every second place; out: rate and purity. */
static void peak_of(const mmq_modality_t *spec, const float *power, float *out) {
    uint32_t best = spec->spectrum_low;
    float total = 0.0f, near = 0.0f;
    for (uint32_t k = spec->spectrum_low; k <= spec->spectrum_high; k++) {
        total += power[2u * k];
        if (power[2u * k] > power[2u * best]) best = k;
    }
    if (!(total > 0.0f)) return;
    for (uint32_t k = best - 3u; k <= best + 3u; k++) near += power[2u * k];
    power += 2u * best;
    out[0] = ((float)best + mmq_vertex(power[-2], power[0], power[2])) * 60.0f * spec->rate_hz /
            (float)(spec->decimate * spec->spectrum_decimate * spec->fft_size);
    out[1] = near / total;
}

void mmq_spectrum_peak(const mmq_modality_t *spec, const mmq_pulse_t *pulse, float *work, float *out) {
    const uint32_t n = spec->spectrum_samples, half = spec->fft_size / 2u;
    if (pulse->spectrum.count < n) return;
    for (uint32_t i = 0, j = 0; i < spec->fft_size; i++) {
        const float y = i < n ? mmq_ring_get(&pulse->spectrum, i) : 0.0f;
        work[2u * j + i % 2u] = i < n && y == y ? y * spec->fft_window[i] : 0.0f; /* NaN: not measured */
        if (i % 2u) j = mmq_next_reversed(j, half);
    }
    mmq_transform(work, half, spec->twiddles);
    peak_of(spec, work, out);
}
