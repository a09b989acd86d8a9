/* beats.c: heart beats by two moving averages of the band-passed signal's energy
 * (Elgendi et al. 2013, PLoS ONE 8(9):e73557 for ECG, 8(10):e76585 for PPG), one sample at a time. */
#include "mmq_internal.h"

#include <math.h>

#define MEAN_SHARE 0.002f

void mmq_beats_restart(mmq_beats_t *beats) {
    beats->signal.count = 0;
    beats->signal.next = 0;
    beats->mean_energy = 0.0f;
    beats->in_block = 0;
    beats->after_pending = 0;
    beats->previous_energy = 0.0f;
    beats->lowest = 0.0f;
    beats->have_beat = 0;
    beats->n_beats = 0;
    beats->next_beat = 0;
}

static float energy(const mmq_modality_t *spec, float y) {
    return spec->kind == MMQ_PPG && y < 0.0f ? 0.0f : y * y;
}

static float average(const mmq_beats_t *beats, const mmq_modality_t *spec, uint32_t from, uint32_t n) {
    float sum = 0.0f;
    for (uint32_t i = 0; i < n; i++) sum += energy(spec, mmq_ring_get(&beats->signal, from + i));
    return sum / (float)n;
}

static void add_beat(mmq_beats_t *beats, const mmq_modality_t *spec) {
    const float curve = beats->best_before - 2.0f * beats->best_energy + beats->best_after;
    const mmq_beat_t *last = beats->beats + (beats->next_beat + MMQ_MAX_BEATS - 1u) % MMQ_MAX_BEATS;
    mmq_beat_t beat;
    beat.sample = beats->best_sample;
    beat.fraction = curve < 0.0f ? 0.5f * (beats->best_before - beats->best_after) / curve : 0.0f;
    if (beat.fraction > 0.5f) beat.fraction = 0.5f;
    if (beat.fraction < -0.5f) beat.fraction = -0.5f;
    beat.interval = 0.0f;
    beat.amplitude = spec->kind == MMQ_PPG ? beats->best_value - beats->lowest : sqrtf(beats->best_energy);
    if (beats->have_beat) {
        if (beat.sample - last->sample < spec->refractory) return;
        beat.interval = (float)(beat.sample - last->sample) + (beat.fraction - last->fraction);
    }
    beats->beats[beats->next_beat] = beat;
    beats->next_beat = (beats->next_beat + 1u) % MMQ_MAX_BEATS;
    if (beats->n_beats < MMQ_MAX_BEATS) beats->n_beats++;
    beats->have_beat = 1;
    beats->lowest = beats->best_value;
}

static void block_sample(mmq_beats_t *beats, uint32_t sample, float e, float y) {
    if (!beats->in_block) {
        beats->in_block = 1;
        beats->block_length = 0;
        beats->best_energy = -1.0f;
    }
    if (beats->after_pending) {
        beats->best_after = e;
        beats->after_pending = 0;
    }
    if (e > beats->best_energy) {
        beats->best_energy = e;
        beats->best_before = beats->previous_energy;
        beats->best_after = e;
        beats->best_value = y;
        beats->best_sample = sample;
        beats->after_pending = 1;
    }
    beats->block_length++;
}

void mmq_beats_sample(mmq_beats_t *beats, const mmq_modality_t *spec, float y) {
    const uint32_t half = spec->beat_window / 2u, half_peak = spec->peak_window / 2u;
    float long_mean, short_mean, e, centre;
    mmq_ring_put(&beats->signal, y);
    beats->counter++;
    if (beats->signal.count < spec->beat_window) return;
    centre = mmq_ring_get(&beats->signal, half);
    e = energy(spec, centre);
    long_mean = average(beats, spec, 0, spec->beat_window);
    short_mean = average(beats, spec, half - half_peak, spec->peak_window);
    beats->mean_energy += MEAN_SHARE * (long_mean - beats->mean_energy);
    if (centre < beats->lowest) beats->lowest = centre;
    if (short_mean > long_mean + spec->beat_offset * beats->mean_energy) {
        block_sample(beats, beats->counter - 1u - half, e, centre);
    } else if (beats->in_block) {
        if (beats->after_pending) beats->best_after = e;
        beats->after_pending = 0;
        beats->in_block = 0;
        if (beats->block_length >= spec->peak_window) add_beat(beats, spec);
    }
    beats->previous_energy = e;
}
