/* SPDX-License-Identifier: Apache-2.0 */
/* bank.c: eeg, eog, emg: differential entropy from the filter bank, log power spectral density from Hann FFTs. */
#include "mmq_internal.h"

#include <math.h>
#include <string.h>

#define HALF_LOG_2_PI_E 1.4189385332046727f
#define SMALLEST 1e-12f
#define FLOOR_RMS 1e-3f /* of the unit */
#define ENOUGH 16u      /* samples for a deviation */

void mmq_bank_layout(mmq_state_t *state, mmq_arena_t *arena) {
    const mmq_modality_t *spec = state->spec;
    const size_t n = spec->outputs;
    state->of.bank.states = mmq_arena_floats(arena, n * spec->bands * 4u);
    state->of.bank.sums = mmq_arena_floats(arena, n * (spec->bands + 1u) * 2u);
    state->of.bank.power = mmq_arena_floats(arena, n * (spec->bands + 2u));
    state->of.bank.segment = mmq_arena_floats(arena, n * spec->fft_size);
}

/* An output's `size` values in an array of groups: the first of them, each `width_of` from the next. */
static float *values(const mmq_state_t *state, float *array, uint32_t size, uint32_t output) {
    uint32_t first;
    (void)mmq_group(state->spec, state->spec->outputs, output, &first);
    return array + (size_t)first * size + (output - first);
}

static uint32_t width_of(const mmq_state_t *state, uint32_t output) {
    uint32_t first;
    return mmq_group(state->spec, state->spec->outputs, output, &first);
}

static void clear(const mmq_state_t *state, float *array, uint32_t size, uint32_t output) {
    float *x = values(state, array, size, output);
    const uint32_t width = width_of(state, output);
    for (uint32_t k = 0; k < size; k++) x[k * width] = 0.0f;
}

static float *sums_of(const mmq_state_t *state, uint32_t output, uint32_t b) {
    const uint32_t size = (state->spec->bands + 1u) * 2u;
    return values(state, state->of.bank.sums, size, output) + (size_t)2 * b * width_of(state, output);
}

/* What the second section of a band holds. Its output y sums up, over any stretch of samples, to what this grew by,
 * over 1 + c1 + c2: its zeros at +1 and -1 let nothing else through. sums[2 b] starts a token as minus this. */
static float held(const mmq_state_t *state, uint32_t output, uint32_t b) {
    const size_t width = width_of(state, output);
    const float *s = values(state, state->of.bank.states, state->spec->bands * 4u, output) + 4u * b * width;
    return s[2u * width] + s[3u * width];
}

void mmq_bank_restart(mmq_state_t *state, uint32_t output) {
    for (uint32_t b = 0; b < state->spec->bands; b++) *sums_of(state, output, b) += held(state, output, b);
    clear(state, state->of.bank.states, state->spec->bands * 4u, output);
}

static float bins_between(const float *work, uint32_t width, uint32_t low, uint32_t high) {
    float sum = 0.0f;
    for (uint32_t k = low; k < high; k++) sum += work[(size_t)2 * k * width];
    return sum;
}

/* Add the band powers of one lane's spectrum, for emg also the whole power and it times the bin. */
static void add_power(const mmq_modality_t *spec, const float *work, uint32_t width, float *power) {
    float whole = 0.0f;
    for (uint32_t b = 0; b < spec->bands; b++, power += width) {
        const uint32_t low = spec->band_bins[2 * b], high = spec->band_bins[2 * b + 1];
        *power += bins_between(work, width, low, high) / (float)(high - low);
    }
    for (uint32_t k = 1; spec->kind == MMQ_EMG && k <= spec->fft_size / 2u; k++) {
        whole += work[(size_t)2 * k * width];
        power[width] += (float)k * work[(size_t)2 * k * width];
    }
    if (spec->kind == MMQ_EMG) *power += whole;
}

/* Hann-windowed FFT of the full segments of a group of outputs, of which the newer half stays. */
static void add_segment(mmq_state_t *state, uint32_t output, uint32_t width, float *segment) {
    const mmq_modality_t *spec = state->spec;
    const size_t half = (size_t)spec->fft_size / 2u * width;
    float *work = state->scratch.work, *power = state->of.bank.power + (size_t)output * (spec->bands + 2u);
    MMQ_BY_WIDTH(width, mmq_segment_power, spec, segment, work);
    for (uint32_t lane = 0; lane < width; lane++) add_power(spec, work + lane, width, power + lane);
    memcpy(segment, segment + half, half * sizeof(float));
}

