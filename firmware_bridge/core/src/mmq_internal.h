/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_internal.h: state and functions shared by the core's own files; not part of the public API. */
#ifndef MMQ_INTERNAL_H
#define MMQ_INTERNAL_H

#include "mmq_bits.h"
#include "mmq_bridge.h"
#include "mmq_decision.h"

#define MMQ_NAN mmq_nan()

/* Kinds a build can run: bit k for mmq_kind_t k. With fewer, the linker leaves the others' code out (--gc-sections),
 * and a spec that needs them is refused. */
#ifndef MMQ_KINDS_BUILT
#define MMQ_KINDS_BUILT 0xffffffffu
#endif
#define MMQ_HAS(kind) ((MMQ_KINDS_BUILT >> (kind)) & 1u)
#define MMQ_HAS_BANK (MMQ_HAS(MMQ_EEG) | MMQ_HAS(MMQ_EOG) | MMQ_HAS(MMQ_EMG))
#define MMQ_HAS_PULSE (MMQ_HAS(MMQ_ECG) | MMQ_HAS(MMQ_PPG))
#define MMQ_HAS_SLOW (MMQ_HAS(MMQ_EDA) | MMQ_HAS(MMQ_TEMP))
#define MMQ_BLOCK 32u /* frames that go through the filters at once */

/* Channels a vector of the filter bank holds: the bits are the same with any number of lanes. */
#ifndef MMQ_LANES
#if (defined(__x86_64__) || defined(__aarch64__)) && defined(__GNUC__)
#define MMQ_LANES 8u
#else
#define MMQ_LANES 1u
#endif
#endif

/* arena.c: hand out pieces of the caller's memory; with base NULL it only counts. */
typedef struct {
    unsigned char *base;
    size_t used;
} mmq_arena_t;
void *mmq_arena_take(mmq_arena_t *arena, size_t count, size_t size);
float *mmq_arena_floats(mmq_arena_t *arena, size_t count);

/* clock.c */
int64_t mmq_rounded(double x);                 /* half away from zero */
int mmq_nanoseconds(double s, int64_t *ns);    /* returns whether it is a time */

/* logf.c */
float mmq_nan(void);
void mmq_blank(float *x, uint32_t n); /* NaN */
int mmq_is_finite(float x);
float mmq_logf(float x); /* natural logarithm; x <= 0 gives that of the smallest normal number */

/* expf.c */
float mmq_expf(float x); /* of at most 88 and at least -87 */
float mmq_tanhf(float x);

/* bytes.c */
uint32_t mmq_bits_of(float x);
float mmq_float_of(uint32_t bits);
uint32_t mmq_crc_add(uint32_t crc, uint32_t word); /* CRC-32 of zip and Ethernet; starts and ends inverted */
uint32_t mmq_crc_floats(uint32_t crc, const float *x, size_t n);
uint32_t mmq_word_at(const unsigned char *at, size_t word);
void mmq_put_word(unsigned char *at, size_t word, uint32_t value);
uint32_t mmq_checksum(const unsigned char *at, size_t words); /* CRC-32 of so many words */
/* Whether these are all the bytes some core has saved, as it saved them: magic in word 0, their number in word 2, the
 * checksum of all before in the last one. */
mmq_status_t mmq_is_whole(const unsigned char *at, size_t size, uint32_t magic);

/* lanes1.c, lanes8.c: the same operations (lanes.h) on one channel, and on eight side by side: x[sample][lane].
 * The bits of a channel are the same in both. */
/* Baseline, prefilter and decimation of n frames from rows of samples; returns how many samples are left in x. */
#define MMQ_CONDITION(name)                                                                                      \
    uint32_t name(const mmq_modality_t *spec, const float *rows, uint32_t stride, uint32_t n, uint32_t phase,    \
                  float *baseline, float *prefilter, float *x)
/* Runs the bank over x; sums [bands + 1][2] take up each band's squares, and sum and squares of x itself. */
#define MMQ_BANK_FILTER(name) \
    void name(const mmq_modality_t *spec, const float *x, uint32_t n, float *states, float *sums)
