/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: the example on a PC, where a loop plays the timer, and on a Cortex-M, where SysTick interrupts. */
#include <stdio.h>

#include "app.h"

#define SECONDS 150u

static char line[120];

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
#define SYST ((volatile uint32_t *)0xE000E010u)

static volatile uint32_t ticks;

void systick(void); /* in the vectors of your start-up code: often called SysTick_Handler */
void systick(void) {
    if (ticks++ < SECONDS * APP_TICKS_PER_S) app_interrupt();
}

int main(void) {
    if (app_start()) return 1;
    SYST[1] = 25000u - 1u; /* faster than a wearer lives: every 1 ms of a 25 MHz clock */
    SYST[2] = 0;
    SYST[0] = 7u; /* processor clock, interrupt, on */
    for (int last = 0; !last;) {
        last = ticks >= SECONDS * APP_TICKS_PER_S;
        if (app_loop(line, sizeof line)) puts(line);
        __asm volatile("wfi");
    }
    return 0;
}
#else
int main(void) {
    if (app_start()) return 1;
    for (uint32_t tick = 0; tick < SECONDS * APP_TICKS_PER_S; tick++) {
        app_interrupt();
        if (app_loop(line, sizeof line)) puts(line);
    }
    return 0;
}
#endif