void mmq_bank_block(mmq_state_t *state, uint32_t output, const float *x, uint32_t stride, uint32_t n) {
    const mmq_modality_t *spec = state->spec;
    mmq_bank_t *bank = &state->of.bank;
    uint32_t first, filled = bank->filled, segments = bank->segments;
    const uint32_t width = mmq_group(spec, spec->outputs, output, &first);
    float *segment = bank->segment + (size_t)output * spec->fft_size;
    (void)stride; /* a group is one piece */
    MMQ_BY_WIDTH(width, mmq_bank_filter, spec, x, n, bank->states + (size_t)output * spec->bands * 4u,
                 bank->sums + (size_t)output * (spec->bands + 1u) * 2u);
    for (uint32_t done = 0, part; done < n; done += part) {
        part = spec->fft_size - filled < n - done ? spec->fft_size - filled : n - done;
        memcpy(segment + filled * width, x + done * width, part * width * sizeof(float));
        filled += part;
        if (filled < spec->fft_size) continue;
        add_segment(state, output, width, segment);
        filled = spec->fft_size / 2u;
        segments++;
    }
    if (output + width < spec->outputs) return; /* all groups take the same way: the last one moves the counters on */
    bank->count += n;
    bank->segments = segments;
    bank->filled = filled;
}

/* Variance of band b of the open token; b = bands: of the unfiltered signal. */
static float variance(const mmq_state_t *state, uint32_t output, uint32_t b) {
    const float *sums = sums_of(state, output, b), n = (float)state->of.bank.count;
    float mean = sums[0] / n, gain = 1.0f, result;
    if (b < state->spec->bands) {
        const float *c = state->spec->bank + 5u * b;
        gain = c[0];
        mean = (sums[0] + held(state, output, b)) / ((1.0f + c[3] + c[4]) * n);
    }
    result = (sums[width_of(state, output)] / n - mean * mean) * gain * gain;
    return result > 0.0f ? result : 0.0f;
}

uint16_t mmq_bank_quality(const mmq_state_t *state, uint32_t output, float least) {
    const mmq_modality_t *spec = state->spec;
    float deviation;
    if (!(spec->min_deviation > 0.0f || spec->max_deviation > 0.0f)) return 0;
    if (state->of.bank.count < ENOUGH || (float)state->of.bank.count < least) return MMQ_WHY_UNJUDGED;
    deviation = sqrtf(variance(state, output, spec->bands));
    if (deviation < spec->min_deviation) return MMQ_WHY_WEAK;
    return spec->max_deviation > 0.0f && deviation > spec->max_deviation ? MMQ_WHY_STRONG : 0;
}

static float log_floored(float x) { return mmq_logf(x > SMALLEST ? x : SMALLEST); }

static void next_token(mmq_state_t *state, uint32_t output) {
    const mmq_modality_t *spec = state->spec;
    clear(state, state->of.bank.power, spec->bands + 2u, output);
    clear(state, state->of.bank.sums, (spec->bands + 1u) * 2u, output);
    for (uint32_t b = 0; b < spec->bands; b++) *sums_of(state, output, b) = -held(state, output, b);
    if (output + 1u == spec->outputs) state->of.bank.count = state->of.bank.segments = state->of.bank.filled = 0;
}

void mmq_bank_features(mmq_state_t *state, uint32_t output, float *out) {
    const mmq_modality_t *spec = state->spec;
    const mmq_bank_t *bank = &state->of.bank;
    const float *power = values(state, bank->power, spec->bands + 2u, output);
    const uint32_t width = width_of(state, output);
    for (uint32_t b = 0; b < spec->bands; b++, out++, power += width) {
        if (bank->count > 1) out[0] = 0.5f * log_floored(variance(state, output, b)) + HALF_LOG_2_PI_E;
        if (bank->segments) out[spec->bands] = log_floored(*power / (float)bank->segments * spec->psd_scale);
    }
    out += spec->bands;
    if (spec->kind == MMQ_EMG && bank->count > 1) {
        out[0] = mmq_logf(sqrtf(variance(state, output, spec->bands)) + FLOOR_RMS);
        if (power[0] > 0.0f) { /* the whole power; after it, times the bin */
            out[1] = power[width] / power[0] * spec->rate_hz / (float)(spec->decimate * spec->fft_size);
        }
    }
    next_token(state, output);
}
