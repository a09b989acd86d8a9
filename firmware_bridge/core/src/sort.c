/* SPDX-License-Identifier: Apache-2.0 */
/* sort.c: small in-place sorting, and the median. */
#include "mmq_internal.h"

/* Shell sort with Knuth's gaps 1, 4, 13, 40, ...: no recursion, no memory. */
void mmq_sort(float *x, uint32_t n) {
    uint32_t gap = 1;
    while (gap < n) gap = 3u * gap + 1u;
    while (gap /= 3u) {
        for (uint32_t i = gap; i < n; i++) {
            const float value = x[i];
            uint32_t j = i;
            for (; j >= gap && x[j - gap] > value; j -= gap) x[j] = x[j - gap];
            x[j] = value;
        }
    }
}

float mmq_median(float *x, uint32_t n) {
    mmq_sort(x, n);
    return n % 2u ? x[n / 2u] : 0.5f * (x[n / 2u - 1u] + x[n / 2u]);
}
