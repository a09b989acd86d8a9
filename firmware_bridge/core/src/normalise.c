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

static float score(const mmq_bridge_t *bridge, uint32_t i, float x, int own) {
    const mmq_spec_t *spec = bridge->spec;
    float mean = spec->mean[i], std = spec->std[i], z;
    if (own && bridge->running[i].count > 0.0f) {
        const mmq_running_t *running = bridge->running + i;
        const float n = running->count, k = spec->prior_tokens;
        mean = (n * running->mean + k * mean) / (n + k);
        std = sqrtf((running->square + k * std * std) / (n + k));
    }
    z = (x - mean) / std;
    if (!mmq_is_finite(z)) return 0.0f;
    return z > spec->clip ? spec->clip : z < -spec->clip ? -spec->clip : z;
}

int mmq_counts_evidence(const mmq_spec_t *spec) { return spec->version >= 3u && spec->normaliser == MMQ_ENROLMENT; }

uint32_t mmq_enrolment_lacks(const mmq_spec_t *spec, const uint32_t *measured) {
    uint32_t most = 0, any = 0;
    int on_a_body = 0;
    for (uint32_t m = 0; m < spec->n_modalities; m++) {
        const int body = MMQ_IS(MMQ_BODY, spec->modalities + m);
        on_a_body |= body;
        if (body && measured[m] > most) most = measured[m];
        if (measured[m] > any) any = measured[m];
    }
    if (!on_a_body) most = any;
    return most < spec->enrolment_tokens ? spec->enrolment_tokens - most : 0u;
}

void mmq_enrolment_begin(mmq_bridge_t *bridge) {
    const mmq_spec_t *spec = bridge->spec;
    bridge->enrolment_end = (int64_t)spec->enrolment_tokens;
    if (mmq_counts_evidence(spec) && spec->enrolment_tokens) bridge->enrolment_end = MMQ_UNKNOWN_END;
}

/* Count a modality's token. Returns whether it is learnt from: it is one of the first that are present. */
static int is_evidence(mmq_bridge_t *bridge, uint32_t m, int present) {
    if (!present || bridge->measured[m] == UINT32_MAX) return 0;
    return bridge->measured[m]++ < bridge->spec->enrolment_tokens;
}

/* Whether a modality is normalised by what the wearer taught, rather than by the population. */
static int is_enrolled(const mmq_bridge_t *bridge, uint32_t m) {
    const mmq_spec_t *spec = bridge->spec;
    const uint32_t least =
        spec->enrolment_least < spec->enrolment_tokens ? spec->enrolment_least : spec->enrolment_tokens;
    return bridge->measured[m] >= least;
}

void mmq_normalise(mmq_bridge_t *bridge, float *features, const uint16_t *reasons) {
    const mmq_spec_t *spec = bridge->spec;
    const int enrolling = spec->normaliser == MMQ_ENROLMENT && bridge->closed < bridge->enrolment_end;
    const int counts = bridge->measured != NULL;
    uint32_t i = 0;
    if (spec->normaliser == MMQ_RAW) return;
    for (uint32_t m = 0; m < spec->n_modalities; m++) {
        const int learns = counts ? is_evidence(bridge, m, !reasons[m]) : enrolling || spec->normaliser == MMQ_RUNNING;
        const int own = counts ? is_enrolled(bridge, m) : spec->normaliser != MMQ_POPULATION;
        for (uint32_t k = 0; k < spec->modalities[m].features; k++, i++) {
            const float x = features[i];
            const int usable = !reasons[m] && mmq_is_finite(x);
            if (usable && learns) learn(bridge->running + i, x);
            features[i] = usable && !enrolling ? score(bridge, i, x, own) : 0.0f;
        }
    }
    if (counts && enrolling && !mmq_enrolment_lacks(spec, bridge->measured)) bridge->enrolment_end = bridge->closed + 1;
}
