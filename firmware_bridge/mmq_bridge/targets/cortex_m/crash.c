/* SPDX-License-Identifier: Apache-2.0 */
/* crash.c: crashes on purpose, to show that a crash becomes exit code 99. Built with -DCRASH=1, 2 or 3. */
#include <stdint.h>

static volatile uint32_t zero;

#if CRASH == 2
#pragma GCC diagnostic ignored "-Winfinite-recursion" /* on purpose */
/* Deeper than any stack; volatile, so that no compiler makes a loop of it. */
static uint32_t deeper(volatile uint32_t *above) {
    volatile uint32_t here[64];
    here[0] = *above + 1u;
    here[63] = deeper(here);
    return here[63] + here[0];
}
#endif

int main(void) {
#if CRASH == 1
    return (int)*(volatile uint32_t *)0xF0000000u; /* no board has memory there */
#elif CRASH == 2
    return (int)deeper(&zero);
#else
    __asm volatile("udf #0"); /* no such instruction */
    return (int)zero;
#endif
}
