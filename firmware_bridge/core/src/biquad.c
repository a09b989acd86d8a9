/* SPDX-License-Identifier: Apache-2.0 */
/* biquad.c: one band of a filter bank, one sample at a time: two sections, each with zeros at +1 and -1. */
#include "mmq_internal.h"

static float band(const float *c, float *s, float x) {
    const float u = c[0] * x, v = u - s[0], y = v - s[2];
    s[0] = s[1] + c[1] * v;
    s[1] = u + c[2] * v;
    s[2] = s[3] + c[3] * y;
    s[3] = v + c[4] * y;
    return y;
}

static void add(mmq_moments_t *moments, float x) {
    const float square = x * x;
    moments->n++;
    moments->sum += x;
    moments->square += square;
    moments->cube += square * x;
    moments->fourth += square * square;
}

float mmq_filter(mmq_filter_t *filter, const float *coefficients, float x, int measured) {
    const float y = band(coefficients, filter->states, x);
    if (!measured) return y;
    add(&filter->whole, x);
    add(&filter->band, y);
    return y;
}
