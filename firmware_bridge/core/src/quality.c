/* SPDX-License-Identifier: Apache-2.0 */
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

/* Samples from the first on that are all good, or all lost, as the channel is alive, or not. Sets *unsafe where one
 * may be at a rail. A sample of smaller magnitude than `safe` is neither lost nor at a rail: one comparison of bits. */
static uint32_t steady(const mmq_state_t *state, const mmq_channel_t *channel, const float *x, uint32_t n,
                       uint32_t *unsafe) {
    const uint32_t safe = state->safe_bits;
    uint32_t suspicious = 0, i;
    if (channel->off) return channel->alive ? 0 : n;
    if (channel->alive) {
        for (i = 0; i < n; i++) suspicious |= (magnitude_bits(x[i]) >= safe);
        if (!suspicious) return n;
    }
    *unsafe = 1;
    for (i = 0; i < n && is_lost(state->spec, x[i]) != channel->alive; i++) {}
    return i;
}

static void count_lost(mmq_channel_t *channel, float x) {
    if (channel->off) {
        channel->lead_off++;
    } else if (mmq_is_finite(x)) {
        channel->ranged++;
    }
}

/* So many more samples in a row are lost; returns how many they are now. */
static uint32_t lose(mmq_channel_t *channel, uint32_t n) {
    const uint32_t room = MMQ_LONG_AGO - channel->lost_run;
    channel->lost_run += n < room ? n : room;
    return channel->lost_run;
}

void mmq_quality_lose(mmq_state_t *state, int64_t frames) {
    const uint32_t n = frames < (int64_t)MMQ_LONG_AGO ? (uint32_t)frames : MMQ_LONG_AGO;
    for (uint32_t c = 0; c < state->spec->channels; c++) (void)lose(state->channels + c, n);
}

int mmq_quality_all_lost(const mmq_state_t *state, const float *samples, uint32_t stride) {
    for (uint32_t c = 0; samples && c < state->spec->channels; c++) {
        if (!state->channels[c].off && !is_lost(state->spec, samples[(size_t)c * stride])) return 0;
    }
    return 1;
}

int mmq_quality_all_back(const mmq_state_t *state, const float *samples, uint32_t stride) {
    for (uint32_t c = 0; c < state->spec->channels; c++) {
        const mmq_channel_t *channel = state->channels + c;
        if (channel->off || channel->fresh || channel->lost_run != state->channels[0].lost_run) return 0;
        if (is_lost(state->spec, samples[(size_t)c * stride])) return 0;
    }
    return 1;
}

/* Judge n samples that are not lost; with `unsafe` also whether they are at a rail. */
static void judge(const mmq_state_t *state, mmq_channel_t *channel, const float *x, uint32_t n, uint32_t unsafe) {
    const mmq_modality_t *spec = state->spec;
    const uint32_t longest = spec->flat_frames ? spec->flat_frames : UINT32_MAX;
    const float max_step = spec->max_step > 0.0f ? spec->max_step : NO_LIMIT;
    uint32_t run = channel->alive ? channel->flat_run : 0, seen = 0;
    float last = channel->alive ? channel->last : x[0];
    if (channel->lost_run) {
        const int same = channel->last == x[0];
        if (state->strict) {
            /* Over a loss short enough to be held or filled: as steep as a step between neighbours may be. A flat run
             * goes on over any loss that is not longer than itself may be. */
            const uint32_t most = spec->hold_frames > state->bridge_frames ? spec->hold_frames : state->bridge_frames;
            if (channel->lost_run <= most && fabsf(x[0] - channel->last) / (float)(channel->lost_run + 1u) > max_step) {
                seen |= MMQ_WHY_STEP;
            }
            if (channel->lost_run <= longest) run = channel->flat_run;
        }
        last = x[0]; /* else neighbours only: no step leads over a loss */
        if (!same) run = 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        const float now = x[i], step = fabsf(now - last);
        run++;
        if (step > 0.0f) run = 1;
        if (run > longest) seen |= MMQ_WHY_FLAT;
        if (step > max_step) seen |= MMQ_WHY_STEP;
        last = now;
    }
    for (uint32_t i = 0; unsafe && i < n; i++) channel->saturated += x[i] <= spec->rail_low || x[i] >= spec->rail_high;
    channel->last = last;
    channel->flat_run = run;
    channel->seen |= (uint16_t)seen;
    channel->lost_run = 0;
    channel->good += n;
}

uint32_t mmq_quality_steady(const mmq_state_t *state, const float *samples, uint32_t stride, uint32_t n,
                            uint32_t *unsafe) {
    for (uint32_t c = 0; c < state->spec->channels && n; c++) {
        n = steady(state, state->channels + c, samples + (size_t)c * stride, n, unsafe);
    }
    return n;
}

void mmq_quality_frames(mmq_state_t *state, const float *samples, uint32_t stride, uint32_t n, uint32_t unsafe) {
    for (uint32_t c = 0; c < state->spec->channels; c++) {
        mmq_channel_t *channel = state->channels + c;
        const float *x = samples + (size_t)c * stride;
        if (channel->alive) judge(state, channel, x, n, unsafe);
        else lose(channel, n);
        for (uint32_t i = 0; !channel->alive && i < n; i++) count_lost(channel, x[i]);
    }
}

int mmq_quality_sample(mmq_state_t *state, uint32_t c, float x, uint32_t hold) {
    mmq_channel_t *channel = state->channels + c;
    const uint8_t was_alive = channel->alive;
    if (channel->off || is_lost(state->spec, x)) {
        count_lost(channel, x);
        if (lose(channel, 1) > hold && was_alive) {
            channel->alive = 0;
            state->alive--;
        }
        return 0;
    }
    judge(state, channel, &x, 1, 1);
    channel->alive = 1;
    state->alive += !was_alive;
    return !was_alive;
}

static uint32_t reasons(const mmq_modality_t *spec, const mmq_channel_t *channel, float due) {
    const float good = (float)channel->good, lost = due - good;
    const float named = (float)(channel->ranged + channel->lead_off);
    uint32_t why = 0;
    if (channel->good == 0 || lost > spec->max_lost_share * due + 0.5f) {
        if (channel->ranged) why |= MMQ_WHY_RANGE;
        if (channel->lead_off) why |= MMQ_WHY_LEAD_OFF;
        if (!why || lost - named > 0.5f) why |= MMQ_WHY_LOST;
    }
    if ((float)channel->saturated > spec->max_saturated_share * good) why |= MMQ_WHY_SATURATED;
    return why;
}

void mmq_quality_token(mmq_state_t *state, float token_s) {
    const float due = token_s * state->spec->rate_hz;
    for (uint32_t c = 0; c < state->spec->channels; c++) {
        state->channels[c].seen |= (uint16_t)reasons(state->spec, state->channels + c, due);
    }
}

void mmq_quality_next_token(mmq_state_t *state) {
    const uint32_t longest = state->spec->flat_frames;
    for (uint32_t c = 0; c < state->spec->channels; c++) {
        mmq_channel_t *channel = state->channels + c;
        channel->good = channel->saturated = channel->ranged = channel->lead_off = 0;
        channel->seen = longest && channel->alive && channel->flat_run > longest ? MMQ_WHY_FLAT : 0;
    }
}
