/* SPDX-License-Identifier: Apache-2.0 */
/* spatial.c: the fixed spatial matrix: re-reference, EOG regression, ICA cleaning, all of them one matrix. */
#include "mmq_internal.h"

/* out[i] = sum over channels of weights[c] * x_c[i], in the channels' order, four samples at a time, so that their
 * sums stay in registers: `n` may be rounded up to that. */
static void mix_one(const mmq_state_t *state, const float *weights, uint32_t n, float *out, uint32_t out_stride) {
    const mmq_modality_t *spec = state->spec;
    for (uint32_t i = 0; i < n; i += 4, out += 4 * out_stride) {
        float a = 0.0f, b = 0.0f, d = 0.0f, e = 0.0f;
        for (uint32_t c = 0; c < spec->channels; c++) {
            uint32_t first;
            const uint32_t stride = mmq_group(spec, spec->channels, c, &first);
            const float *x = state->scratch.wave + first * MMQ_BLOCK + (c - first) + i * stride, weight = weights[c];
            a += weight * x[0];
            b += weight * x[stride];
            d += weight * x[2 * stride];
            e += weight * x[3 * stride];
        }
        out[0] = a;
        out[out_stride] = b;
        out[2 * out_stride] = d;
        out[3 * out_stride] = e;
    }
}

const float *mmq_mix(const mmq_state_t *state, uint32_t n) {
    const mmq_modality_t *spec = state->spec;
    for (uint32_t o = 0; o < spec->outputs; o++) {
        uint32_t first;
        const uint32_t width = mmq_group(spec, spec->outputs, o, &first);
        mix_one(state, spec->spatial + (size_t)o * spec->channels, n,
                state->scratch.mixed + first * MMQ_BLOCK + (o - first), width);
    }
    return state->scratch.mixed;
}
