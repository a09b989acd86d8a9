/* acc.c: how much and how abruptly the wearer moves, and how the sensor is tilted. */
#include "mmq_internal.h"

#include <math.h>

#define ACTIVE_G 0.05f
#define FLOOR_G 1e-3f

/* accumulators: 0-2 sums, 3 sum and 4 squares of magnitude less the token's first (12), 5 squared steps, 6 steps,
 * 7 active steps; 8-10 last tilt, 11 whether there is one */
void mmq_acc_restart(mmq_state_t *state) { state->previous[3] = 0.0f; }

void mmq_acc_sample(mmq_state_t *state, const float *frame) {
    float *a = state->accumulators, *previous = state->previous;
    const float magnitude = sqrtf(frame[0] * frame[0] + frame[1] * frame[1] + frame[2] * frame[2]);
    for (int i = 0; i < 3; i++) a[i] += frame[i];
    if (state->count == 0) a[12] = magnitude;
    a[3] += magnitude - a[12];
    a[4] += (magnitude - a[12]) * (magnitude - a[12]);
    if (previous[3] > 0.0f) {
        float square = 0.0f;
        for (int i = 0; i < 3; i++) square += (frame[i] - previous[i]) * (frame[i] - previous[i]);
        a[5] += square;
        a[6] += 1.0f;
        if (square > ACTIVE_G * ACTIVE_G) a[7] += 1.0f;
    }
    for (int i = 0; i < 3; i++) previous[i] = frame[i];
    previous[3] = 1.0f;
    state->count++;
}

void mmq_acc_features(mmq_state_t *state, float *out) {
    float *a = state->accumulators;
    const float n = (float)state->count, rate = state->spec->rate_hz;
    float mean[3], norm = 0.0f, variance, change = 0.0f;
    for (uint32_t i = 0; i < state->spec->features; i++) out[i] = MMQ_NAN;
    if (state->count == 0) return;
    for (int i = 0; i < 3; i++) mean[i] = a[i] / n;
    for (int i = 0; i < 3; i++) norm += mean[i] * mean[i];
    norm = sqrtf(norm);
    variance = a[4] / n - (a[3] / n) * (a[3] / n);
    out[0] = mmq_logf(sqrtf(variance > 0.0f ? variance : 0.0f) + FLOOR_G);
    if (a[6] > 0.0f) {
        out[1] = mmq_logf(sqrtf(a[5] / a[6]) * rate + FLOOR_G);
        out[6] = a[7] / a[6];
    }
    if (norm > 0.1f) {
        for (int i = 0; i < 3; i++) {
            const float tilt = mean[i] / norm;
            change += (tilt - a[8 + i]) * (tilt - a[8 + i]);
            out[2 + i] = tilt;
            a[8 + i] = tilt;
        }
        if (a[11] > 0.0f) out[5] = mmq_logf(sqrtf(change) + 0.01f);
        a[11] = 1.0f;
    } else {
        a[11] = 0.0f;
    }
    for (int i = 0; i < 8; i++) a[i] = 0.0f;
    state->count = 0;
}
