/* SPDX-License-Identifier: Apache-2.0 */
/* moments.c: variance and kurtosis of one token from running power sums, the rules on them; mean and deviation. */
#include "kinds.h"

#include <math.h>

#define ENOUGH(strict) ((strict) ? 8u : 16u) /* samples the rules need at least */

static float variance_of(const mmq_moments_t *moments) {
    const float n = (float)moments->n, mean = moments->sum / n, variance = moments->square / n - mean * mean;
    return variance > 0.0f ? variance : 0.0f; /* also when empty: NaN is not greater */
}

/* Power sums about 0, not about the mean: the samples' baseline is gone, so the mean is small beside the deviation. */
static float kurtosis_of(const mmq_moments_t *moments) {
    const float n = (float)moments->n, variance = variance_of(moments);
    float mean, fourth;
    if (!(variance > 0.0f)) return 3.0f;
    mean = moments->sum / n;
    fourth = moments->fourth / n - 4.0f * mean * (moments->cube / n);
    fourth += mean * mean * (6.0f * (moments->square / n) - 3.0f * mean * mean);
    fourth = fourth / variance / variance; /* one after the other: variance^2 may underflow */
    return fourth < 1.0f ? 1.0f : fourth;  /* none is smaller: rounding beside a large mean */
}

uint32_t mmq_under(float value, float limit, uint32_t why) {
    if (value < limit) return why;
    return limit > 0.0f && !mmq_is_finite(value) ? MMQ_WHY_UNJUDGED : 0;
}

uint32_t mmq_filter_reasons(const mmq_filter_t *filter, const mmq_state_t *state) {
    const mmq_modality_t *spec = state->spec;
    const float variance = variance_of(&filter->whole), deviation = sqrtf(variance);
    uint32_t why = 0;
    if (filter->whole.n < ENOUGH(state->strict)) return MMQ_WHY_UNJUDGED;
    if (deviation < spec->min_deviation) why |= MMQ_WHY_WEAK;
    if (spec->max_deviation > 0.0f && deviation > spec->max_deviation) why |= MMQ_WHY_STRONG;
    why |= mmq_under(kurtosis_of(&filter->band), spec->min_kurtosis, MMQ_WHY_KURTOSIS); /* baseline, T wave left out */
    if (variance_of(&filter->band) < spec->min_band_share * variance) why |= MMQ_WHY_BAND;
    if (spec->min_band_share > 0.0f && !(variance > 0.0f)) why |= MMQ_WHY_UNJUDGED; /* nothing to share */
    return why;
}

float mmq_band_share(const mmq_filter_t *filter) {
    const float variance = variance_of(&filter->whole);
    return variance > 0.0f ? variance_of(&filter->band) / variance : 0.0f;
}

int mmq_has_rules(const mmq_modality_t *spec) {
    return spec->min_deviation > 0.0f || spec->max_deviation > 0.0f || spec->min_kurtosis > 0.0f ||
           spec->min_band_share > 0.0f || spec->min_regularity > 0.0f || mmq_judges_skewness(spec);
}

void mmq_filter_next_token(mmq_filter_t *filter) {
    static const mmq_moments_t none = {0};
    filter->whole = filter->band = none;
}

void mmq_spread_add(mmq_spread_t *spread, float x) {
    if (spread->n == 0.0f) spread->first = x;
    x -= spread->first;
    spread->n += 1.0f;
    spread->sum += x;
    spread->square += x * x;
}

float mmq_spread_mean(const mmq_spread_t *spread) { return spread->first + spread->sum / spread->n; }

float mmq_spread_deviation(const mmq_spread_t *spread) {
    const float mean = spread->sum / spread->n, variance = spread->square / spread->n - mean * mean;
    return variance > 0.0f ? sqrtf(variance) : 0.0f;
}
