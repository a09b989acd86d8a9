/* SPDX-License-Identifier: Apache-2.0 */
/* expf.c: exponential and hyperbolic tangent in float32, the same bits everywhere (after Cephes expf and tanhf). */
#include "mmq_internal.h"

#include <string.h>

float mmq_expf(float x) {
    static const float p[6] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                               4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
    float power, y;
    uint32_t bits;
    int32_t n;
    if (!(x < 88.0f)) x = 88.0f;
    if (x < -87.0f) x = -87.0f;
    n = (int32_t)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f)); /* nearest: x = n ln 2 + rest */
    x -= (float)n * 0.693359375f;
    x -= (float)n * -2.12194440e-4f;
    y = p[0];
    for (int i = 1; i < 6; i++) y = y * x + p[i];
    y = y * (x * x) + x + 1.0f;
    bits = (uint32_t)(n + 127) << 23;
    memcpy(&power, &bits, sizeof power);
    return y * power;
}

float mmq_tanhf(float x) {
    static const float p[5] = {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f,
                               -3.33332819422e-1f};
    const float size = x < 0.0f ? -x : x;
    float y = p[0];
    if (!(size < 0.625f)) {
        y = 1.0f - 2.0f / (mmq_expf(2.0f * size) + 1.0f);
        return x < 0.0f ? -y : y;
    }
    for (int i = 1; i < 5; i++) y = y * (x * x) + p[i];
    return y * (x * x) * x + x;
}
