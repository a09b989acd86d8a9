/* SPDX-License-Identifier: Apache-2.0 */
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#include "app.h"

static void on_timer(struct k_timer *timer) {
    (void)timer;
    app_interrupt(); /* a timer's function runs in the system clock's interrupt */
}

K_TIMER_DEFINE(sensor_timer, on_timer, NULL);

int main(void) {
    static char line[120];
    if (app_start()) return 1;
    k_timer_start(&sensor_timer, K_USEC(1000000 / APP_TICKS_PER_S), K_USEC(1000000 / APP_TICKS_PER_S));
    for (;;) {
        if (app_loop(line, sizeof line)) printk("%s\n", line);
        k_msleep(100);
    }
    return 0;
}
