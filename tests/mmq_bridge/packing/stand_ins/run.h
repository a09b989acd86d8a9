/* SPDX-License-Identifier: Apache-2.0 */
/* run.h: stands in for a system's timer: whoever waits lets so many ticks pass, and after 150 s the program ends. */
#ifndef RUN_H
#define RUN_H
#include <stdint.h>
#include <stdlib.h>
#define RUN_TICKS (150u * 64u)
static void (*run_timer)(void);
static uint32_t run_ticks;
static inline void run_wait(uint32_t ticks) {
    for (; ticks; ticks--) {
        if (run_ticks++ == RUN_TICKS) exit(0);
        run_timer();
    }
}
#endif
