/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_bridge.h: from raw samples of body sensors to the windows a model reads.
 *
 * Usage:
 *     static uint64_t mem[MMQ_BYTES / 8];                       // at least mmq_bridge_size(&spec) bytes
 *     mmq_bridge_t *bridge;
 *     mmq_bridge_init(mem, sizeof mem, &mmq_spec, &bridge);
 *     mmq_bridge_push(bridge, MMQ_SPEC_PPG, samples, frames, time_s);        // whenever a sensor delivers
 *     if (mmq_bridge_window_i8(bridge, features, presence) == MMQ_OK) { ... invoke the model ... }
 *
 * C99, float32, no allocation, no recursion, no libm beyond sqrtf and fabsf. The caller owns all memory.
 * Not thread safe: one bridge belongs to one thread. Compile with -ffp-contract=off.
 */
#ifndef MMQ_BRIDGE_H
#define MMQ_BRIDGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MMQ_FRONTEND_VERSION 3u /* versions 1 and 2 still run: what they do not know is 0, and 0 switches it off */
#define MMQ_MAX_MODALITIES 16u
#define MMQ_MAX_CHANNELS 64u
#define MMQ_MAX_BANDS 8u
#define MMQ_MAX_TOKENS 512u
#define MMQ_MAX_CONTEXT 40000u
#define MMQ_MAX_LOOK_BACK 2550u /* tokens */
#define MMQ_BEHIND 4u          /* closed tokens that stay readable beside those of the newest window */
#define MMQ_MAX_FFT 1024u
#define MMQ_START_S 60.0       /* a clock that starts within so many seconds of 0 counts from 0 */
#define MMQ_MAX_JUMP_S 864000.0 /* a push further ahead of all that was seen, 10 days, is an error, not a gap */
#ifndef MMQ_JITTER_S
#define MMQ_JITTER_S 0.1       /* from version 3 on: times that stray by up to so many s mean nothing */
#endif
#ifndef MMQ_REORDER_FRAMES
#define MMQ_REORDER_FRAMES 32u /* a power of two up to 32: how many counted frames of a modality may be held at once */
#endif

/* What a function returns. Nothing asserts. */
typedef enum {
    MMQ_OK = 0,
    MMQ_NULL,         /* a pointer is NULL */
    MMQ_BAD_SPEC,     /* the spec contradicts itself or exceeds a limit above */
    MMQ_TOO_SMALL,    /* the memory is smaller than mmq_bridge_size() */
    MMQ_BAD_MODALITY, /* no such modality in the spec */
    MMQ_BAD_TIME,     /* time is NaN, infinite or beyond +-4e9 s */
    MMQ_LATE,         /* some samples came too late or twice and were dropped; the rest was used */
    MMQ_NO_TOKEN,     /* no closed token waits to be popped */
    MMQ_NOT_READY,    /* fewer tokens than a window needs */
    MMQ_ENROLLING,    /* the normaliser is still learning this wearer */
    MMQ_NOT_QUANTISED, /* the spec has no quantisation */
    MMQ_NEWER_SPEC,   /* the spec is of a newer version than MMQ_FRONTEND_VERSION: update the core */
    MMQ_STATE_SHORT,  /* a saved state is cut short */
    MMQ_STATE_DAMAGED, /* a saved state was changed, or is none */
    MMQ_STATE_FOREIGN, /* a saved state is of another front end */
    MMQ_STATE_NEWER,  /* a saved state is of a newer core: update the core */
    MMQ_STATE_LATE,   /* a state must be loaded before the first sample */
    MMQ_BAD_MARK,     /* mmq_personal.h: a label other than 0 and 1, or a number that is none */
    MMQ_BUSY,         /* mmq_decision.h: the network wants to go on; call again */
    MMQ_NO_NETWORK,   /* mmq_decision.h: the network failed */
    MMQ_UNALIGNED,    /* mmq_inference.h: memory at an address that is not aligned as it must be */
    MMQ_BAD_STATE,    /* mmq_inference.h: how far a run is, of another network */
    MMQ_BAD_PLAN,     /* mmq_plan.h: no plan of a network, or one that this core does not know */
    MMQ_UNHELPFUL     /* mmq_personal.h: what was marked in one stretch does not hold in another */
} mmq_status_t;

typedef enum {
    MMQ_EEG = 0, MMQ_ECG, MMQ_PPG, MMQ_EDA, MMQ_TEMP, MMQ_ACC, MMQ_EOG, MMQ_EMG, MMQ_RESP, MMQ_KINDS
} mmq_kind_t;

