/* SPDX-License-Identifier: Apache-2.0 */
/* slow.c: skin conductance, skin temperature, breath: mean decimation, the context, the mean of the token. */
#include "kinds.h"

#include <math.h>

#define SHORTEST_S 5.0f /* context for a slope */

void mmq_slow_layout(mmq_state_t *state, mmq_arena_t *arena) {
    const mmq_modality_t *spec = state->spec;
    state->of.slow = mmq_arena_take(arena, spec->outputs, sizeof *state->of.slow);
    for (uint32_t i = 0; i < spec->outputs; i++) {
        mmq_ring_t counted;
        mmq_ring_layout(state->of.slow ? &state->of.slow[i].context : &counted, arena, spec->context);
    }
}

/* What the token already has stays: eda and temp have no filter that would have to settle. */
void mmq_slow_restart(mmq_state_t *state, uint32_t output) {
    static const mmq_filter_t fresh = {0};
    mmq_slow_t *slow = state->of.slow + output;
    mmq_ring_clear(&slow->context);
    slow->mean = 0.0f;
    slow->mean_count = slow->mean_filled = slow->filled = 0;
    slow->filter = fresh;
}

void mmq_slow_block(mmq_state_t *state, uint32_t output, const float *x, uint32_t stride, uint32_t n) {
    const mmq_modality_t *spec = state->spec;
    mmq_slow_t *slow = state->of.slow + output;
    const int measured = mmq_is_measured(state, output);
    (void)stride; /* one row */
    if (spec->kind != MMQ_RESP && !state->channels[output].alive) return; /* resp: a wave, then of zeros */
    for (uint32_t i = 0; i < n; i++) {
        float mean;
        slow->mean += x[i];
        slow->mean_filled += !measured;
        if (++slow->mean_count < spec->decimate) continue;
        mean = slow->mean / (float)spec->decimate;
        slow->mean = 0.0f;
        slow->mean_count = 0;
        if (spec->kind == MMQ_RESP) {
            mean = mmq_filter(&slow->filter, spec->bank, mean, slow->mean_filled == 0);
        } else {
            mmq_spread_add(&slow->token, mean);
        }
        slow->filled += slow->mean_filled != 0;
        slow->mean_filled = 0;
        mmq_ring_put(&slow->context, mean);
    }
}

/* Least squares slope per sample, and population standard deviation of what it leaves; count >= 2. */
static float line_through(const mmq_ring_t *ring, float *deviation) {
    const float n = (float)ring->count, middle = 0.5f * (n - 1.0f), first = mmq_ring_get(ring, 0);
    float slope = 0.0f, mean = 0.0f, square = 0.0f;
    for (uint32_t i = 0; i < ring->count; i++) {
        const float x = mmq_ring_get(ring, i);
        slope += ((float)i - middle) * (x - first);
        mean += x;
    }
    slope /= n * (n * n - 1.0f) / 12.0f;
    mean /= n;
    for (uint32_t i = 0; i < ring->count; i++) {
        const float rest = mmq_ring_get(ring, i) - mean - slope * ((float)i - middle);
        square += rest * rest;
    }
    *deviation = sqrtf(square / n);
    return slope;
}

float mmq_slow_line(mmq_state_t *state, uint32_t output, float *line) {
    static const mmq_spread_t none = {0};
    const float rate = state->rate_hz;
    mmq_slow_t *slow = state->of.slow + output;
    const mmq_ring_t *ring = &slow->context;
    line[0] = MMQ_NAN;
    if (slow->token.n == 0.0f) return 0.0f;
    line[0] = mmq_spread_mean(&slow->token);
    slow->token = none;
    if (ring->count < 2 || (float)ring->count < SHORTEST_S * rate) return 0.0f;
    line[1] = line_through(ring, line + 2) * rate * 60.0f;
    return (float)ring->count / rate / 60.0f;
}
