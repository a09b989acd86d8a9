/* SPDX-License-Identifier: Apache-2.0 */
/* eda.c: tonic level, slope, phasic deviation and skin conductance responses over the context. */
#include "kinds.h"

#define SCR_US 0.01f /* smallest rise that counts (Boucsein 2012: 0.01 to 0.05 uS) */
#define FLOOR_US 1e-4f

/* Rises of at least SCR_US from trough to peak. */
static void responses(const mmq_ring_t *ring, float *count, float *sum) {
    float low = mmq_ring_get(ring, 0), high = low;
    int rising = 0;
    *count = *sum = 0.0f;
    for (uint32_t i = 1; i <= ring->count; i++) {
        const int end = i == ring->count; /* the last sample once more: it ends what still rises */
        const float x = mmq_ring_get(ring, end ? i - 1u : i);
        if (rising) {
            if (x > high) high = x;
            if (end || high - x >= 0.5f * SCR_US) {
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
}

void mmq_eda_features(mmq_state_t *state, uint32_t output, float *out) {
    float line[3], count, sum;
    const float minutes = mmq_slow_line(state, output, line);
    if (mmq_is_finite(line[0])) out[0] = mmq_logf(line[0]);
    if (!(minutes > 0.0f)) return;
    responses(&state->of.slow[output].context, &count, &sum);
    out[1] = line[1] / line[0];
    out[2] = mmq_logf(line[2] + FLOOR_US);
    out[3] = count / minutes;
    out[4] = mmq_logf(sum / minutes + SCR_US);
    out[5] = mmq_logf(line[2] / line[0] + FLOOR_US);
}
