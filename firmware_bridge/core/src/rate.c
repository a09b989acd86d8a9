/* SPDX-License-Identifier: Apache-2.0 */
/* rate.c: at what rate samples really come, by the times of their pushes. Lost packets and times that stray must not
 * pass for another rate: a step in time is left out where it is longer or shorter than its samples by over half, and
 * what is left must be off both with those steps that the declared jitter explains, and without. */
#include "mmq_internal.h"

#include <math.h>

#define LENGTH_S 30.0f   /* at the nominal rate, of one estimate */
#define LEAST_STEPS 8u
#define LONGEST_S 5.0f
#define TOLERANCE 0.02f
#define FAR_BELOW 0.7f   /* times the nominal rate */
#define FAR_ABOVE 1.4f
#define STRAYS 16u       /* no more than one in so many steps may be left out */

static void add(mmq_covered_t *sums, float covered, float due) {
    sums->covered += covered;
    sums->due += due;
}

/* Times the nominal rate; 1 where nothing is known. */
static float times(const mmq_covered_t *sums) { return sums->covered > 0.0f ? sums->due / sums->covered : 1.0f; }

static void judge(mmq_state_t *state) {
    mmq_rate_t *rate = &state->rate;
    const float wide = times(&rate->wide), close = times(&rate->close);
    float found = fabsf(close - 1.0f) < fabsf(wide - 1.0f) ? close : wide;
    uint8_t off = fabsf(found - 1.0f) > TOLERANCE && rate->strays * STRAYS <= rate->steps;
    if (wide < FAR_BELOW || wide > FAR_ABOVE) { /* if packets were lost, then too many */
        found = wide;
        off = 1;
    }
    if (2u * rate->gaps > rate->steps) { /* the times fit no rate near the nominal one */
        found = times(&rate->all);
        off = 1;
    }
    rate->off = off && rate->suspect; /* twice, to be sure */
    rate->suspect = off;
    rate->hz = found * state->spec->rate_hz;
    rate->all.covered = rate->all.due = rate->wide.covered = rate->wide.due = 0.0f;
    rate->close.covered = rate->close.due = 0.0f;
    rate->steps = rate->gaps = rate->strays = 0;
}

void mmq_rate_step(mmq_state_t *state, uint32_t frames, int64_t ns) {
    mmq_rate_t *rate = &state->rate;
    const float covered = (float)(ns - rate->last_ns) * 1e-9f, due = (float)rate->last_frames / state->spec->rate_hz;
    const float stray = fabsf(covered - due), jitter = (float)mmq_jitter_ns(state) * 1e-9f;
    if (rate->last_frames) {
        const int close = stray <= 0.5f * due, wide = close || stray <= jitter;
        add(&rate->all, covered, due);
        if (close) add(&rate->close, covered, due);
        if (wide) add(&rate->wide, covered, due);
        rate->steps++;
        /* Much too long a step is a pause, not a rate. */
        rate->gaps += !wide && covered < 4.0f * due && covered <= LONGEST_S;
        rate->strays += !close;
        if (rate->all.due >= LENGTH_S && rate->steps >= LEAST_STEPS) judge(state);
    }
    rate->last_ns = ns;
    rate->last_frames = frames;
}

int64_t mmq_jitter_ns(const mmq_state_t *state) {
    const int64_t jitter_ns = (int64_t)(MMQ_JITTER_S * 1e9 + 0.5);
    return jitter_ns < mmq_half_ns(state) ? mmq_half_ns(state) : jitter_ns;
}

void mmq_rate_begin(mmq_state_t *state) { state->rate.last_frames = 0; }

mmq_status_t mmq_bridge_rate(const mmq_bridge_t *bridge, uint32_t modality, float *rate_hz) {
    if (!bridge || !rate_hz) return MMQ_NULL;
    if (modality >= bridge->spec->n_modalities) return MMQ_BAD_MODALITY;
    if (!(bridge->states[modality].rate.hz > 0.0f)) return MMQ_NOT_READY;
    *rate_hz = bridge->states[modality].rate.hz;
    return MMQ_OK;
}