/* Powers of the windowed segment in every second place of work: k of lane l at (2 * k * lanes + l). */
#define MMQ_SEGMENT_POWER(name) void name(const mmq_modality_t *spec, const float *segment, float *work)
MMQ_CONDITION(mmq_condition_1);
MMQ_CONDITION(mmq_condition_8);
MMQ_BANK_FILTER(mmq_bank_filter_1);
MMQ_BANK_FILTER(mmq_bank_filter_8);
MMQ_SEGMENT_POWER(mmq_segment_power_1);
MMQ_SEGMENT_POWER(mmq_segment_power_8);
#if MMQ_LANES == 8
#define MMQ_BY_WIDTH(width, function, ...) ((width) == 8u ? function##_8(__VA_ARGS__) : function##_1(__VA_ARGS__))
#else
#define MMQ_BY_WIDTH(width, function, ...) function##_1(__VA_ARGS__)
#endif
/* lanes1.c: 2 n real numbers as n complex ones, in bit-reversed order -> n + 1 powers in every second place. */
void mmq_transform(float *z, uint32_t n, const float *twiddles);

/* After place j of n = 2^k in bit-reversed order: carries run from the highest bit down. */
static inline uint32_t mmq_next_reversed(uint32_t j, uint32_t n) {
    uint32_t bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    return j | bit;
}

/* sort.c */
void mmq_sort(float *x, uint32_t n);
float mmq_median(float *x, uint32_t n); /* sorts x; n > 0 */

/* ring.c: a ring of floats. */
typedef struct {
    float *at;
    uint32_t capacity, count, next;
} mmq_ring_t;
void mmq_ring_layout(mmq_ring_t *ring, mmq_arena_t *arena, uint32_t capacity);
void mmq_ring_clear(mmq_ring_t *ring);
void mmq_ring_put(mmq_ring_t *ring, float x);
float mmq_ring_get(const mmq_ring_t *ring, uint32_t i); /* i = 0 is the oldest */

/* moments.c: of the samples of one token, for the quality rules. Samples have their baseline removed. */
typedef struct {
    uint32_t n;
    float sum, square, cube, fourth;
} mmq_moments_t;

/* moments.c: mean and deviation of some numbers, kept as sums of differences from the first. Starts as zeros. */
typedef struct {
    float n, first, sum, square;
} mmq_spread_t;
void mmq_spread_add(mmq_spread_t *spread, float x);
float mmq_spread_mean(const mmq_spread_t *spread);      /* n > 0 */
float mmq_spread_deviation(const mmq_spread_t *spread); /* population; n > 0 */

/* biquad.c: a band filter, and the moments of what goes in and comes out since the token began, where it was
 * measured. */
typedef struct {
    float states[4];
    mmq_moments_t whole, band;
} mmq_filter_t;
float mmq_filter(mmq_filter_t *filter, const float *coefficients, float x, int measured);

#define MMQ_LONG_AGO 0x7fffffffu /* lost_run of a channel that never had a good sample */

/* What a channel's samples were like since the token began. */
typedef struct {
    float last;
    uint32_t flat_run, lost_run;                /* up to now, across tokens; lost_run at most MMQ_LONG_AGO */
    uint32_t good, saturated, ranged, lead_off; /* in this token */
    uint16_t seen;                              /* in this token: MMQ_WHY_FLAT and _STEP, at its end all */
    uint8_t alive, fresh;                       /* not alive: the filters wait for a good sample and start anew */
    uint8_t off;                                /* the driver says that the lead is */
    uint8_t spoilt;                             /* its last token was spoilt, or bad after a spoilt one */
} mmq_channel_t;

/* bank.c: eeg, eog, emg. In groups of MMQ_LANES outputs, lane by lane, then single ones: see mmq_group(). */
typedef struct {
    float *states;  /* [outputs][bands][4] */
    float *sums;    /* [outputs][bands + 1][2]: see bank.c, sum of squares; the last row is the unfiltered signal */
    float *power;   /* [outputs][bands + 2]: of all segments; emg: then the whole power, and it times the bin */
    float *segment; /* [outputs][fft_size] newest samples */
    uint32_t count, segments, filled; /* in this token */
} mmq_bank_t;

typedef struct {
    uint32_t sample; /* counter of the decimated sample at the peak */
    float fraction;  /* peak's offset from it, in samples, -0.5 to 0.5 */
    float interval;  /* to the beat before, in samples; 0 when unknown */
    float amplitude; /* ppg: peak minus the lowest value since the beat before; ecg: |peak| */
} mmq_beat_t;

