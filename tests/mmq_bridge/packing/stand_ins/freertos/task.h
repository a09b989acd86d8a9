/* SPDX-License-Identifier: Apache-2.0 */
#include "../run.h"
#define pdMS_TO_TICKS(ms) ((ms) * 64u / 1000u)
static inline void vTaskDelay(uint32_t ticks) { run_wait(ticks); }
