/* mmq_internal.h: state and functions shared by the core's own files; not part of the public API. */
#ifndef MMQ_INTERNAL_H
#define MMQ_INTERNAL_H

#include "mmq_bridge.h"

#define MMQ_NAN mmq_nan()
#define MMQ_MAX_BEATS 400u /* 120 s at 200 beats a minute */

/* arena.c: hand out pieces of the caller's memory; with base NULL it only counts. */
typedef struct {
    unsigned char *base;
    size_t used;
} mmq_arena_t;
void *mmq_arena_take(mmq_arena_t *arena, size_t count, size_t size);

/* logf.c */
float mmq_nan(void);
int mmq_is_finite(float x);
float mmq_logf(float x); /* natural logarithm; x <= 0 gives that of the smallest normal number */

/* biquad.c: transposed direct form II */
float mmq_biquad(const float *coefficients, float *state, float x);
float mmq_cascade(const float *coefficients, float *state, uint32_t sections, float x);

/* fft.c: in place, n real numbers -> n/2+1 powers |X_k|^2 (the first n/2+1 places of x) */
void mmq_power_spectrum(float *x, float *scratch, uint32_t n, const float *twiddles);

/* sort.c */
void mmq_sort(float *x, uint32_t n);
float mmq_median(float *x, uint32_t n); /* sorts x; n > 0 */

/* A ring of floats. */
typedef struct {
    float *at;
    uint32_t capacity, count, next;
} mmq_ring_t;
void mmq_ring_put(mmq_ring_t *ring, float x);
float mmq_ring_get(const mmq_ring_t *ring, uint32_t i); /* i = 0 is the oldest */
float mmq_ring_slope(const mmq_ring_t *ring);           /* least squares, per sample; count >= 2 */
float mmq_ring_mean(const mmq_ring_t *ring);
float mmq_ring_deviation(const mmq_ring_t *ring);       /* population standard deviation */

typedef struct {
    uint32_t sample;  /* counter of the decimated sample at the peak */
    float fraction;   /* peak's offset from it, in samples, -0.5 to 0.5 */
    float interval;   /* to the beat before, in samples; 0 when unknown */
    float amplitude;  /* ppg: peak minus the lowest value since the beat before; ecg: |peak| */
} mmq_beat_t;

/* Beats by two moving averages. */
typedef struct {
    mmq_ring_t signal;   /* band-passed, beat_window long */
    uint32_t counter;    /* decimated samples so far */
    float mean_energy;   /* slow mean of the energy, for the threshold's offset */
    uint32_t in_block, block_length;
    float best_energy, best_before, best_after, best_value;
    uint32_t best_sample, after_pending;
    float previous_energy, lowest;
    uint32_t have_beat;
    mmq_beat_t *beats;   /* ring of MMQ_MAX_BEATS */
    uint32_t n_beats, next_beat;
} mmq_beats_t;

/* State of one modality. */
typedef struct {
    const mmq_modality_t *spec;
    uint32_t index, feature_start;
    /* time */
    double next_s;     /* when the next frame is due */
    int64_t token;     /* token that frame belongs to */
    uint32_t started;
    /* quality */
    uint32_t good, saturated, flat, lost_run, broken, have_last;
    float *last;       /* [channels] */
    uint32_t *flat_run;/* [channels] */
    /* filters */
    uint32_t fresh, phase;
    float *baseline;   /* [channels] */
    float *anti_alias; /* [channels][sections][2] */
    float *bank;       /* [channels][bands][2][2] */
    float *frame;      /* [channels] scratch */
    float *out;        /* [features] scratch */
    /* eeg */
    float *sum, *square; /* [channels][bands] */
    uint32_t count, segments;
    float *segment;    /* [channels][fft_size] newest samples */
    uint32_t filled;
    float *power;      /* [channels][bands] */
    float *work, *work2; /* [fft_size] */
    /* ecg, ppg */
    mmq_beats_t beats;
    mmq_ring_t spectrum;
    uint32_t spectrum_phase;
    float *sorted;     /* [MMQ_MAX_BEATS] */
    float *sorted2;
    /* eda, temp, acc */
    mmq_ring_t context;
    float accumulators[16];
    float previous[4];
} mmq_state_t;

struct mmq_bridge {
    const mmq_spec_t *spec;
    mmq_state_t *states;
    uint32_t capacity;  /* tokens in the ring */
    uint32_t kept;      /* closed tokens that stay readable */
    float *features;    /* [capacity][F] */
    uint8_t *presence;  /* [capacity][M] */
    int64_t closed, popped;
    float *count, *mean, *square; /* [F] running statistics */
};

/* modality.c: one state through its life */
void mmq_state_layout(mmq_state_t *state, mmq_arena_t *arena);
void mmq_state_restart(mmq_state_t *state);
void mmq_state_frame(mmq_state_t *state, const float *frame);
void mmq_state_features(mmq_state_t *state, float *out);

/* quality.c */
void mmq_quality_frame(mmq_state_t *state, const float *samples, uint32_t stride);
void mmq_quality_lost(mmq_state_t *state, double frames);
int mmq_quality_present(const mmq_state_t *state, float token_s);
void mmq_quality_next_token(mmq_state_t *state);

/* per kind */
void mmq_eeg_layout(mmq_state_t *state, mmq_arena_t *arena);
void mmq_eeg_restart(mmq_state_t *state);
void mmq_eeg_sample(mmq_state_t *state, const float *frame);
void mmq_eeg_features(mmq_state_t *state, float *out);
void mmq_pulse_layout(mmq_state_t *state, mmq_arena_t *arena);
void mmq_pulse_restart(mmq_state_t *state);
void mmq_pulse_sample(mmq_state_t *state, const float *frame);
void mmq_pulse_features(mmq_state_t *state, float *out);
void mmq_eda_layout(mmq_state_t *state, mmq_arena_t *arena);
void mmq_eda_restart(mmq_state_t *state);
void mmq_eda_sample(mmq_state_t *state, const float *frame);
void mmq_eda_features(mmq_state_t *state, float *out);
void mmq_temp_features(mmq_state_t *state, float *out);
void mmq_acc_restart(mmq_state_t *state);
void mmq_acc_sample(mmq_state_t *state, const float *frame);
void mmq_acc_features(mmq_state_t *state, float *out);

/* beats.c, spectrum.c */
void mmq_beats_restart(mmq_beats_t *beats);
void mmq_beats_sample(mmq_beats_t *beats, const mmq_modality_t *spec, float y);
void mmq_spectrum_features(mmq_state_t *state, float *skewness, float *rate, float *purity);

/* normalise.c */
void mmq_normalise(mmq_bridge_t *bridge, int64_t token, float *features, const uint8_t *presence);

/* tokens.c */
void mmq_tokens_finish(mmq_bridge_t *bridge, mmq_state_t *state);
void mmq_tokens_close(mmq_bridge_t *bridge, int64_t until);
void mmq_tokens_settle(mmq_bridge_t *bridge, double now_s);

#endif