/* beats.c: beats by two moving averages. */
typedef struct {
    mmq_ring_t signal;   /* band-passed, beat_window long */
    uint32_t counter;    /* decimated samples so far */
    uint32_t filled;     /* counter of the last one that was not measured */
    float mean_energy;   /* slow mean of the energy, for the threshold's offset */
    uint32_t block_length; /* 0: not in a block */
    float best_energy, best_before, best_after, best_value;
    uint32_t best_sample;
    float previous_energy, lowest;
    mmq_beat_t *beats;   /* ring of `capacity` */
    uint32_t capacity, n_beats, next_beat;
} mmq_beats_t;

/* pulse.c: one output of ecg or ppg. */
typedef struct {
    mmq_beats_t beats;
    mmq_ring_t spectrum;          /* ppg: the context at the spectrum's rate; NaN: not measured */
    uint32_t spectrum_phase, slow; /* `slow`: samples of this token in the spectrum ring */
    mmq_filter_t filter;
} mmq_pulse_t;

/* slow.c: one output of eda, temp or resp. */
typedef struct {
    mmq_ring_t context; /* at the decimated rate; resp: band-passed */
    float mean;         /* decimation: sum so far of the samples of one mean */
    uint32_t mean_count;
    uint32_t mean_filled; /* resp: samples of that mean that were not measured */
    uint32_t filled;      /* resp: means of this token with such samples */
    mmq_spread_t token; /* eda, temp: of this token */
    mmq_filter_t filter; /* resp */
} mmq_slow_t;

/* motion.c: one accelerometer. */
typedef struct {
    mmq_spread_t magnitude;
    float sums[3], step_square, steps, active;
} mmq_motion_token_t;
typedef struct {
    float tilt[3], previous[3];
    uint8_t have_tilt, have_previous;
    mmq_motion_token_t token;
} mmq_motion_t;

/* Working memory: that of all modalities begins at the same place, nothing in it outlives a call. */
typedef struct {
    float *wave;  /* [channels][MMQ_BLOCK], in groups */
    float *mixed; /* [outputs][MMQ_BLOCK], in groups, where a modality has a spatial matrix */
    float *work;  /* (fft_size + 2) * lanes, or the beats of a context */
    float *held;  /* [channels] */
    float *out;   /* [features] */
} mmq_scratch_t;

/* modality.c: what a kind does with each of its outputs. `x` are `n` decimated samples without baseline (eda, temp,
 * acc: as they came, acc: three rows `stride` apart; resp: not decimated); bank.c takes a group of outputs at once.
 * `quality` judges the open token once it has at least `least` samples: before, and where a rule has no number, it is
 * MMQ_WHY_UNJUDGED, which versions 1 and 2 take for 0. `features` also prepares the next token; `out`
 * holds NaN before. */
typedef struct mmq_state mmq_state_t;
typedef struct {
    void (*layout)(mmq_state_t *state, mmq_arena_t *arena); /* of all outputs */
    void (*restart)(mmq_state_t *state, uint32_t output);
    void (*block)(mmq_state_t *state, uint32_t output, const float *x, uint32_t stride, uint32_t n);
    uint16_t (*quality)(const mmq_state_t *state, uint32_t output, float least);
    void (*features)(mmq_state_t *state, uint32_t output, float *out);
} mmq_methods_t;

/* rate.c: the true rate, from what steps in time between pushes cover: s by their times, s at the nominal rate. */
typedef struct {
    float covered, due;
} mmq_covered_t;
typedef struct {
    mmq_covered_t all, wide, close; /* of all steps, those without a gap, and those that fit best */
    int64_t last_ns;
    uint32_t last_frames, steps, gaps, strays; /* steps: all, not in `wide`, not in `close` */
    float hz;                                  /* 0: not known yet */
    uint8_t suspect, off;
} mmq_rate_t;

/* State of one modality. */
struct mmq_state {
    const mmq_modality_t *spec;
    const mmq_methods_t *methods;
    mmq_scratch_t scratch;
    mmq_channel_t *channels;
    float *baseline;  /* [channels][2]: running baseline less the first sample, first sample */
    float *prefilter; /* [channels][prefilter_sections][2] */
    union { /* by kind */
        mmq_bank_t bank;
        mmq_pulse_t *pulses; /* [outputs] */
        mmq_slow_t *slow;
        mmq_motion_t *motions;
    } of;
    float rate_hz; /* after decimation */
    uint32_t index, feature_start;
    uint32_t started, phase, safe_bits;
    uint32_t alive;  /* channels */
    uint32_t renews; /* from version 2 on: a spoilt token is followed by a restart */
    uint32_t strict; /* from version 3 on: a token that cannot be judged is absent, and the rate places samples */
    uint32_t bridge_frames; /* losses of all channels up to this long are filled by a line; 0: none, as before version 3 */
    uint32_t behind;   /* strict: what comes was given before, until it is due again */
    uint32_t fraction; /* of next_ns, in 1/256 ns, while the rate places samples */
    uint32_t counted;  /* the last push was counted; then: */
    uint32_t next_index, held_bits; /* the counter of the next frame; which of those after it are held */
    float *held;       /* [MMQ_REORDER_FRAMES][channels], each at its counter's last bits */
    mmq_rate_t rate;
    int64_t period, period_ns; /* between frames, in 1/256 ns and in ns */
    int64_t next_ns; /* when the next frame is due */
    int64_t end_ns;  /* of the open token */
    int64_t token;   /* token that frame belongs to */
};

