/* motion.c: how much and how abruptly the wearer moves, and how the sensor is tilted. */
#include "mmq_internal.h"

#include <math.h>

#define FEATURES 7u
#define ACTIVE_G 0.05f
#define FLOOR_G 1e-3f

void mmq_motion_layout(mmq_state_t *state, mmq_arena_t *arena) {
    state->motions = mmq_arena_take(arena, state->spec->outputs, sizeof *state->motions);
}

/* No step leads over a gap; what the token already has stays. */
void mmq_motion_restart(mmq_state_t *state, uint32_t output) { state->motions[output].have_previous = 0; }

static void add_frame(mmq_motion_t *motion, const float *frame, uint32_t stride) {
    float magnitude = 0.0f, change = 0.0f;
    for (uint32_t i = 0; i < 3; i++) {
        const float x = frame[i * stride], step = x - motion->previous[i];
        magnitude += x * x;
        change += step * step;
        motion->sums[i] += x;
        motion->previous[i] = x;
    }
    magnitude = sqrtf(magnitude);
    if (motion->count++ == 0) motion->first = magnitude;
    magnitude -= motion->first;
    motion->sum += magnitude;
    motion->square += magnitude * magnitude;
    if (motion->have_previous) {
        motion->step_square += change;
        motion->steps += 1.0f;
        if (change > ACTIVE_G * ACTIVE_G) motion->active += 1.0f;
    }
    motion->have_previous = 1;
}

void mmq_motion_block(mmq_state_t *state, uint32_t output, const float *x, uint32_t stride, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) add_frame(state->motions + output, x + i, stride);
}

static void tilt(mmq_motion_t *motion, float *out) {
    float norm = 0.0f, change = 0.0f;
    for (int i = 0; i < 3; i++) {
        const float mean = motion->sums[i] / (float)motion->count;
        norm += mean * mean;
        out[i] = mean;
    }
    norm = sqrtf(norm);
    for (int i = 0; i < 3; i++) {
        const float now = norm > 0.1f ? out[i] / norm : MMQ_NAN;
        change += (now - motion->tilt[i]) * (now - motion->tilt[i]);
        out[i] = motion->tilt[i] = now;
    }
    if (norm > 0.1f && motion->have_tilt) out[3] = mmq_logf(sqrtf(change) + 0.01f);
    motion->have_tilt = norm > 0.1f;
}

static void next_token(mmq_motion_t *motion) {
    motion->sums[0] = motion->sums[1] = motion->sums[2] = 0.0f;
    motion->sum = motion->square = 0.0f;
    motion->step_square = motion->steps = motion->active = 0.0f;
    motion->count = 0;
}

void mmq_motion_features(mmq_state_t *state, uint32_t output, float *out) {
    mmq_motion_t *motion = state->motions + output;
    const float n = (float)motion->count;
    float mean, variance;
    for (uint32_t i = 0; i < FEATURES; i++) out[i] = MMQ_NAN;
    if (motion->count == 0) return;
    mean = motion->sum / n;
    variance = motion->square / n - mean * mean;
    out[0] = mmq_logf(sqrtf(variance > 0.0f ? variance : 0.0f) + FLOOR_G);
    if (motion->steps > 0.0f) {
        out[1] = mmq_logf(sqrtf(motion->step_square / motion->steps) * state->spec->rate_hz + FLOOR_G);
        out[6] = motion->active / motion->steps;
    }
    tilt(motion, out + 2);
    next_token(motion);
}
