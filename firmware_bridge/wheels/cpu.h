/* SPDX-License-Identifier: Apache-2.0 */
/* cpu.h: whether the processor and the system know AVX, for compilers whose runtime library has no
 * __cpu_model, such as Zig's. make.py puts it before every source of an x86-64 wheel. */
#ifndef MMQ_WHEELS_CPU_H
#define MMQ_WHEELS_CPU_H

#include <cpuid.h>

static inline int mmq_has_avx(void) {
    static int known = -1; /* two threads that ask at once find the same */
    if (known < 0) {
        const unsigned int wanted = (1u << 27) | (1u << 28); /* the system saves the registers; AVX */
        unsigned int a = 0, b = 0, c = 0, d = 0, low = 0, high = 0;
        int found = __get_cpuid(1, &a, &b, &c, &d) && (c & wanted) == wanted;
        if (found) {
            __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
            found = (low & 6u) == 6u;
        }
        known = found;
    }
    return known;
}

#define __builtin_cpu_supports(name) mmq_has_avx()

#endif
