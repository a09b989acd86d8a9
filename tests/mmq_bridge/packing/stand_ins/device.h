/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"
#define SystemCoreClock 25000000u
void SysTick_Handler(void);
static inline uint32_t SysTick_Config(uint32_t ticks) {
    run_timer = SysTick_Handler;
    return ticks != 390625u;
}
static inline void __WFI(void) { run_wait(1); }
