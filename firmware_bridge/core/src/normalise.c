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

void mmq_normalise(mmq_bridge_t *bridge, int64_t token, float *features, const uint8_t *presence) {
    const mmq_spec_t *spec = bridge->spec;
    const int enrolling = spec->normaliser == MMQ_ENROLMENT && token < (int64_t)spec->enrolment_tokens;
    uint32_t i = 0;
    if (spec->normaliser == MMQ_RAW) return;
    for (uint32_t m = 0; m < spec->n_modalities; m++) {
        for (uint32_t k = 0; k < spec->modalities[m].features; k++, i++) {
            const float x = features[i];
            const int usable = presence[m] && mmq_is_finite(x);
            if (usable && (enrolling || spec->normaliser == MMQ_RUNNING)) learn(bridge, i, x);
            features[i] = usable && !enrolling ? score(bridge, i, x) : 0.0f;
        }
    }
}

mmq_status_t mmq_normalise_stream(const mmq_spec_t *spec, float *features, const uint8_t *presence, uint32_t n,
                                  float *scratch) {
    mmq_bridge_t bridge = {0};
    if (!spec || !features || !presence || !scratch) return MMQ_NULL;
    if (mmq_bridge_size(spec) == 0) return MMQ_BAD_SPEC;
    bridge.spec = spec;
    bridge.count = scratch;
    bridge.mean = scratch + spec->n_features;
    bridge.square = scratch + 2 * (size_t)spec->n_features;
    for (size_t i = 0; i < 3 * (size_t)spec->n_features; i++) scratch[i] = 0.0f;
    for (uint32_t k = 0; k < n; k++) {
        mmq_normalise(&bridge, (int64_t)k, features + (size_t)k * spec->n_features,
                      presence + (size_t)k * spec->n_modalities);
    }
    return MMQ_OK;
}
