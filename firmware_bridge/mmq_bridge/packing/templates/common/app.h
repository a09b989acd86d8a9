/* SPDX-License-Identifier: Apache-2.0 */
/* app.h: the example: made-up sensors, a queue from an interrupt each, decisions. Put your sensors in app.c's place. */
#ifndef APP_H
#define APP_H

#include <stddef.h>

#include "mmq_decision.h"

#ifdef __cplusplus
extern "C" {
#endif

#define APP_TICKS_PER_S @TICKS_PER_S@u /* how often the timer interrupts: the fastest sensor's rate */

/* Once: 0 when everything fits together. */
int app_start(void);

/* From a timer's interrupt, APP_TICKS_PER_S times a second: what the sensors measured goes into their queues. */
void app_interrupt(void);

/* From the loop, a few times a second: 1 when there is a new decision, with a line about it. */
int app_loop(char *line, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
