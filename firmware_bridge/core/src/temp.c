/* temp.c: level, slope and deviation of skin temperature. */
#include "mmq_internal.h"

#include <math.h>

void mmq_temp_features(mmq_state_t *state, float *out) {
    const mmq_ring_t *ring = &state->context;
    const float rate = state->spec->rate_hz;
    out[0] = out[1] = out[2] = MMQ_NAN;
    if (state->count == 0) return;
    out[0] = state->accumulators[2] + state->accumulators[0] / (float)state->count;
    state->accumulators[0] = 0.0f;
    state->count = 0;
    if ((float)ring->count < 5.0f * rate) return;
    out[1] = mmq_ring_slope(ring) * rate * 60.0f;
    out[2] = mmq_logf(mmq_ring_deviation(ring) + 1e-3f);
}