/* normalise.c: statistics of one feature so far. */
typedef struct {
    float count, mean, square;
} mmq_running_t;

/* normalise.c: what look-backs are made of, for each in order. */
#define MMQ_SUMS 10u
typedef struct {
    float *sums;    /* [look-backs][MMQ_SUMS] of the feature less the population's mean */
    uint8_t *counts; /* how many each is of */
} mmq_past_t;

struct mmq_bridge {
    const mmq_spec_t *spec;
    mmq_state_t *states;
    uint32_t capacity;  /* tokens in the ring */
    uint32_t kept;      /* closed tokens that stay readable */
    float *features;    /* [capacity][F] */
    uint16_t *reasons;  /* [capacity][M] */
    int64_t closed, popped;
    int64_t enrolment_end; /* the enrolment lasts while fewer tokens are closed; MMQ_UNKNOWN_END while evidence lacks */
    int64_t token_ns, grace_ns, latest_ns; /* latest: newest time seen */
    int64_t origin_ns;      /* the caller's time at 0 on the bridge's clock, from which all other times count */
    uint32_t started, timed; /* whether anything came; whether the origin is known */
    uint16_t laps;           /* whether the caller's clock has begun anew */
    uint16_t letting_go;     /* what is held is being released */
    mmq_running_t *running; /* of each feature, used only where the normaliser learns */
    mmq_past_t past;
    uint32_t *measured;     /* [M] present tokens, NULL unless the enrolment counts them */
};

#define MMQ_UNKNOWN_END INT64_MAX

static inline int64_t mmq_half_ns(const mmq_state_t *state) { return state->period_ns >> 1; } /* half a period */
/* How near a token's end a sample counts as at it. */
static inline int64_t mmq_tolerance_ns(const mmq_state_t *state) { return state->period_ns >> 4; }

/* Kinds that share their code; a kind that is not built is none of them. */
#define MMQ_BANKS (1u << MMQ_EEG | 1u << MMQ_EOG | 1u << MMQ_EMG)
#define MMQ_PULSES (1u << MMQ_ECG | 1u << MMQ_PPG)
#define MMQ_WAVES (MMQ_BANKS | MMQ_PULSES | 1u << MMQ_RESP) /* baseline removed, filtered */
#define MMQ_BODY (~(1u << MMQ_TEMP | 1u << MMQ_ACC)) /* present only where a body is; those two also on a table */
#define MMQ_IS(kinds, spec) ((int)(((kinds)&MMQ_KINDS_BUILT) >> (spec)->kind & 1u))
static inline int mmq_is_bank(const mmq_modality_t *spec) { return MMQ_IS(MMQ_BANKS, spec); }
static inline int mmq_is_pulse(const mmq_modality_t *spec) { return MMQ_IS(MMQ_PULSES, spec); }
static inline int mmq_is_wave(const mmq_modality_t *spec) { return MMQ_IS(MMQ_WAVES, spec); }

/* spec.c */
int mmq_spec_is_good(const mmq_spec_t *spec);
int mmq_counts_evidence(const mmq_spec_t *spec); /* whether the enrolment counts present tokens */
uint32_t mmq_look_backs(const mmq_spec_t *spec, const mmq_modality_t *m); /* of one modality */
uint32_t mmq_all_features(const mmq_spec_t *spec);                        /* of all modalities, without look-backs */

/* modality.c: one state through its life */
void mmq_state_layout(mmq_state_t *state, mmq_arena_t *arena);
void mmq_state_restart(mmq_state_t *state);                          /* everything, after a gap */
void mmq_state_restart_channel(mmq_state_t *state, uint32_t channel); /* one channel came back */
void mmq_state_block(mmq_state_t *state, const float *frames, uint32_t stride, uint32_t n); /* n <= MMQ_BLOCK */
uint16_t mmq_state_finish(mmq_state_t *state, float token_s, float *features); /* token's end: why absent, features */

