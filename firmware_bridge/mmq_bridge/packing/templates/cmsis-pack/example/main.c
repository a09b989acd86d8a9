/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "RTE_Components.h"
#include CMSIS_device_header

#include "app.h"

void SysTick_Handler(void);
void SysTick_Handler(void) { app_interrupt(); }

int main(void) {
    static char line[120];
    if (app_start() || SysTick_Config(SystemCoreClock / APP_TICKS_PER_S)) return 1;
    for (;;) {
        if (app_loop(line, sizeof line)) puts(line);
        __WFI();
    }
}
