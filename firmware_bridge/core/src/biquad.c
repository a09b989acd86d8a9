/* biquad.c: second-order sections in transposed direct form II. */
#include "mmq_internal.h"

float mmq_biquad(const float *c, float *state, float x) {
    const float y = c[0] * x + state[0];
    state[0] = c[1] * x - c[3] * y + state[1];
    state[1] = c[2] * x - c[4] * y;
    return y;
}

float mmq_cascade(const float *coefficients, float *state, uint32_t sections, float x) {
    for (uint32_t i = 0; i < sections; i++) x = mmq_biquad(coefficients + 5u * i, state + 2u * i, x);
    return x;
}
