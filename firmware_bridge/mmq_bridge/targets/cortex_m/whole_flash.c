/* SPDX-License-Identifier: Apache-2.0 */
/* whole_flash.c: the smallest program around a bundle's wearable.c, to be linked and weighed, not run. */
#include "mmq_decision.h"

mmq_status_t wearable_start(void);
mmq_status_t wearable_push(uint32_t sensor, const float *samples, uint32_t frames, double time_s);
int wearable_step(mmq_decision_t *decision);
void reset(void);

static float sample;
static mmq_decision_t decision;

void reset(void) {
    (void)wearable_start();
    for (;;) {
        (void)wearable_push(0, &sample, 1, 0.0);
        (void)wearable_step(&decision);
    }
}
