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

uint32_t mmq_learnt_floats(const mmq_spec_t *spec) {
    return spec->normaliser >= MMQ_ENROLMENT ? 3u * mmq_all_features(spec) : 0u;
}

uint32_t mmq_sums(const mmq_spec_t *spec) { return (spec->n_features - mmq_all_features(spec)) * MMQ_SUMS; }

size_t mmq_learnt_bytes(const mmq_spec_t *spec) { return 4u * mmq_learnt_floats(spec) + 5u * (size_t)mmq_sums(spec); }

void mmq_learnt_place(mmq_bridge_t *bridge) {
    if (!bridge->running) return; /* sizes are only counted */
    bridge->past.sums = (float *)bridge->running + mmq_learnt_floats(bridge->spec);
    bridge->past.counts = (uint8_t *)(bridge->past.sums + mmq_sums(bridge->spec));
}

/* What a feature is scored by: mean and deviation. */
typedef struct {
    float mean, std;
} scale_t;

static scale_t scale_of(const mmq_bridge_t *bridge, uint32_t i, int own) {
    const mmq_spec_t *spec = bridge->spec;
    scale_t scale = {spec->mean[i], spec->std[i]};
    if (own && bridge->running[i].count > 0.0f) {
        const mmq_running_t *running = bridge->running + i;
        const float n = running->count, k = spec->prior_tokens;
        scale.mean = (n * running->mean + k * scale.mean) / (n + k);
        scale.std = sqrtf((running->square + k * scale.std * scale.std) / (n + k));
    }
    return scale;
}

static float score(const mmq_spec_t *spec, float difference, float std) {
    const float z = difference / std;
    if (!mmq_is_finite(z)) return 0.0f;
    return z > spec->clip ? spec->clip : z < -spec->clip ? -spec->clip : z;
}

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

/* Where a modality's present token goes among the sums of its past: which one, and whether it begins it. */
typedef struct {
    uint32_t sum;
    int begins, full; /* full: the sums hold all that a look-back needs */
} turn_t;

static turn_t turn_of(const mmq_bridge_t *bridge, uint32_t m) {
    const uint32_t tokens = bridge->spec->look_back_tokens, each = tokens / MMQ_SUMS;
    const uint32_t last = (bridge->measured[m] - 1u) % tokens;
    const turn_t turn = {last / each, last % each == 0, bridge->measured[m] >= tokens};
    return turn;
}

/* Take a present token's feature, less the population's mean, up into the sums of its look-back, if it is usable.
 * Returns its difference from the mean of these. */
static float remember(float *sums, uint8_t *counts, turn_t turn, float x, int usable) {
    float sum = 0.0f;
    uint32_t count = 0;
    if (turn.begins) {
        sums[turn.sum] = 0.0f;
        counts[turn.sum] = 0;
    }
    if (!usable) return 0.0f;
    sums[turn.sum] += x;
    counts[turn.sum]++;
    for (uint32_t i = 0; i < MMQ_SUMS; i++) {
        sum += sums[i];
        count += counts[i];
    }
    return x - sum / (float)count;
}

void mmq_normalise(mmq_bridge_t *bridge, float *features, const uint16_t *reasons) {
    const mmq_spec_t *spec = bridge->spec;
    const int enrolling = spec->normaliser == MMQ_ENROLMENT && bridge->closed < bridge->enrolment_end;
    const int evidence = bridge->measured != NULL;
    float *sums = bridge->past.sums;
    uint8_t *counts = bridge->past.counts;
    uint32_t i = 0;
    if (spec->normaliser == MMQ_RAW) return;
    for (uint32_t m = 0; m < spec->n_modalities; m++) {
        const int learns = evidence ? is_evidence(bridge, m, !reasons[m]) : enrolling || spec->normaliser == MMQ_RUNNING;
        const int own = evidence ? is_enrolled(bridge, m) : spec->normaliser != MMQ_POPULATION;
        const mmq_modality_t *modality = spec->modalities + m;
        const uint32_t bits = spec->look_back_tokens ? modality->look_back : 0u;
        const uint32_t each = modality->features / modality->outputs;
        float *after = features + modality->features;
        turn_t turn = {0, 0, 0};
        if (bits && !reasons[m]) turn = turn_of(bridge, m);
        for (uint32_t k = 0; k < modality->features; k++, i++) {
            const float x = features[k];
            const int usable = !reasons[m] && mmq_is_finite(x);
            const int shown = usable && !enrolling;
            scale_t scale;
            if (usable && learns) learn(bridge->running + i, x);
            scale = scale_of(bridge, i, own);
            features[k] = shown ? score(spec, x - scale.mean, scale.std) : 0.0f;
            if (bits >> k % each & 1u) {
                const float past = reasons[m] ? 0.0f : remember(sums, counts, turn, x - spec->mean[i], usable);
                *after++ = shown && turn.full ? score(spec, past, scale.std) : 0.0f;
                sums += MMQ_SUMS;
                counts += MMQ_SUMS;
            }
        }
        features = after;
    }
    if (evidence && enrolling && !mmq_enrolment_lacks(spec, bridge->measured)) bridge->enrolment_end = bridge->closed + 1;
}
