/* SPDX-License-Identifier: Apache-2.0 */
/* normalise.c: raw features to z, with only what a device knows. */
#include "mmq_internal.h"

#include <math.h>

static void learn(mmq_running_t *running, float x) {
    const float delta = x - running->mean;
    running->count += 1.0f;
    running->mean += delta / running->count;
    running->square += delta * (x - running->mean);
}

static float score(const mmq_bridge_t *bridge, uint32_t i, float x) {
    const mmq_spec_t *spec = bridge->spec;
    float mean = spec->mean[i], std = spec->std[i], z;
    if (spec->normaliser != MMQ_POPULATION && bridge->running[i].count > 0.0f) {
        const mmq_running_t *running = bridge->running + i;
        const float n = running->count, k = spec->prior_tokens;
        mean = (n * running->mean + k * mean) / (n + k);
        std = sqrtf((running->square + k * std * std) / (n + k));
    }
    z = (x - mean) / std;
    if (!mmq_is_finite(z)) return 0.0f;
    return z > spec->clip ? spec->clip : z < -spec->clip ? -spec->clip : z;
}

void mmq_normalise(mmq_bridge_t *bridge, float *features, const uint16_t *reasons) {
    const mmq_spec_t *spec = bridge->spec;
    const int enrolling = spec->normaliser == MMQ_ENROLMENT && bridge->closed < bridge->enrolment_end;
    uint32_t i = 0;
    if (spec->normaliser == MMQ_RAW) return;
    for (uint32_t m = 0; m < spec->n_modalities; m++) {
        for (uint32_t k = 0; k < spec->modalities[m].features; k++, i++) {
            const float x = features[i];
            const int usable = !reasons[m] && mmq_is_finite(x);
            if (usable && (enrolling || spec->normaliser == MMQ_RUNNING)) learn(bridge->running + i, x);
            features[i] = usable && !enrolling ? score(bridge, i, x) : 0.0f;
        }
    }
}
