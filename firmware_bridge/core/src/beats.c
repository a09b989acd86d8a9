/* SPDX-License-Identifier: Apache-2.0 */
/* beats.c: heart beats by two moving averages of the band-passed signal's energy
 * (Elgendi et al. 2013, PLoS ONE 8(9):e73557 for ECG, 8(10):e76585 for PPG), one sample at a time. */
#include "kinds.h"

#include <math.h>

#define MEAN_SHARE 0.002f

void mmq_beats_restart(mmq_beats_t *beats) {
    mmq_ring_clear(&beats->signal);
    beats->signal.at[beats->signal.capacity] = 0.0f; /* see long_sum() */
    beats->mean_energy = 0.0f;
    beats->block_length = 0;
    beats->previous_energy = 0.0f;
    beats->lowest = 0.0f;
    beats->n_beats = 0;
    beats->next_beat = 0;
}

static float energy(float least, float y) { return y < least ? 0.0f : y * y; }

/* Energy of the whole ring, just after a sample went in, with two additions a sample: a running sum of the lap that
 * is under way (sums[0]), and of the lap before what is left of it (sums[i]: places i to the end), which is added up
 * backwards at the end of each lap. Nothing is ever subtracted, so an artefact leaves no rounding error behind. */
static float long_sum(mmq_beats_t *beats, float least, float newest) {
    mmq_ring_t *ring = &beats->signal;
    float *sums = ring->at + ring->capacity, whole = sums[0] + newest, left = 0.0f;
    if (ring->next) {
        sums[0] = whole;
        return whole + sums[ring->next];
    }
    for (uint32_t i = ring->capacity - 1u; i > 0; i--) {
        left += energy(least, ring->at[i]);
        sums[i] = left;
    }
    sums[0] = 0.0f;
    return whole;
}

/* Energy of `n` samples of the full ring from the `from`-th on, 0 being the oldest. */
static float short_sum(const mmq_beats_t *beats, float least, uint32_t from, uint32_t n) {
    const mmq_ring_t *ring = &beats->signal;
    const float *end = ring->at + ring->capacity, *y = ring->at + ring->next + from;
    float sum = 0.0f;
    if (y >= end) y -= ring->capacity;
    while (n--) {
        sum += energy(least, *y);
        if (++y == end) y = ring->at;
    }
    return sum;
}

static void add_beat(mmq_beats_t *beats, const mmq_modality_t *spec) {
    const mmq_beat_t *last = beats->beats + (beats->next_beat ? beats->next_beat : beats->capacity) - 1u;
    mmq_beat_t beat;
    beat.sample = beats->best_sample;
    beat.fraction = mmq_vertex(beats->best_before, beats->best_energy, beats->best_after);
    beat.interval = 0.0f;
    beat.amplitude = spec->kind == MMQ_PPG ? beats->best_value - beats->lowest : sqrtf(beats->best_energy);
    if (beats->n_beats) {
        if (beat.sample - last->sample < spec->refractory) return;
        if (beats->filled <= last->sample) { /* else: not known, as samples between them were not measured */
            beat.interval = (float)(beat.sample - last->sample) + (beat.fraction - last->fraction);
        }
    }
    beats->beats[beats->next_beat] = beat;
    beats->next_beat = beats->next_beat + 1u == beats->capacity ? 0u : beats->next_beat + 1u;
    if (beats->n_beats < beats->capacity) beats->n_beats++;
    beats->lowest = beats->best_value;
}

static void block_sample(mmq_beats_t *beats, uint32_t sample, float e, float y) {
    if (beats->block_length++ == 0) beats->best_energy = -1.0f;
    if (e > beats->best_energy) {
        beats->best_energy = e;
        beats->best_before = beats->previous_energy;
        beats->best_value = y;
        beats->best_sample = sample;
    }
}

void mmq_beats_sample(mmq_beats_t *beats, const mmq_modality_t *spec, float y) {
    const uint32_t half = spec->beat_window / 2u, half_peak = spec->peak_window / 2u, sample = beats->counter - half;
    const float least = spec->kind == MMQ_PPG ? 0.0f : -INFINITY; /* only the systolic half of a pulse wave counts */
    float long_mean, short_mean, e, centre;
    mmq_ring_put(&beats->signal, y);
    beats->counter++;
    long_mean = long_sum(beats, least, energy(least, y)) / (float)spec->beat_window;
    if (beats->signal.count < spec->beat_window) return;
    short_mean = short_sum(beats, least, half - half_peak, spec->peak_window) / (float)spec->peak_window;
    centre = mmq_ring_get(&beats->signal, half);
    e = energy(least, centre);
    beats->mean_energy += MEAN_SHARE * (long_mean - beats->mean_energy);
    if (centre < beats->lowest) beats->lowest = centre;
    if (sample == beats->best_sample + 1u) beats->best_after = e;
    if (short_mean > long_mean + spec->beat_offset * beats->mean_energy) {
        block_sample(beats, sample, e, centre);
    } else {
        if (beats->block_length >= spec->peak_window) add_beat(beats, spec);
        beats->block_length = 0;
    }
    beats->previous_energy = e;
}

const mmq_beat_t *mmq_beat_at(const mmq_beats_t *beats, uint32_t i) {
    const uint32_t place = beats->next_beat + (beats->capacity - beats->n_beats) + i;
    return beats->beats + (place < beats->capacity ? place : place - beats->capacity);
}

uint32_t mmq_beats_first(const mmq_beats_t *beats, uint32_t context) {
    uint32_t first = beats->n_beats;
    while (first > 0 && beats->counter - mmq_beat_at(beats, first - 1u)->sample <= context) first--;
    return first;
}
