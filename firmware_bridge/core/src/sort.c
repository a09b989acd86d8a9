/* sort.c: small in-place sorting, and the median. */
#include "mmq_internal.h"

/* Shell sort with Ciura's gaps: no recursion, no memory. */
void mmq_sort(float *x, uint32_t n) {
    static const uint32_t gaps[8] = {701, 301, 132, 57, 23, 10, 4, 1};
    for (uint32_t g = 0; g < 8; g++) {
        const uint32_t gap = gaps[g];
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
