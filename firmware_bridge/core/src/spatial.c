/* spatial.c: the fixed spatial matrix: re-reference, EOG regression, ICA cleaning, all of them one matrix. */
#include "mmq_internal.h"

#define AT_ONCE 4u /* samples whose sums stay in registers */

/* out[i] = sum over channels of weights[c] * x_c[i], in the channels' order; `n` may be rounded up to AT_ONCE. */
static void mix_one(const mmq_state_t *state, const float *weights, uint32_t n, float *out, uint32_t out_stride) {
    const mmq_modality_t *spec = state->spec;
    for (uint32_t i = 0; i < n; i += AT_ONCE) {
        float sums[AT_ONCE] = {0.0f};
        for (uint32_t c = 0; c < spec->channels; c++) {
            uint32_t first;
            const uint32_t stride = mmq_group(spec, spec->channels, c, &first);
            const float *x = state->scratch.wave + first * MMQ_BLOCK + (c - first) + i * stride, weight = weights[c];
            for (uint32_t k = 0; k < AT_ONCE; k++) sums[k] += weight * x[k * stride];
        }
        for (uint32_t k = 0; k < AT_ONCE; k++) out[(i + k) * out_stride] = sums[k];
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
