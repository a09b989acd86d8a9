/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c: seconds to nanoseconds, and from a 32-bit counter that wraps around. */
#include "mmq_internal.h"

#define MAX_TIME_S 4e9

int64_t mmq_rounded(double x) { return (int64_t)(x < 0.0 ? x - 0.5 : x + 0.5); }

int mmq_nanoseconds(double s, int64_t *ns) {
    if (!(s >= -MAX_TIME_S && s <= MAX_TIME_S)) return 0;
    *ns = mmq_rounded(s * 1e9);
    return 1;
}

double mmq_clock_s(mmq_clock_t *clock, uint32_t ticks) {
    uint32_t step;
    if (!clock || !(clock->ticks_per_s > 0.0)) return 0.0;
    step = clock->started ? ticks - clock->last : 0u;
    clock->total += step <= 0x80000000u ? (int64_t)step : (int64_t)step - ((int64_t)1 << 32);
    clock->last = ticks;
    clock->started = 1;
    return (double)clock->total / clock->ticks_per_s;
}