/* Why a token is absent: the bits mmq_bridge_reasons() gives. 0 = present. */
enum {
    MMQ_WHY_LOST = 1,         /* too many samples NaN, infinite, in a gap or late; also: nothing came */
    MMQ_WHY_RANGE = 2,        /* too many samples outside minimum..maximum */
    MMQ_WHY_LEAD_OFF = 4,     /* too many samples while the driver said the lead is off */
    MMQ_WHY_SATURATED = 8,    /* too many samples at a rail */
    MMQ_WHY_FLAT = 16,        /* a run of equal samples */
    MMQ_WHY_STEP = 32,        /* a step between neighbours beyond max_step */
    MMQ_WHY_WEAK = 64,        /* standard deviation under min_deviation: nothing is attached */
    MMQ_WHY_STRONG = 128,     /* standard deviation over max_deviation */
    MMQ_WHY_KURTOSIS = 256,   /* ecg: kurtosis of the pulse band under min_kurtosis: no QRS stands out */
    MMQ_WHY_BAND = 512,       /* share of the power in the pulse or breath band under min_band_share */
    MMQ_WHY_IRREGULAR = 1024, /* no pulse repeats: autocorrelation under min_regularity */
    MMQ_WHY_SKEWED = 2048,    /* skewness of the pulse wave under min_skewness */
    MMQ_WHY_UNJUDGED = 4096,  /* from version 3 on: a rule had too few good samples, or no number, to judge by */
    MMQ_WHY_RATE = 8192       /* from version 3 on: samples come at another rate, see mmq_bridge_rate() */
};

typedef enum {
    MMQ_RAW = 0,      /* features as measured, NaN where one could not be measured */
    MMQ_POPULATION,   /* z = (x - mean) / std */
    MMQ_ENROLMENT,    /* statistics of the first tokens, shrunk towards the population. Version 3 counts those in
                       * which a modality was present, each modality its own; versions 1 and 2 those that passed */
    MMQ_RUNNING       /* statistics of all tokens so far, shrunk towards the population */
} mmq_normaliser_t;

/* One modality. Tables belong to the caller and must outlive the bridge. A rule whose limit is 0 is off. */
typedef struct {
    uint32_t kind;                /* mmq_kind_t */
    uint32_t channels;            /* rows of samples */
    uint32_t outputs;             /* signals after the spatial matrix; = channels without one (acc: sensors) */
    uint32_t features;            /* features of one token, all outputs together */
    uint32_t decimate;            /* keep one of so many samples (eda, temp, resp: their mean) */
    uint32_t bands;               /* band filters, two biquads each */
    uint32_t prefilter_sections;  /* biquads before decimation: notch, anti-alias */
    uint32_t hold_frames;         /* losses up to this long repeat the last sample */
    uint32_t flat_frames;         /* a longer run of equal samples is flat */
    uint32_t context;             /* decimated samples that context features look back over */
    uint32_t fft_size;            /* power of two: eeg, eog, emg segment, ppg spectrum; 0 = none */
    uint32_t spectrum_decimate;   /* ppg: further decimation before the spectrum */
    uint32_t spectrum_samples;    /* ppg: samples in the spectrum, <= fft_size */
    uint32_t spectrum_low;        /* ppg: first and last bin in which a pulse may lie */
    uint32_t spectrum_high;
    uint32_t peak_window;         /* ecg, ppg: odd lengths of the two moving averages, in decimated samples */
    uint32_t beat_window;
    uint32_t refractory;          /* ecg, ppg: no second beat within, in decimated samples */
    uint32_t lag_low, lag_high;   /* ppg: lags of the autocorrelation, in samples of the spectrum's rate */
    uint32_t look_back;           /* bit k: feature k of each output has a look-back, where the spec has any */
    float rate_hz;                /* as samples arrive */
    float baseline_alpha;         /* share of the difference the running baseline takes up a sample */
    float minimum, maximum;       /* a sample outside is lost */
    float rail_low, rail_high;    /* a sample at or beyond is saturated */
    float max_saturated_share, max_lost_share;
    float max_bad_share;          /* of channels: with more bad ones the token is absent */
    float max_step;               /* unit between neighbouring samples */
    float min_deviation, max_deviation;
    float min_kurtosis, min_band_share, min_regularity;
    float min_skewness;           /* -infinity switches it off */
    float beat_offset;            /* ecg, ppg: threshold above the long average, in shares of the mean */
    float psd_scale;              /* eeg, eog, emg: from |X|^2 to unit^2/Hz */
    const float *prefilter;       /* [prefilter_sections][5]: b0 b1 b2 a1 a2 */
    const float *bank;            /* [bands][5]: gain, a1 a2 of the first, a1 a2 of the second section */
    const float *fft_window;      /* eeg, eog, emg [fft_size], ppg [spectrum_samples] */
    const float *twiddles;        /* [fft_size / 2][2]: cos, sin of 2 pi k / fft_size */
    const uint16_t *band_bins;    /* eeg, eog, emg [bands][2]: first bin, one past the last */
    const float *spatial;         /* eeg [outputs][channels], or NULL */
} mmq_modality_t;