/* Where signal i of `signals` lies in a block: the first of its group, and how many lanes the group has. */
static inline uint32_t mmq_group(const mmq_modality_t *spec, uint32_t signals, uint32_t i, uint32_t *first) {
    const int wide = MMQ_LANES > 1u && i < signals - signals % MMQ_LANES && mmq_is_bank(spec);
    *first = wide ? i - i % MMQ_LANES : i;
    return wide ? MMQ_LANES : 1u;
}

/* spatial.c */
const float *mmq_mix(const mmq_state_t *state, uint32_t n); /* scratch wave -> mixed */

/* Whether an output's newest sample came from the sensor; held and filled ones count as measured before version 3. */
static inline int mmq_is_measured(const mmq_state_t *state, uint32_t output) {
    return !state->strict || state->channels[output].lost_run == 0;
}

/* quality.c */
uint32_t mmq_quality_safe(const mmq_modality_t *spec); /* bits of a magnitude that surely keeps range and rails */
/* How many of n frames, from the first on, in none of which a channel is lost or comes back; samples [channels], each
 * `stride` from the next. Sets *unsafe where one may be at a rail. */
uint32_t mmq_quality_steady(const mmq_state_t *state, const float *samples, uint32_t stride, uint32_t n,
                            uint32_t *unsafe);
/* Judge such frames. */
void mmq_quality_frames(mmq_state_t *state, const float *samples, uint32_t stride, uint32_t n, uint32_t unsafe);
/* Lost, held for up to `hold` in a row, or good; whether the channel came back. */
int mmq_quality_sample(mmq_state_t *state, uint32_t c, float x, uint32_t hold);
int mmq_quality_all_lost(const mmq_state_t *state, const float *samples, uint32_t stride); /* samples NULL: yes */
void mmq_quality_lose(mmq_state_t *state, int64_t frames); /* `frames` more are lost, while no channel is alive */
int mmq_quality_all_back(const mmq_state_t *state, const float *samples, uint32_t stride); /* all good, after one loss */
void mmq_quality_token(mmq_state_t *state, float token_s); /* at its end: all that each channel has `seen` */
void mmq_quality_next_token(mmq_state_t *state);

/* place.c */
int64_t mmq_frames_in(const mmq_state_t *state, int64_t ns); /* rounded up */
int mmq_place_take(mmq_bridge_t *bridge, mmq_state_t *state, const float *samples, uint32_t stride,
                   uint32_t frames); /* from next_ns on; whether the first one's token is closed */
void mmq_place_lose(mmq_bridge_t *bridge, mmq_state_t *state, uint32_t frames); /* so many never came */
void mmq_place_skip(mmq_bridge_t *bridge, mmq_state_t *state, int64_t ns);      /* what is due before ns never came */
void mmq_place_forward(mmq_bridge_t *bridge, mmq_state_t *state, int64_t ns);   /* the clock alone, and tokens */

/* Frames with a counter; those ahead of a missing one are held. */
void mmq_place_hold(mmq_state_t *state, uint32_t index, const float *samples, uint32_t stride);
int mmq_place_holds(const mmq_state_t *state, uint32_t index);
/* Give up waiting for what is missing among the next `frames`. Returns whether a token of theirs was closed. */
int mmq_place_go_on(mmq_bridge_t *bridge, mmq_state_t *state, uint32_t frames);
void mmq_place_release(mmq_bridge_t *bridge, mmq_state_t *state, int64_t until_ns); /* what is held for before */
void mmq_place_timed(mmq_bridge_t *bridge, mmq_state_t *state); /* all that is held; samples have times from now on */
void mmq_place_see(mmq_bridge_t *bridge, int64_t ns);           /* it is at least so late */

/* rate.c */
int64_t mmq_jitter_ns(const mmq_state_t *state);                     /* by how much a time may stray, from version 3 on */
void mmq_rate_step(mmq_state_t *state, uint32_t frames, int64_t ns); /* a push with a time */
void mmq_rate_begin(mmq_state_t *state);                             /* what comes next does not follow it */

/* frames.c */
void mmq_frames_take(mmq_state_t *state, const float *samples, uint32_t stride, uint32_t frames);
void mmq_frames_lose(mmq_state_t *state, int64_t until_ns); /* no frame came since the last one */

