/* SPDX-License-Identifier: Apache-2.0 */
/* flash.c: the smallest program that uses all of the bridge, to see what it draws in of libgcc and libm. */
#include "mmq_bridge.h"

void *volatile used[12];
void reset(void);

void reset(void) {
    const void *functions[] = {
        (const void *)mmq_bridge_size,    (const void *)mmq_bridge_init,     (const void *)mmq_bridge_push,
        (const void *)mmq_bridge_advance, (const void *)mmq_bridge_token,    (const void *)mmq_bridge_window,
        (const void *)mmq_bridge_closed,  (const void *)mmq_bridge_window_i8, (const void *)mmq_bridge_reasons,
        (const void *)mmq_bridge_beats,   (const void *)mmq_bridge_lead_off, (const void *)mmq_clock_s,
    };
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) used[i] = (void *)functions[i];
    for (;;) {}
}
