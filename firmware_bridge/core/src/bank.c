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
    state->bank.states = mmq_arena_floats(arena, n * spec->bands * 4u);
    state->bank.sums = mmq_arena_floats(arena, n * (spec->bands + 1u) * 2u);
    state->bank.power = mmq_arena_floats(arena, n * (spec->bands + 2u));
    state->bank.segment = mmq_arena_floats(arena, n * spec->fft_size);
}

/* Value k of an output's `size` values, in an array of groups. */
static float *value(const mmq_state_t *state, float *array, uint32_t size, uint32_t output, uint32_t k) {
    uint32_t first;
    const uint32_t width = mmq_group(state->spec, state->spec->outputs, output, &first);
    return array + (size_t)first * size + (size_t)k * width + (output - first);
}

static float *sum_at(const mmq_state_t *state, uint32_t output, uint32_t k) {
    return value(state, state->bank.sums, (state->spec->bands + 1u) * 2u, output, k);
}

/* What the second section of a band holds. Its output y sums up, over any stretch of samples, to what this grew by,
 * over 1 + c1 + c2: its zeros at +1 and -1 let nothing else through. sums[2 b] starts a token as minus this. */
static float held(const mmq_state_t *state, uint32_t output, uint32_t b) {
    const uint32_t size = state->spec->bands * 4u;
    return *value(state, state->bank.states, size, output, 4u * b + 2u) +
           *value(state, state->bank.states, size, output, 4u * b + 3u);
}

void mmq_bank_restart(mmq_state_t *state, uint32_t output) {
    const uint32_t size = state->spec->bands * 4u;
    for (uint32_t b = 0; b < state->spec->bands; b++) *sum_at(state, output, 2u * b) += held(state, output, b);
    for (uint32_t k = 0; k < size; k++) *value(state, state->bank.states, size, output, k) = 0.0f;
}

static float bins_between(const float *work, uint32_t width, uint32_t low, uint32_t high) {
    float sum = 0.0f;
    for (uint32_t k = low; k < high; k++) sum += work[(size_t)2 * k * width];
    return sum;
}

/* Add the band powers of one lane's spectrum, for emg also the whole power and it times the bin. */
static void add_power(const mmq_modality_t *spec, const float *work, uint32_t width, float *power) {
    const uint32_t last = spec->fft_size / 2u;
    for (uint32_t b = 0; b < spec->bands; b++) {
        const uint32_t low = spec->band_bins[2 * b], high = spec->band_bins[2 * b + 1];
        power[(size_t)b * width] += bins_between(work, width, low, high) / (float)(high - low);
    }
    if (spec->kind != MMQ_EMG) return;
    power[(size_t)spec->bands * width] += bins_between(work, width, 1, last + 1u);
    for (uint32_t k = 1; k <= last; k++) {
        power[(size_t)(spec->bands + 1u) * width] += (float)k * work[(size_t)2 * k * width];
    }
}

/* Hann-windowed FFT of the full segments of a group of outputs, of which the newer half stays. */
static void add_segment(mmq_state_t *state, uint32_t output, uint32_t width, float *segment) {
    const mmq_modality_t *spec = state->spec;
    const size_t half = (size_t)spec->fft_size / 2u * width;
    float *work = state->scratch.work, *power = state->bank.power + (size_t)output * (spec->bands + 2u);
    MMQ_BY_WIDTH(width, mmq_segment_power, spec, segment, work);
    for (uint32_t lane = 0; lane < width; lane++) add_power(spec, work + lane, width, power + lane);
    memcpy(segment, segment + half, half * sizeof(float));
}

void mmq_bank_block(mmq_state_t *state, uint32_t output, const float *x, uint32_t stride, uint32_t n) {
    const mmq_modality_t *spec = state->spec;
    mmq_bank_t *bank = &state->bank;
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
    const mmq_modality_t *spec = state->spec;
    const float n = (float)state->bank.count, square = *sum_at(state, output, 2u * b + 1u) / n;
    float mean = *sum_at(state, output, 2u * b) / n, gain = 1.0f, result;
    if (b < spec->bands) {
        const float *c = spec->bank + 5u * b;
        gain = c[0];
        mean = (*sum_at(state, output, 2u * b) + held(state, output, b)) / ((1.0f + c[3] + c[4]) * n);
    }
    result = (square - mean * mean) * gain * gain;
    return result > 0.0f ? result : 0.0f;
}

uint16_t mmq_bank_quality(const mmq_state_t *state, uint32_t output, float least) {
    const mmq_modality_t *spec = state->spec;
    float deviation;
    if (state->bank.count < ENOUGH || (float)state->bank.count < least) return 0;
    deviation = sqrtf(variance(state, output, spec->bands));
    if (deviation < spec->min_deviation) return MMQ_WHY_WEAK;
    return spec->max_deviation > 0.0f && deviation > spec->max_deviation ? MMQ_WHY_STRONG : 0;
}

static float log_floored(float x) { return mmq_logf(x > SMALLEST ? x : SMALLEST); }

static float mean_frequency(const mmq_state_t *state, uint32_t output) {
    const mmq_modality_t *spec = state->spec;
    const float whole = *value(state, state->bank.power, spec->bands + 2u, output, spec->bands);
    const float moment = *value(state, state->bank.power, spec->bands + 2u, output, spec->bands + 1u);
    if (!(whole > 0.0f)) return MMQ_NAN;
    return moment / whole * spec->rate_hz / (float)(spec->decimate * spec->fft_size);
}

static void next_token(mmq_state_t *state, uint32_t output) {
    const mmq_modality_t *spec = state->spec;
    for (uint32_t b = 0; b <= spec->bands; b++) {
        *sum_at(state, output, 2u * b) = b < spec->bands ? -held(state, output, b) : 0.0f;
        *sum_at(state, output, 2u * b + 1u) = 0.0f;
    }
    for (uint32_t k = 0; k < spec->bands + 2u; k++) *value(state, state->bank.power, spec->bands + 2u, output, k) = 0.0f;
    if (output + 1u == spec->outputs) state->bank.count = state->bank.segments = state->bank.filled = 0;
}

void mmq_bank_features(mmq_state_t *state, uint32_t output, float *out) {
    const mmq_modality_t *spec = state->spec;
    const mmq_bank_t *bank = &state->bank;
    for (uint32_t b = 0; b < spec->bands; b++, out++) {
        const float power = *value(state, bank->power, spec->bands + 2u, output, b);
        out[0] = bank->count > 1 ? 0.5f * log_floored(variance(state, output, b)) + HALF_LOG_2_PI_E : MMQ_NAN;
        out[spec->bands] = bank->segments ? log_floored(power / (float)bank->segments * spec->psd_scale) : MMQ_NAN;
    }
    if (spec->kind == MMQ_EMG) {
        out += spec->bands;
        out[0] = bank->count > 1 ? mmq_logf(sqrtf(variance(state, output, spec->bands)) + FLOOR_RMS) : MMQ_NAN;
        out[1] = mean_frequency(state, output);
    }
    next_token(state, output);
}
