/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ESP_TIMER_H
#define ESP_TIMER_H
#include "run.h"
#define ESP_OK 0
typedef struct {
    void (*callback)(void *);
    void *arg;
    const char *name;
} esp_timer_create_args_t;
typedef const esp_timer_create_args_t *esp_timer_handle_t;
static esp_timer_handle_t stand_in_timer;
static inline void stand_in_expire(void) { stand_in_timer->callback(stand_in_timer->arg); }
static inline int esp_timer_create(const esp_timer_create_args_t *arguments, esp_timer_handle_t *timer) {
    *timer = arguments;
    return ESP_OK;
}
static inline int esp_timer_start_periodic(esp_timer_handle_t timer, uint64_t period_us) {
    stand_in_timer = timer;
    run_timer = stand_in_expire;
    return period_us == 15625u ? ESP_OK : 3;
}
void app_main(void);
int main(void) {
    app_main();
    return 4; /* it must not return */
}
#endif
