/* quality.c: the rules every channel must keep: NaN, range, lead-off, gap, saturation, flat run, step. */
#include "mmq_internal.h"

#include <math.h>
#include <string.h>

#define NO_LIMIT 3.4e38f

static int is_lost(const mmq_modality_t *spec, float x) { return !(x >= spec->minimum && x <= spec->maximum); }

static uint32_t magnitude_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x7fffffffu;
}

uint32_t mmq_quality_safe(const mmq_modality_t *spec) {
    const float limits[4] = {-spec->minimum, spec->maximum, -spec->rail_low, spec->rail_high};
    float least = limits[0];
    for (int i = 1; i < 4; i++) {
        if (limits[i] < least) least = limits[i];
    }
    return least > 0.0f ? magnitude_bits(least) : 0;
}

static int is_off(const mmq_state_t *state, uint32_t c) { return (int)(state->lead_off >> c & 1u); }

/* Samples from the first on that are all lost, or all good, as the channel is broken, or not. Sets *unsafe where one
 * may be at a rail. A sample of smaller magnitude than `safe` is neither lost nor at a rail: one comparison of bits. */
static uint32_t steady(const mmq_state_t *state, uint32_t c, const float *x, uint32_t n, uint32_t *unsafe) {
    const uint32_t safe = state->safe_bits;
    const int broken = state->channels[c].broken;
    uint32_t suspicious = 0, i;
    if (is_off(state, c)) return broken ? n : 0;
    if (!broken) {
        for (i = 0; i < n; i++) suspicious |= (magnitude_bits(x[i]) >= safe);
        if (!suspicious) return n;
    }
    *unsafe = 1;
    for (i = 0; i < n && is_lost(state->spec, x[i]) == broken; i++) {}
    return i;
}

static void count_lost(const mmq_state_t *state, mmq_channel_t *channel, uint32_t c, float x) {
    if (is_off(state, c)) {
        channel->lead_off++;
    } else if (mmq_is_finite(x)) {
        channel->ranged++;
    }
}

/* Judge n samples that are not lost; with `unsafe` also whether they are at a rail. */
static void judge(const mmq_modality_t *spec, mmq_channel_t *channel, const float *x, uint32_t n, uint32_t unsafe) {
    const uint32_t longest = spec->flat_frames ? spec->flat_frames : UINT32_MAX;
    const float max_step = spec->max_step > 0.0f ? spec->max_step : NO_LIMIT;
    uint32_t run = channel->have_last ? channel->flat_run : 0;
    float last = channel->have_last ? channel->last : x[0];
    if (channel->lost_run) last = x[0]; /* neighbours only: no step leads over a loss */
    if (channel->lost_run && channel->last != last) run = 0;
    for (uint32_t i = 0; i < n; i++) {
        const float now = x[i], step = fabsf(now - last);
        run++;
        if (step > 0.0f) run = 1;
        if (run > longest) channel->flat = 1;
        if (step > max_step) channel->step = 1;
        last = now;
    }
    for (uint32_t i = 0; unsafe && i < n; i++) channel->saturated += x[i] <= spec->rail_low || x[i] >= spec->rail_high;
    channel->last = last;
    channel->flat_run = run;
    channel->have_last = 1;
    channel->lost_run = 0;
    channel->good += n;
}

/* One sample of one channel: lost, held or good. Returns whether the channel came back. */
static int take(mmq_state_t *state, uint32_t c, float x) {
    mmq_channel_t *channel = state->channels + c;
    if (is_off(state, c) || is_lost(state->spec, x)) {
        count_lost(state, channel, c, x);
        if (channel->have_last && !channel->broken && channel->lost_run < state->spec->hold_frames) {
            channel->lost_run++;
        } else {
            channel->broken = 1;
            channel->have_last = 0;
        }
        return 0;
    }
    judge(state->spec, channel, &x, 1, 1);
    if (!channel->broken) return 0;
    channel->broken = 0;
    return 1;
}

static int any_alive(const mmq_state_t *state) {
    for (uint32_t c = 0; c < state->spec->channels; c++) {
        if (!state->channels[c].broken) return 1;
    }
    return 0;
}

/* One frame in which something changes: samples [channels], each `stride` from the next; NULL: all of them lost. */
static void one_frame(mmq_state_t *state, const float *samples, uint32_t stride) {
    const int was_alive = any_alive(state);
    float *held = state->scratch->held;
    for (uint32_t c = 0; c < state->spec->channels; c++) {
        if (take(state, c, samples ? samples[(size_t)c * stride] : MMQ_NAN)) mmq_state_restart_channel(state, c);
        held[c] = state->channels[c].last;
    }
    if (!any_alive(state)) return;
    if (!was_alive) mmq_state_restart(state);
    mmq_state_block(state, held, 1, 1);
}

void mmq_quality_frames(mmq_state_t *state, const float *samples, uint32_t stride, uint32_t frames) {
    const uint32_t channels = state->spec->channels;
    while (frames) {
        uint32_t n = frames < MMQ_BLOCK ? frames : MMQ_BLOCK, unsafe = 0;
        for (uint32_t c = 0; c < channels && n; c++) {
            n = steady(state, c, samples + (size_t)c * stride, n, &unsafe);
        }
        if (n == 0) {
            one_frame(state, samples, stride);
            n = 1;
        } else {
            for (uint32_t c = 0; c < channels; c++) {
                const float *x = samples + (size_t)c * stride;
                if (!state->channels[c].broken) {
                    judge(state->spec, state->channels + c, x, n, unsafe);
                } else {
                    for (uint32_t i = 0; i < n; i++) count_lost(state, state->channels + c, c, x[i]);
                }
            }
            if (any_alive(state)) mmq_state_block(state, samples, stride, n);
        }
        samples += n;
        frames -= n;
    }
}

void mmq_quality_lost(mmq_state_t *state, int64_t frames) {
    for (; frames > 0 && any_alive(state); frames--) one_frame(state, NULL, 0);
}

uint16_t mmq_quality_channel(const mmq_state_t *state, uint32_t c, float token_s) {
    const mmq_modality_t *spec = state->spec;
    const mmq_channel_t *channel = state->channels + c;
    const float due = token_s * spec->rate_hz, good = (float)channel->good, lost = due - good;
    const float named = (float)channel->ranged + (float)channel->lead_off;
    uint32_t why = 0;
    if (channel->good == 0 || lost > spec->max_lost_share * due + 0.5f) {
        if (channel->ranged) why |= MMQ_WHY_RANGE;
        if (channel->lead_off) why |= MMQ_WHY_LEAD_OFF;
        if (!why || lost - named > 0.5f) why |= MMQ_WHY_LOST;
    }
    if (channel->saturated && (float)channel->saturated > spec->max_saturated_share * good) why |= MMQ_WHY_SATURATED;
    if (channel->flat) why |= MMQ_WHY_FLAT;
    if (channel->step) why |= MMQ_WHY_STEP;
    return (uint16_t)why;
}

void mmq_quality_next_token(mmq_state_t *state) {
    const uint32_t longest = state->spec->flat_frames;
    for (uint32_t c = 0; c < state->spec->channels; c++) {
        mmq_channel_t *channel = state->channels + c;
        channel->good = channel->saturated = channel->ranged = channel->lead_off = 0;
        channel->step = 0;
        channel->flat = (uint8_t)(longest && channel->have_last && channel->flat_run > longest);
    }
}
