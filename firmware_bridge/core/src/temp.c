/* SPDX-License-Identifier: Apache-2.0 */
/* temp.c: level, slope and deviation of skin temperature. */
#include "kinds.h"

#define FLOOR_C 1e-3f

void mmq_temp_features(mmq_state_t *state, uint32_t output, float *out) {
    if (mmq_slow_line(state, output, out) > 0.0f) out[2] = mmq_logf(out[2] + FLOOR_C);
}
