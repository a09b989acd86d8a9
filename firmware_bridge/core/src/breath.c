/* SPDX-License-Identifier: Apache-2.0 */
/* breath.c: rate and depth of breathing and how both vary, from the extrema of the band-passed context (resp).
 * Extrema by hysteresis, like the adaptive threshold of Khodadad et al. 2018 (Physiol. Meas. 39(9):094001). */
#include "kinds.h"

#define HYSTERESIS 0.5f   /* of the context's standard deviation */
#define SETTLED_S 10.0f   /* a period of the slowest breath: before, the band filter has not seen one */
/* What a loss is filled with is slow, as a breath is, and keeps the band filter busy: so much of its share of the token
 * must not make the difference. */
#define FILL_WEIGHT 2.0f
#define FLOOR_S 1e-3f
#define FLOOR_SHARE 1e-3f /* of the mean depth */

uint16_t mmq_breath_quality(const mmq_state_t *state, uint32_t output, float least) {
    const mmq_modality_t *spec = state->spec;
    const mmq_slow_t *breath = state->of.slow + output;
    const float measured = (float)breath->filter.whole.n, filled = (float)breath->filled;
    uint32_t why = mmq_filter_reasons(&breath->filter, state);
    if (!mmq_has_rules(spec)) return 0;
    if (measured < least) return MMQ_WHY_UNJUDGED;
    if (!(spec->min_band_share > 0.0f)) return (uint16_t)why;
    if ((float)breath->context.count < SETTLED_S * state->rate_hz) {
        why = (why & ~(uint32_t)MMQ_WHY_BAND) | MMQ_WHY_UNJUDGED;
    } else if (filled > 0.0f && !(why & MMQ_WHY_BAND)) {
        const float share = mmq_band_share(&breath->filter) - FILL_WEIGHT * filled / (measured + filled);
        if (share < spec->min_band_share) why |= MMQ_WHY_UNJUDGED;
    }
    return (uint16_t)why;
}

/* Walk the context: a maximum counts once y fell by `step` below it, a minimum once y rose by `step` above it,
 * in turns; the first may be either. Each maximum after the first ends a breath. */
static void breaths_of(const mmq_ring_t *ring, float step, mmq_spread_t *periods, mmq_spread_t *depths) {
    float high = mmq_ring_get(ring, 0), low = high, trough = 0.0f;
    uint32_t high_at = 0, peak_at = 0, peaks = 0;
    int seek_high = 1, seek_low = 1;
    for (uint32_t i = 1; i < ring->count; i++) {
        const float y = mmq_ring_get(ring, i);
        if (y > high) {
            high = y;
            high_at = i;
        }
        if (y < low) low = y;
        if (seek_high && y <= high - step) {
            if (peaks++) {
                mmq_spread_add(periods, (float)(high_at - peak_at));
                mmq_spread_add(depths, high - trough);
            }
            peak_at = high_at;
            low = y;
            seek_high = 0;
            seek_low = 1;
        } else if (seek_low && y >= low + step) {
            trough = low;
            high = y;
            high_at = i;
            seek_high = 1;
            seek_low = 0;
        }
    }
}

void mmq_breath_features(mmq_state_t *state, uint32_t output, float *out) {
    const float rate = state->rate_hz;
    mmq_slow_t *breath = state->of.slow + output;
    mmq_spread_t all = {0}, periods = {0}, depths = {0};
    float step, depth;
    mmq_filter_next_token(&breath->filter);
    breath->filled = 0;
    for (uint32_t i = 0; i < breath->context.count; i++) mmq_spread_add(&all, mmq_ring_get(&breath->context, i));
    step = HYSTERESIS * mmq_spread_deviation(&all);
    if (!(step > 0.0f)) return;
    breaths_of(&breath->context, step, &periods, &depths);
    if (periods.n < 2.0f) return;
    out[0] = 60.0f * rate / mmq_spread_mean(&periods);
    depth = mmq_spread_mean(&depths);
    out[1] = mmq_logf(depth);
    if (periods.n < 3.0f) return;
    out[2] = mmq_logf(mmq_spread_deviation(&periods) / rate + FLOOR_S);
    out[3] = mmq_logf(mmq_spread_deviation(&depths) + FLOOR_SHARE * depth);
}
