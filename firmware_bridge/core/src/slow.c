/* slow.c: skin conductance and skin temperature: mean decimation, the context, the mean of the token. */
#include "kinds.h"

#define SHORTEST_S 5.0f /* context for a slope */

void mmq_slow_layout(mmq_state_t *state, mmq_arena_t *arena) {
    const mmq_modality_t *spec = state->spec;
    state->slow = mmq_arena_take(arena, spec->outputs, sizeof *state->slow);
    for (uint32_t i = 0; i < spec->outputs; i++) {
        mmq_ring_layout(state->slow ? &state->slow[i].context : NULL, arena, spec->context);
    }
}

void mmq_slow_restart(mmq_state_t *state, uint32_t output) {
    mmq_slow_t *slow = state->slow + output;
    mmq_ring_clear(&slow->context);
    slow->mean = 0.0f;
    slow->mean_count = 0;
}

/* The token's sum is of differences from its first sample: at 33 degC float32 would lose the last digits otherwise. */
static void put(mmq_slow_t *slow, float x) {
    mmq_ring_put(&slow->context, x);
    if (slow->count == 0) {
        slow->first = x;
        slow->sum = 0.0f;
    }
    slow->sum += x - slow->first;
    slow->count++;
}

void mmq_slow_block(mmq_state_t *state, uint32_t output, const float *x, uint32_t n) {
    const uint32_t decimate = state->spec->decimate;
    mmq_slow_t *slow = state->slow + output;
    for (uint32_t i = 0; i < n; i++) {
        slow->mean += x[i];
        if (++slow->mean_count < decimate) continue;
        put(slow, slow->mean / (float)decimate);
        slow->mean = 0.0f;
        slow->mean_count = 0;
    }
}

float mmq_slow_line(mmq_state_t *state, uint32_t output, float *mean, float *slope, float *deviation) {
    const float rate = state->spec->rate_hz / (float)state->spec->decimate;
    mmq_slow_t *slow = state->slow + output;
    const mmq_ring_t *ring = &slow->context;
    *mean = *slope = *deviation = MMQ_NAN;
    if (slow->count == 0) return 0.0f;
    *mean = slow->first + slow->sum / (float)slow->count;
    slow->count = 0;
    if (ring->count < 2 || (float)ring->count < SHORTEST_S * rate) return 0.0f;
    *slope = mmq_ring_slope(ring) * rate * 60.0f;
    *deviation = mmq_ring_deviation(ring);
    return (float)ring->count / rate / 60.0f;
}