/* The whole front end, generated from frontend.json. */
typedef struct {
    uint32_t version;          /* 1 to MMQ_FRONTEND_VERSION */
    uint32_t tokens;           /* T: tokens in a window */
    uint32_t n_modalities;     /* M */
    uint32_t n_features;       /* F of a token as it is read: of each modality its features, then its look-backs */
    uint32_t normaliser;       /* mmq_normaliser_t */
    uint32_t enrolment_tokens; /* tokens the enrolment lasts; version 3: present ones a modality learns from */
    uint32_t enrolment_least;  /* version 3: with fewer of them a modality is normalised by the population */
    uint32_t look_back_tokens; /* version 3 with an enrolment: present tokens that look-backs reach back over, ten times
                                * a whole number; 0 = there are none. See mmq_bridge_token() */
    uint32_t quantised;        /* 1: scale and zero_point are valid */
    int32_t zero_point;
    float scale;
    float token_s, grace_s;    /* s */
    float prior_tokens, clip;
    const float *mean;         /* of each feature but the look-backs, NULL when raw */
    const float *std;          /* of the same */
    const mmq_modality_t *modalities; /* [M] */
} mmq_spec_t;

typedef struct mmq_bridge mmq_bridge_t;

/* Bytes mmq_bridge_init() needs for this spec; 0 when the spec is NULL or bad. */
size_t mmq_bridge_size(const mmq_spec_t *spec);

/* Prepare a bridge inside `mem` (any alignment, at least mmq_bridge_size() bytes, kept by the caller).
 * Errors: MMQ_NULL, MMQ_NEWER_SPEC, MMQ_BAD_SPEC, MMQ_TOO_SMALL. On error *bridge is NULL. */
mmq_status_t mmq_bridge_init(void *mem, size_t size, const mmq_spec_t *spec, mmq_bridge_t **bridge);

/* Hand over `frames` samples of one modality.
 *   samples  [channels][frames] in the spec's unit, channel after channel; NaN marks a lost sample
 *   time_s   when the first frame was taken, in seconds on one clock for all sensors; a jump over 1.5 sample
 *            periods is a gap, a step back drops what was already given
 * Whatever that clock says, the first push (or advance) sets its origin: token 0 begins there. A first time within
 * MMQ_START_S of 0 counts from 0, so that the tokens of a recording begin at its second 0 even where its first sensor
 * starts a little later. A clock that counts milliseconds in 32 bits may begin again at 0; for counters of other
 * units see mmq_clock_s().
 * From version 3 on the rate, not the time, places the samples: times that stray from it by up to MMQ_JITTER_S (or half
 * a sample period, if that is longer) change nothing. Beyond, samples are missing or come again; what drifts beyond is
 * put right by single samples. What repeats less than that bound is taken for new: count such packets instead.
 * Tokens close when every modality reached their end, or one is beyond it by grace_s.
 * Errors: MMQ_NULL, MMQ_BAD_MODALITY, MMQ_BAD_TIME (also over MMQ_MAX_JUMP_S ahead; nothing is changed);
 * MMQ_LATE (late samples dropped). */
mmq_status_t mmq_bridge_push(mmq_bridge_t *bridge, uint32_t modality, const float *samples, uint32_t frames,
                             double time_s);

/* The same for packets that carry a counter instead of a time: `first_sample_index` is that of the first frame, counts
 * frames at the modality's rate and wraps around at 2^32. Packets may come in any order: a frame is waited for until
 * one came that is MMQ_REORDER_FRAMES further on, or until another modality is grace_s further on; then it is lost. So
 * packets of up to half of MMQ_REORDER_FRAMES may change places. What comes twice is dropped.
 * The first packet of a modality begins at second 0, or now (at the newest time of all modalities) when the others are
 * further than grace_s. So does a counter that falls back by over a minute or jumps ahead by over a day: it began anew.
 * Until the first push or advance with a time, sensors are aligned by their counters alone; that time is then now.
 * A modality may change from one way to the other: it goes on where it is.
 * Errors: MMQ_NULL, MMQ_BAD_MODALITY, MMQ_BAD_TIME (over a day of frames at once); MMQ_LATE (frames came twice or too
 * late). */
