/* SPDX-License-Identifier: Apache-2.0 */
/* logf.c: the natural logarithm in float32, the same bits everywhere (after Cephes logf, relative error < 2e-7). */
#include "mmq_internal.h"

#include <string.h>

float mmq_nan(void) {
    const uint32_t bits = 0x7fc00000u;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

void mmq_blank(float *x, uint32_t n) {
    while (n--) *x++ = mmq_nan();
}

int mmq_is_finite(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7f800000u) != 0x7f800000u;
}

float mmq_logf(float x) {
    static const float p[9] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                               -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                               2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
    uint32_t bits;
    int32_t exponent;
    float m, z, y, e;
    if (!(x >= 1.17549435e-38f)) x = 1.17549435e-38f;
    memcpy(&bits, &x, sizeof bits);
    exponent = (int32_t)(bits >> 23) - 126;
    bits = (bits & 0x007fffffu) | 0x3f000000u; /* m in [0.5, 1) */
    memcpy(&m, &bits, sizeof m);
    if (m < 0.707106781186547524f) {
        exponent--;
        m = m + m - 1.0f;
    } else {
        m = m - 1.0f;
    }
    z = m * m;
    y = p[0];
    for (int i = 1; i < 9; i++) y = y * m + p[i];
    y = y * m * z;
    e = (float)exponent;
    y += -2.12194440e-4f * e;
    y += -0.5f * z;
    return m + y + 0.693359375f * e;
}
