/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "app.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

static void on_timer(void *unused) {
    (void)unused;
    app_interrupt(); /* in the timer's task, which may run on the other core: the queue is made for that */
}

void app_main(void) {
    static char line[120];
    const esp_timer_create_args_t arguments = {.callback = on_timer, .name = "sensors"};
    esp_timer_handle_t timer;
    if (app_start() || esp_timer_create(&arguments, &timer) != ESP_OK) return;
    if (esp_timer_start_periodic(timer, 1000000u / APP_TICKS_PER_S) != ESP_OK) return;
    for (;;) {
        if (app_loop(line, sizeof line)) puts(line);
        vTaskDelay(pdMS_TO_TICKS(100));
    }
}
