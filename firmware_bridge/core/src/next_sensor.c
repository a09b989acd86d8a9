/* SPDX-License-Identifier: Apache-2.0 */
/* next_sensor.c: which sensor an undecided wearer should get next. A program that does not ask links none of it. */
#include "mmq_decision.h"

int32_t mmq_next_sensor(const mmq_next_t *table, const mmq_decision_t *decision, uint32_t can) {
    uint32_t here = 0, most = 0;
    int32_t best = -1;
    const uint8_t *gains;
    if (!table || !decision || table->n_modalities > MMQ_NEXT_MODALITIES) return -1;
    if (decision->abstention != MMQ_ABSTAIN_UNSURE && decision->abstention != MMQ_ABSTAIN_ABSENT) return -1;
    for (uint32_t m = 0; m < table->n_modalities; m++) {
        if (2u * decision->present[m] >= decision->tokens) here |= 1u << m;
    }
    gains = table->gain + here * table->n_modalities;
    for (uint32_t m = 0; m < table->n_modalities; m++) {
        if ((can & ~here) >> m & 1u && gains[m] > most) {
            most = gains[m];
            best = (int32_t)m;
        }
    }
    return best;
}
