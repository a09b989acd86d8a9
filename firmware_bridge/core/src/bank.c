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
    state->bank.states = mmq_arena_take(arena, n * spec->bands * 4u, sizeof(float));
    state->bank.sums = mmq_arena_take(arena, n * (spec->bands + 1u) * 2u, sizeof(float));
    state->bank.power = mmq_arena_take(arena, n * (spec->bands + 2u), sizeof(float));
    state->bank.segment = mmq_arena_take(arena, n * spec->fft_size, sizeof(float));
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

static void next_token(mmq_state_t *state) {
    const mmq_modality_t *spec = state->spec;
    mmq_bank_t *bank = &state->bank;
    for (uint32_t i = 0; i < spec->outputs * (spec->bands + 1u) * 2u; i++) bank->sums[i] = 0.0f;
    for (uint32_t i = 0; i < spec->outputs * (spec->bands + 2u); i++) bank->power[i] = 0.0f;
    for (uint32_t o = 0; o < spec->outputs; o++) {
        for (uint32_t b = 0; b < spec->bands; b++) *sum_at(state, o, 2u * b) = -held(state, o, b);
    }
    bank->count = 0;
    bank->segments = 0;
    bank->filled = 0;
}

void mmq_bank_restart(mmq_state_t *state) { state->bank.filled = 0; }

void mmq_bank_restart_output(mmq_state_t *state, uint32_t output) {
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

/* One Hann-windowed FFT of each output's segment, of which the newer half stays. */
static void add_segment(mmq_state_t *state) {
    const mmq_modality_t *spec = state->spec;
    const uint32_t n = spec->fft_size;
    float *work = state->scratch->work;
    for (uint32_t o = 0, width; o < spec->outputs; o += width) {
        uint32_t first;
        float *segment = state->bank.segment + (size_t)o * n;
        width = mmq_group(spec, spec->outputs, o, &first);
        MMQ_BY_WIDTH(width, mmq_segment_power, spec, segment, work);
        for (uint32_t lane = 0; lane < width; lane++) {
            add_power(spec, work + lane, width, state->bank.power + (size_t)o * (spec->bands + 2u) + lane);
        }
        memcpy(segment, segment + (size_t)n / 2 * width, (size_t)n / 2 * width * sizeof(float));
    }
    state->bank.segments++;
    state->bank.filled = n / 2;
}

void mmq_bank_block(mmq_state_t *state, const float *x, uint32_t n) {
    const mmq_modality_t *spec = state->spec;
    mmq_bank_t *bank = &state->bank;
    for (uint32_t o = 0, width; o < spec->outputs; o += width) {
        uint32_t first;
        width = mmq_group(spec, spec->outputs, o, &first);
        MMQ_BY_WIDTH(width, mmq_bank_filter, spec, x + (size_t)o * MMQ_BLOCK, n,
                     bank->states + (size_t)o * spec->bands * 4u, bank->sums + (size_t)o * (spec->bands + 1u) * 2u);
    }
    bank->count += n;
    for (uint32_t done = 0; done < n;) {
        uint32_t part = spec->fft_size - bank->filled;
        if (part > n - done) part = n - done;
        for (uint32_t o = 0, width; o < spec->outputs; o += width) {
            uint32_t first;
            float *segment = bank->segment + (size_t)o * spec->fft_size;
            const float *from = x + (size_t)o * MMQ_BLOCK;
            width = mmq_group(spec, spec->outputs, o, &first);
            memcpy(segment + bank->filled * width, from + done * width, part * width * sizeof(float));
        }
        bank->filled += part;
        done += part;
        if (bank->filled == spec->fft_size) add_segment(state);
    }
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

uint16_t mmq_bank_quality(const mmq_state_t *state, uint32_t output) {
    const mmq_modality_t *spec = state->spec;
    float deviation;
    if (state->bank.count < ENOUGH) return 0;
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

void mmq_bank_features(mmq_state_t *state, float *out) {
    const mmq_modality_t *spec = state->spec;
    const mmq_bank_t *bank = &state->bank;
    for (uint32_t o = 0; o < spec->outputs; o++) {
        for (uint32_t b = 0; b < spec->bands; b++, out++) {
            const float power = *value(state, bank->power, spec->bands + 2u, o, b);
            out[0] = bank->count > 1 ? 0.5f * log_floored(variance(state, o, b)) + HALF_LOG_2_PI_E : MMQ_NAN;
            out[spec->bands] =
                bank->segments ? log_floored(power / (float)bank->segments * spec->psd_scale) : MMQ_NAN;
        }
        out += spec->bands;
        if (spec->kind != MMQ_EMG) continue;
        *out++ = bank->count > 1 ? mmq_logf(sqrtf(variance(state, o, spec->bands)) + FLOOR_RMS) : MMQ_NAN;
        *out++ = mean_frequency(state, o);
    }
    next_token(state);
}
