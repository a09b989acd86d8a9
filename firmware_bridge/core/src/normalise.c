/* normalise.c: raw features to z, with only what a device knows. */
#include "mmq_internal.h"

#include <math.h>

static void learn(mmq_bridge_t *bridge, uint32_t i, float x) {
    const float n = bridge->count[i] + 1.0f, delta = x - bridge->mean[i];
    bridge->count[i] = n;
    bridge->mean[i] += delta / n;
    bridge->square[i] += delta * (x - bridge->mean[i]);
}

static float score(const mmq_bridge_t *bridge, uint32_t i, float x) {
    const mmq_spec_t *spec = bridge->spec;
    float mean = spec->mean[i], std = spec->std[i], z;
    if (spec->normaliser != MMQ_POPULATION && bridge->count[i] > 0.0f) {
        const float n = bridge->count[i], k = spec->prior_tokens;
        mean = (n * bridge->mean[i] + k * mean) / (n + k);
        std = sqrtf((bridge->square[i] + k * std * std) / (n + k));
    }
    z = (x - mean) / std;
    if (!mmq_is_finite(z)) return 0.0f;
    return z > spec->clip ? spec->clip : z < -spec->clip ? -spec->clip : z;
}

void mmq_normalise(mmq_bridge_t *bridge, int64_t token, float *features, const uint16_t *reasons) {
    const mmq_spec_t *spec = bridge->spec;
    const int enrolling = spec->normaliser == MMQ_ENROLMENT && token < (int64_t)spec->enrolment_tokens;
    uint32_t i = 0;
    if (spec->normaliser == MMQ_RAW) return;
    for (uint32_t m = 0; m < spec->n_modalities; m++) {
        for (uint32_t k = 0; k < spec->modalities[m].features; k++, i++) {
            const float x = features[i];
            const int usable = !reasons[m] && mmq_is_finite(x);
            if (usable && (enrolling || spec->normaliser == MMQ_RUNNING)) learn(bridge, i, x);
            features[i] = usable && !enrolling ? score(bridge, i, x) : 0.0f;
        }
    }
}