/* Each kind: see mmq_methods_t. */
void mmq_bank_layout(mmq_state_t *state, mmq_arena_t *arena);
void mmq_bank_restart(mmq_state_t *state, uint32_t output);
void mmq_bank_block(mmq_state_t *state, uint32_t output, const float *x, uint32_t stride, uint32_t n);
uint16_t mmq_bank_quality(const mmq_state_t *state, uint32_t output, float least);
void mmq_bank_features(mmq_state_t *state, uint32_t output, float *out);

void mmq_pulse_layout(mmq_state_t *state, mmq_arena_t *arena);
void mmq_pulse_restart(mmq_state_t *state, uint32_t output);
void mmq_pulse_block(mmq_state_t *state, uint32_t output, const float *x, uint32_t stride, uint32_t n);
uint16_t mmq_pulse_quality(const mmq_state_t *state, uint32_t output, float least);
void mmq_pulse_features(mmq_state_t *state, uint32_t output, float *out);

void mmq_slow_layout(mmq_state_t *state, mmq_arena_t *arena);
void mmq_slow_restart(mmq_state_t *state, uint32_t output);
void mmq_slow_block(mmq_state_t *state, uint32_t output, const float *x, uint32_t stride, uint32_t n);
void mmq_eda_features(mmq_state_t *state, uint32_t output, float *out);
void mmq_temp_features(mmq_state_t *state, uint32_t output, float *out);
uint16_t mmq_breath_quality(const mmq_state_t *state, uint32_t output, float least);
void mmq_breath_features(mmq_state_t *state, uint32_t output, float *out);

void mmq_motion_layout(mmq_state_t *state, mmq_arena_t *arena);
void mmq_motion_restart(mmq_state_t *state, uint32_t output);
void mmq_motion_block(mmq_state_t *state, uint32_t output, const float *x, uint32_t stride, uint32_t n);
void mmq_motion_features(mmq_state_t *state, uint32_t output, float *out);

/* beats.c, spectrum.c */
void mmq_beats_restart(mmq_beats_t *beats);
void mmq_beats_sample(mmq_beats_t *beats, const mmq_modality_t *spec, float y);
const mmq_beat_t *mmq_beat_at(const mmq_beats_t *beats, uint32_t i);       /* 0 is the oldest kept */
uint32_t mmq_beats_first(const mmq_beats_t *beats, uint32_t context);      /* the oldest in the context */
float mmq_spectrum_skewness(const mmq_pulse_t *pulse, float *work); /* of this token; NaN when too short */
float mmq_spectrum_regularity(const mmq_state_t *state, const mmq_pulse_t *pulse, float *work); /* NaN: too short */
/* out: rate, purity; left as they are when too short. */
void mmq_spectrum_peak(const mmq_modality_t *spec, const mmq_pulse_t *pulse, float *work, float *out);

/* normalise.c */
void mmq_normalise(mmq_bridge_t *bridge, float *features, const uint16_t *reasons); /* the token to close next */
void mmq_enrolment_begin(mmq_bridge_t *bridge);
/* What is learnt lies in one piece: statistics of the features, then sums and counts of the look-backs. */
uint32_t mmq_learnt_floats(const mmq_spec_t *spec); /* of the statistics */
uint32_t mmq_sums(const mmq_spec_t *spec);          /* how many there are, and as many counts */
size_t mmq_learnt_bytes(const mmq_spec_t *spec);
void mmq_learnt_place(mmq_bridge_t *bridge); /* sums and counts, once `running` is known */
/* Tokens that still lack for the end, with so many present ones by modality [M]. */
uint32_t mmq_enrolment_lacks(const mmq_spec_t *spec, const uint32_t *measured);

/* decide.c */
void mmq_judge(const mmq_rules_t *rules, mmq_decision_t *decision); /* what its probabilities say */

/* head.c: mmq_head_summary() of the window that ends with a closed token, which is kept */
mmq_status_t mmq_head_summary_at(const mmq_head_t *head, const mmq_bridge_t *bridge, int64_t number, float *u);

/* tokens.c */
float *mmq_token_at(const mmq_bridge_t *bridge, uint16_t **reasons, int64_t token); /* features and reasons of a token
                                                                                      * that is kept */
void mmq_tokens_clear(mmq_bridge_t *bridge);
void mmq_tokens_finish(mmq_bridge_t *bridge, mmq_state_t *state); /* without settling */
void mmq_tokens_settle(mmq_bridge_t *bridge, int64_t now_ns);

#endif
