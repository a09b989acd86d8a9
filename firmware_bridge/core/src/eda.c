/* eda.c: tonic level, slope, phasic deviation and skin conductance responses over the context. */
#include "mmq_internal.h"

#include <math.h>

#define SCR_US 0.01f /* smallest rise that counts (Boucsein 2012: 0.01 to 0.05 uS) */
#define FLOOR_US 1e-4f

void mmq_eda_layout(mmq_state_t *state, mmq_arena_t *arena) {
    state->context.at = mmq_arena_take(arena, state->spec->context, sizeof(float));
    state->context.capacity = state->spec->context;
}

void mmq_eda_restart(mmq_state_t *state) {
    state->context.count = 0;
    state->context.next = 0;
}

void mmq_eda_sample(mmq_state_t *state, const float *frame) {
    mmq_ring_put(&state->context, frame[0]);
    state->accumulators[0] += frame[0] - (state->accumulators[2] = state->count ? state->accumulators[2] : frame[0]);
    state->count++;
}

float mmq_ring_slope(const mmq_ring_t *ring) {
    const float n = (float)ring->count, middle = 0.5f * (n - 1.0f), first = mmq_ring_get(ring, 0);
    float sum = 0.0f;
    for (uint32_t i = 0; i < ring->count; i++) sum += ((float)i - middle) * (mmq_ring_get(ring, i) - first);
    return sum / (n * (n * n - 1.0f) / 12.0f);
}

float mmq_ring_deviation(const mmq_ring_t *ring) {
    const float slope = mmq_ring_slope(ring), mean = mmq_ring_mean(ring), middle = 0.5f * ((float)ring->count - 1.0f);
    float square = 0.0f;
    for (uint32_t i = 0; i < ring->count; i++) {
        const float rest = mmq_ring_get(ring, i) - mean - slope * ((float)i - middle);
        square += rest * rest;
    }
    return sqrtf(square / (float)ring->count);
}

static float token_mean(mmq_state_t *state) {
    const float mean = state->accumulators[2] + state->accumulators[0] / (float)state->count;
    state->accumulators[0] = 0.0f;
    state->count = 0;
    return mean;
}

/* Rises of at least SCR_US from trough to peak. */
static void responses(const mmq_ring_t *ring, float *count, float *sum) {
    float low = mmq_ring_get(ring, 0), high = low;
    int rising = 0;
    *count = *sum = 0.0f;
    for (uint32_t i = 1; i < ring->count; i++) {
        const float x = mmq_ring_get(ring, i);
        if (rising) {
            if (x > high) high = x;
            if (high - x >= 0.5f * SCR_US) {
                *count += 1.0f;
                *sum += high - low;
                rising = 0;
                low = x;
            }
        } else {
            if (x < low) low = x;
            if (x - low >= SCR_US) {
                rising = 1;
                high = x;
            }
        }
    }
    if (rising) {
        *count += 1.0f;
        *sum += high - low;
    }
}

void mmq_eda_features(mmq_state_t *state, float *out) {
    const mmq_ring_t *ring = &state->context;
    const float rate = state->spec->rate_hz;
    float tonic, count, sum, minutes;
    for (uint32_t i = 0; i < state->spec->features; i++) out[i] = MMQ_NAN;
    if (state->count == 0) return;
    tonic = token_mean(state);
    out[0] = mmq_logf(tonic);
    if ((float)ring->count < 5.0f * rate) return;
    minutes = (float)ring->count / rate / 60.0f;
    out[1] = mmq_ring_slope(ring) * rate * 60.0f / tonic;
    out[2] = mmq_logf(mmq_ring_deviation(ring) + FLOOR_US);
    responses(ring, &count, &sum);
    out[3] = count / minutes;
    out[4] = mmq_logf(sum / minutes + SCR_US);
    out[5] = mmq_logf(mmq_ring_deviation(ring) / tonic + FLOOR_US);
}
