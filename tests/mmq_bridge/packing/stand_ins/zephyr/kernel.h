/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZEPHYR_KERNEL_H
#define ZEPHYR_KERNEL_H
#include "../run.h"
struct k_timer {
    void (*expire)(struct k_timer *);
};
static struct k_timer *stand_in_timer;
static inline void stand_in_expire(void) { stand_in_timer->expire(stand_in_timer); }
#define K_TIMER_DEFINE(name, expired, stopped) static struct k_timer name = {expired}
#define K_USEC(us) (us)
static inline void k_timer_start(struct k_timer *timer, uint32_t first_us, uint32_t period_us) {
    stand_in_timer = timer;
    run_timer = stand_in_expire;
    if (first_us != period_us || period_us != 15625u) exit(3);
}
static inline void k_msleep(int32_t ms) { run_wait((uint32_t)ms * 64u / 1000u); }
#endif
