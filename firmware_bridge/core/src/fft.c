/* fft.c: power spectrum of n real numbers through a complex FFT of half the length (lanes.h). */
#include "mmq_internal.h"

static void reverse_bits(float *z, uint32_t n) {
    for (uint32_t i = 1, j = 0; i < n; i++) {
        uint32_t bit = n >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j |= bit;
        if (i < j) {
            const float re = z[2 * i], im = z[2 * i + 1];
            z[2 * i] = z[2 * j];
            z[2 * i + 1] = z[2 * j + 1];
            z[2 * j] = re;
            z[2 * j + 1] = im;
        }
    }
}

void mmq_power_spectrum(float *x, uint32_t n, const float *twiddles) {
    reverse_bits(x, n / 2);
    mmq_transform(x, n / 2, twiddles);
    for (uint32_t k = 1; k <= n / 2; k++) x[k] = x[2 * k];
}
