/* clock.c: seconds from a 32-bit counter that wraps around. */
#include "mmq_internal.h"

double mmq_clock_s(mmq_clock_t *clock, uint32_t ticks) {
    uint32_t step;
    if (!clock || !(clock->ticks_per_s > 0.0)) return 0.0;
    step = clock->started ? ticks - clock->last : 0u;
    clock->total += step <= 0x80000000u ? (int64_t)step : (int64_t)step - ((int64_t)1 << 32);
    clock->last = ticks;
    clock->started = 1;
    return (double)clock->total / clock->ticks_per_s;
}