mmq_status_t mmq_bridge_push_counted(mmq_bridge_t *bridge, uint32_t modality, const float *samples, uint32_t frames,
                                     uint32_t first_sample_index);

/* The rate in Hz at which a modality's samples really come, by the times of its pushes, over the last 30 s of samples
 * or more. From version 3 on, tokens are absent (MMQ_WHY_RATE) while it has been off by over 2 % twice in a row.
 * Errors: MMQ_NULL, MMQ_BAD_MODALITY, MMQ_NOT_READY (not known yet, or the samples are counted). */
mmq_status_t mmq_bridge_rate(const mmq_bridge_t *bridge, uint32_t modality, float *rate_hz);

/* What the front-end chip says of its leads, for the samples pushed from now on: bit c of `off` set = channel c is
 * not connected, its samples are lost. Errors: MMQ_NULL, MMQ_BAD_MODALITY. */
mmq_status_t mmq_bridge_lead_off(mmq_bridge_t *bridge, uint32_t modality, uint64_t off);

/* Say that it is `time_s` now and that nothing older will come: closes every token that ended before.
 * Errors: MMQ_NULL, MMQ_BAD_TIME. */
mmq_status_t mmq_bridge_advance(mmq_bridge_t *bridge, double time_s);

/* Pop the oldest closed token that was not popped yet: features [F], presence [M] (0 or 1), its number
 * (token k covers [k, k+1) * token_s; may be NULL). Tokens nobody pops are overwritten after a while.
 * A look-back is a feature's difference from its mean over the last tokens in which its modality was present, this one
 * too, in the deviations that its score is in, and clipped as that. The mean is kept in ten sums, of which the oldest
 * is dropped when a new one begins: it covers look_back_tokens, or up to a tenth less one fewer. The look-back is 0
 * where the feature could not be measured, and before the modality was present in so many tokens, the enrolment's own
 * among them. Time does not count.
 * Errors: MMQ_NULL, MMQ_NO_TOKEN. */
mmq_status_t mmq_bridge_token(mmq_bridge_t *bridge, float *features, uint8_t *presence, int64_t *number);

/* The last T closed tokens: features [T][F], presence [T][M] as 0 or 1.
 * Errors: MMQ_NULL, MMQ_NOT_READY, MMQ_ENROLLING (a window never overlaps the enrolment). */
mmq_status_t mmq_bridge_window(const mmq_bridge_t *bridge, float *features, float *presence);

/* The same, quantised: round(x / scale) + zero_point, half away from zero; presence 127 or -128.
 * Errors: as above, MMQ_NOT_QUANTISED. */
mmq_status_t mmq_bridge_window_i8(const mmq_bridge_t *bridge, int8_t *features, int8_t *presence);

/* The same of the window that ends with closed token `number`, one of the last MMQ_BEHIND + 1: where several closed at
 * once. Errors: as above, MMQ_NO_TOKEN. */
mmq_status_t mmq_bridge_window_at(const mmq_bridge_t *bridge, int64_t number, float *features, float *presence);
mmq_status_t mmq_bridge_window_i8_at(const mmq_bridge_t *bridge, int64_t number, int8_t *features, int8_t *presence);

/* Why the modalities of closed token `number` are absent: reasons [M], MMQ_WHY_* bits, 0 where present. The last
 * T + MMQ_BEHIND closed tokens can be asked. Errors: MMQ_NULL, MMQ_NO_TOKEN. */
mmq_status_t mmq_bridge_reasons(const mmq_bridge_t *bridge, int64_t number, uint16_t *reasons);

/* The spatial matrix of a modality on some frames: out [outputs][frames] = matrix x samples [channels][frames];
 * a copy without a matrix. The bridge does the same to every frame. Errors: MMQ_NULL. */
mmq_status_t mmq_spatial(const mmq_modality_t *modality, const float *samples, uint32_t frames, float *out);

/* Seconds from a counter that wraps around: keep one clock a counter. */
typedef struct {
    double ticks_per_s;
    int64_t total; /* ticks since the first call */
    uint32_t last;
    uint32_t started;
} mmq_clock_t;

/* Seconds since the first call. A step of the 32-bit counter of up to 2^31 counts as forwards, also over its
 * wrap-around, a longer one as backwards. `clock` starts as {ticks_per_s, 0, 0, 0}; 0 when it is NULL. */
