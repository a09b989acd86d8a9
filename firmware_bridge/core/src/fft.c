/* fft.c: power spectrum of n real numbers through a complex FFT of half the length. */
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

/* n complex numbers; twiddles of a transform of 2n, so every second one. */
static void complex_fft(float *z, uint32_t n, const float *twiddles) {
    reverse_bits(z, n);
    for (uint32_t half = 1; half < n; half <<= 1) {
        const uint32_t step = n / half; /* in twiddles of 2n */
        for (uint32_t start = 0; start < n; start += 2 * half) {
            for (uint32_t k = 0; k < half; k++) {
                const float c = twiddles[2 * k * step], s = twiddles[2 * k * step + 1];
                float *a = z + 2 * (start + k), *b = z + 2 * (start + k + half);
                const float re = b[0] * c + b[1] * s, im = b[1] * c - b[0] * s;
                b[0] = a[0] - re;
                b[1] = a[1] - im;
                a[0] += re;
                a[1] += im;
            }
        }
    }
}

void mmq_power_spectrum(float *x, float *scratch, uint32_t n, const float *twiddles) {
    const uint32_t half = n / 2;
    complex_fft(x, half, twiddles);
    for (uint32_t k = 0; k <= half; k++) {
        const uint32_t i = k == half ? 0 : k, j = k == 0 ? 0 : half - k;
        const float even_re = 0.5f * (x[2 * i] + x[2 * j]), even_im = 0.5f * (x[2 * i + 1] - x[2 * j + 1]);
        const float odd_re = 0.5f * (x[2 * i + 1] + x[2 * j + 1]), odd_im = 0.5f * (x[2 * j] - x[2 * i]);
        const float c = k == half ? -1.0f : twiddles[2 * k], s = k == half ? 0.0f : twiddles[2 * k + 1];
        const float re = even_re + odd_re * c + odd_im * s, im = even_im + odd_im * c - odd_re * s;
        scratch[k] = re * re + im * im;
    }
    for (uint32_t k = 0; k <= half; k++) x[k] = scratch[k];
}
