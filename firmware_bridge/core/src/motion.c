/* SPDX-License-Identifier: Apache-2.0 */
/* motion.c: how much and how abruptly the wearer moves, and how the sensor is tilted. */
#include "mmq_internal.h"

#include <math.h>

#define ACTIVE_G 0.05f
#define FLOOR_G 1e-3f

void mmq_motion_layout(mmq_state_t *state, mmq_arena_t *arena) {
    state->of.motions = mmq_arena_take(arena, state->spec->outputs, sizeof *state->of.motions);
}

/* No step leads over a gap; what the token already has stays. */
void mmq_motion_restart(mmq_state_t *state, uint32_t output) { state->of.motions[output].have_previous = 0; }

static void add_frame(mmq_motion_t *motion, const float *frame, uint32_t stride) {
    float magnitude = 0.0f, change = 0.0f;
    for (uint32_t i = 0; i < 3; i++) {
        const float x = frame[i * stride], step = x - motion->previous[i];
        magnitude += x * x;
        change += step * step;
        motion->token.sums[i] += x;
        motion->previous[i] = x;
    }
    mmq_spread_add(&motion->token.magnitude, sqrtf(magnitude));
    if (motion->have_previous) {
        motion->token.step_square += change;
        motion->token.steps += 1.0f;
        if (change > ACTIVE_G * ACTIVE_G) motion->token.active += 1.0f;
    }
    motion->have_previous = 1;
}

void mmq_motion_block(mmq_state_t *state, uint32_t output, const float *x, uint32_t stride, uint32_t n) {
    const mmq_channel_t *axes = state->channels + 3u * output;
    if (!axes[0].alive || !axes[1].alive || !axes[2].alive) return;
    for (uint32_t i = 0; i < n; i++) add_frame(state->of.motions + output, x + i, stride);
}

static void tilt(mmq_motion_t *motion, float *out) {
    float norm = 0.0f, change = 0.0f;
    for (int i = 0; i < 3; i++) {
        const float mean = motion->token.sums[i] / motion->token.magnitude.n;
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

void mmq_motion_features(mmq_state_t *state, uint32_t output, float *out) {
    static const mmq_motion_token_t none = {0};
    mmq_motion_t *motion = state->of.motions + output;
    const mmq_motion_token_t *token = &motion->token;
    if (token->magnitude.n == 0.0f) return;
    out[0] = mmq_logf(mmq_spread_deviation(&token->magnitude) + FLOOR_G);
    if (token->steps > 0.0f) {
        out[1] = mmq_logf(sqrtf(token->step_square / token->steps) * state->spec->rate_hz + FLOOR_G);
        out[6] = token->active / token->steps;
    }
    tilt(motion, out + 2);
    motion->token = none;
}