double mmq_clock_s(mmq_clock_t *clock, uint32_t ticks);

/* The beats an ecg or ppg modality found in its context (first channel): `ages` [capacity] takes, oldest first, how
 * many seconds before its newest sample each beat was; *count how many there are (only `capacity` are written).
 * Errors: MMQ_NULL, MMQ_BAD_MODALITY (also when it has no beats). */
mmq_status_t mmq_bridge_beats(const mmq_bridge_t *bridge, uint32_t modality, float *ages, uint32_t capacity,
                              uint32_t *count);

/* Number of tokens closed so far (the next token to close), or -1 when bridge is NULL. */
int64_t mmq_bridge_closed(const mmq_bridge_t *bridge);

/* Tokens the enrolment still lasts: 0 when it is over or the normaliser has none, -1 when bridge is NULL. From version
 * 3 on these are present tokens of a modality that is only measured on a body (any but temp and acc, where the spec
 * has one): before one of them has enrolment_tokens, there is no window. */
int64_t mmq_bridge_enrolment_left(const mmq_bridge_t *bridge);

/* How far the enrolment was at the end of closed token `number`, one of the last T + MMQ_BEHIND; what is NULL is not written.
 *   measured  [M] present tokens of each modality so far, from version 3 on: with fewer than enrolment_least it was
 *             normalised by the population. For older versions all M say how many tokens passed, 0 without enrolment
 *   left      as mmq_bridge_enrolment_left, at that token's end
 *   end       the first token after the enrolment; -1 where that cannot be known yet
 * Errors: MMQ_NULL, MMQ_NO_TOKEN. */
mmq_status_t mmq_bridge_enrolment(const mmq_bridge_t *bridge, int64_t number, uint32_t *measured, uint32_t *left,
                                  int64_t *end);

/* What outlives a restart is what the wearer taught: the statistics of each feature and how far the enrolment is; not
 * the samples, tokens and windows of the last minutes. The bytes are the same on every target. A bridge that loads
 * them begins with a new clock; it goes on with the enrolment where it stopped, or is enrolled, and gives windows once
 * it has closed the tokens of a whole one after the enrolment. Its contexts fill as after any start.
 *
 *     mmq_state_save(bridge, bytes, sizeof bytes);    // uint8_t bytes[MMQ_SPEC_SAVED_BYTES]; now and then, to flash
 *     mmq_state_load(bridge, bytes, sizeof bytes);    // right after mmq_bridge_init()
 *
 * They are of one wearer: what is known of a body is personal. Bytes that a state of this front end always has; 0 when
 * the spec is NULL or bad: */
size_t mmq_state_size(const mmq_spec_t *spec);

/* Write mmq_state_size() bytes into a buffer of any alignment. Errors: MMQ_NULL, MMQ_TOO_SMALL (nothing is written). */
mmq_status_t mmq_state_save(const mmq_bridge_t *bridge, void *buffer, size_t size);

/* Take over a state of exactly `size` bytes. It must be whole (a CRC-32 says so) and of a spec with the same features
 * and normalisation, tables included. On error nothing is changed.
 * Errors: MMQ_NULL, MMQ_STATE_LATE, MMQ_STATE_SHORT, MMQ_STATE_DAMAGED, MMQ_STATE_NEWER, MMQ_STATE_FOREIGN. */
mmq_status_t mmq_state_load(mmq_bridge_t *bridge, const void *buffer, size_t size);

/* Normalise a whole stream in place, exactly as a bridge would: features [n][F], in which the places of look-backs need
 * not be set, presence [n][M] as 0 or 1, scratch 3 * F floats, with look-backs 13 * F. For training; a device does not
 * need it. Errors: MMQ_NULL, MMQ_BAD_SPEC. */
mmq_status_t mmq_normalise_stream(const mmq_spec_t *spec, float *features, const uint8_t *presence, uint32_t n,
                                  float *scratch);

/* For logs and screens: "ok", "null", "bad_spec", ... as above in small letters; "" for what is none. Of several bits
 * MMQ_WHY_* the lowest is named, so that all are told by
 *     for (uint32_t why = reasons[m]; why; why &= why - 1u) puts(mmq_reason_name(why)); */
const char *mmq_status_name(uint32_t status);
const char *mmq_reason_name(uint32_t reasons);
const char *mmq_kind_name(uint32_t kind);
const char *mmq_status_sentence(uint32_t status); /* "the memory is too small"; for people */

#ifdef __cplusplus
}
#endif
#endif
