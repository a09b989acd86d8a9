/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_push.c: any sequence of calls on a bridge with a good spec. Nothing crashes, and what comes out keeps its
 * promises: tokens close in order, features are what presence says, int8 windows are the float ones, and a stream
 * cut into other pushes gives the same bits. */
#include "fuzz_common.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BUDGET 16000u /* samples an input may push: keeps one execution in milliseconds */
#define GUARD 32u
#define PATTERN 0xa5u

typedef struct {
    mmq_bridge_t *bridge;
    unsigned char *memory;
    size_t front, size;
    int64_t closed, popped;
} subject_t;

typedef struct {
    mmq_spec_t spec;
    subject_t whole, pieces; /* `pieces` gets the same stream in smaller pushes; unused where its bridge is NULL */
    uint32_t layout, budget, pushed[MMQ_MAX_MODALITIES];
    uint32_t counter[MMQ_MAX_MODALITIES]; /* of the next counted frame */
    uint8_t counting[MMQ_MAX_MODALITIES]; /* the last push of the modality was counted */
    uint8_t unsteady[MMQ_MAX_MODALITIES]; /* times were not those of the rate: then they must not stray as well */
    uint8_t off_rate; /* a rate was found to be wrong: when it is found depends on the pushes */
    double origin[MMQ_MAX_MODALITIES];
    mmq_clock_t clock;
    float *window; /* features of the last window that was read, NULL before; `window_end` tokens were closed then */
    int64_t window_end;
} fuzz_t;

/* A bridge in memory of any alignment: exactly its size, or a little more that it must not touch. */
static void start(subject_t *s, const mmq_spec_t *spec, uint32_t layout) {
    const size_t spare = layout & 8u ? GUARD : 0u;
    memset(s, 0, sizeof *s);
    s->size = mmq_bridge_size(spec);
    PROMISE(s->size > 0);
    s->front = layout % 8u;
    s->memory = fuzz_exactly(s->front + s->size + spare);
    memset(s->memory, PATTERN, s->front + s->size + spare);
    PROMISE(mmq_bridge_init(s->memory + s->front, s->size - 1, spec, &s->bridge) == MMQ_TOO_SMALL && !s->bridge);
    PROMISE(mmq_bridge_init(s->memory + s->front, s->size + spare, spec, &s->bridge) == MMQ_OK && s->bridge);
}

static void stop(subject_t *s, uint32_t layout) {
    const size_t spare = layout & 8u ? GUARD : 0u;
    for (size_t i = 0; i < s->front; i++) PROMISE(s->memory[i] == PATTERN);
    for (size_t i = 0; i < spare; i++) PROMISE(s->memory[s->front + s->size + i] == PATTERN);
    free(s->memory);
}

static void check_closed(subject_t *s) {
    const int64_t closed = mmq_bridge_closed(s->bridge);
    PROMISE(closed >= s->closed && closed >= 0);
    s->closed = closed;
}

/* Push frames first..last of samples [channels][frames], copied so that a read beyond them is seen. */
static mmq_status_t push_part(const fuzz_t *f, subject_t *s, uint32_t m, const float *samples, uint32_t frames,
                              uint32_t first, uint32_t last, double time_s) {
    const uint32_t channels = f->spec.modalities[m].channels, n = last - first;
    float *part = fuzz_exactly((size_t)channels * n * sizeof *part + 1u);
    mmq_status_t status;
    for (uint32_t c = 0; c < channels; c++) {
        memcpy(part + (size_t)c * n, samples + (size_t)c * frames + first, n * sizeof *part);
    }
    status = mmq_bridge_push(s->bridge, m, part, n, time_s);
    PROMISE(status == MMQ_OK || status == MMQ_LATE || status == MMQ_BAD_TIME);
    free(part);
    check_closed(s);
    return status;
}

static double at_frame(const fuzz_t *f, uint32_t m, uint32_t frame) {
    return f->origin[m] + (double)frame / (double)f->spec.modalities[m].rate_hz;
}

/* From version 3 on times may stray within MMQ_JITTER_S, one from the other. */
static double stray(fuzz_t *f, uint32_t m, uint32_t frame) {
    const double part = (double)((frame * 2654435761u) >> 16) / 65536.0 - 0.5;
    return f->spec.version < 3u || f->unsteady[m] ? 0.0 : 0.98 * MMQ_JITTER_S * part;
}

/* Continuous in time, maybe after a gap or a step back of whole frames. */
static void push_stream(fuzz_t *f, fuzz_input_t *in, uint32_t m, float *samples, uint32_t frames) {
    const int32_t jump = (int8_t)fuzz_u8(in);
    const uint32_t from = jump < 0 && (uint32_t)-jump > f->pushed[m] ? 0u : f->pushed[m] + (uint32_t)jump;
    const uint32_t step = 1u + fuzz_u8(in) % 64u;
    f->counting[m] = 0;
    f->unsteady[m] |= jump != 0;
    fuzz_samples(in, f->spec.modalities + m, samples, frames, from);
    (void)push_part(f, &f->whole, m, samples, frames, 0, frames, at_frame(f, m, from));
    for (uint32_t done = 0; f->pieces.bridge && done < frames;) {
        const uint32_t n = frames - done < step ? frames - done : step;
        const double time_s = at_frame(f, m, from + done) + stray(f, m, from + done);
        (void)push_part(f, &f->pieces, m, samples, frames, done, done + n, time_s);
        done += n;
    }
    f->pushed[m] = from + frames;
}

/* At any time at all; the stream goes on from there. */
static void push_anywhere(fuzz_t *f, fuzz_input_t *in, uint32_t m, float *samples, uint32_t frames) {
    const double now = at_frame(f, m, f->pushed[m]);
    double time_s = fuzz_u8(in) & 1u ? fuzz_double(in) : now + (double)fuzz_float(in);
    mmq_status_t status;
    f->counting[m] = 0;
    fuzz_samples(in, f->spec.modalities + m, samples, frames, 0);
    status = push_part(f, &f->whole, m, samples, frames, 0, frames, time_s);
    PROMISE(status == MMQ_BAD_TIME || (time_s >= -4e9 && time_s <= 4e9));
    if (f->pieces.bridge) PROMISE(push_part(f, &f->pieces, m, samples, frames, 0, frames, time_s) == status);
    if (status == MMQ_BAD_TIME) return;
    memset(f->unsteady, 1, sizeof f->unsteady); /* the origin may be another one */
    f->origin[m] = time_s;
    f->pushed[m] = frames;
}

static void push_counted_part(const fuzz_t *f, subject_t *s, uint32_t m, const float *samples, uint32_t frames,
                              uint32_t first, uint32_t last, uint32_t index) {
    const uint32_t channels = f->spec.modalities[m].channels, n = last - first;
    float *part = fuzz_exactly((size_t)channels * n * sizeof *part + 1u);
    mmq_status_t status;
    for (uint32_t c = 0; c < channels; c++) {
        memcpy(part + (size_t)c * n, samples + (size_t)c * frames + first, n * sizeof *part);
    }
    status = mmq_bridge_push_counted(s->bridge, m, part, n, index);
    PROMISE(status == MMQ_OK || status == MMQ_LATE);
    free(part);
    check_closed(s);
}

/* With a counter that goes on, or jumps, or is anything; the second bridge gets it in pieces, of which two and two may
 * change places. */
static void push_counted(fuzz_t *f, fuzz_input_t *in, uint32_t m, float *samples, uint32_t frames) {
    const uint8_t how = fuzz_u8(in), jump = fuzz_u8(in);
    const uint32_t step = 1u + how % (MMQ_REORDER_FRAMES / 2u);
    const uint32_t index = how & 128u ? fuzz_u32(in) : f->counter[m] + (uint32_t)(int32_t)(int8_t)jump;
    const int swap = f->counting[m] && !(how & 128u) && how & 64u;
    fuzz_samples(in, f->spec.modalities + m, samples, frames, index);
    push_counted_part(f, &f->whole, m, samples, frames, 0, frames, index);
    for (uint32_t done = 0; f->pieces.bridge && done < frames;) {
        const uint32_t n = frames - done < step ? frames - done : step, left = frames - done - n;
        const uint32_t second = !swap ? 0u : left < step ? left : step;
        if (second) {
            push_counted_part(f, &f->pieces, m, samples, frames, done + n, done + n + second, index + done + n);
        }
        push_counted_part(f, &f->pieces, m, samples, frames, done, done + n, index + done);
        done += n + second;
    }
    if (frames == 0) return; /* a bridge heard nothing of this counter */
    f->unsteady[m] = f->counting[m] = 1;
    f->counter[m] = index + frames;
}

enum { IN_TIME, ANYWHERE, COUNTED };

static void push(fuzz_t *f, fuzz_input_t *in, uint32_t m, int way) {
    const uint32_t size = fuzz_u8(in), channels = f->spec.modalities[m].channels;
    uint32_t frames = size < 128u ? size : (size - 127u) * 16u;
    float *samples;
    if (frames * channels > f->budget) frames = f->budget / channels;
    f->budget -= frames * channels;
    samples = fuzz_exactly((size_t)frames * channels * sizeof *samples + 1u);
    if (way == COUNTED) push_counted(f, in, m, samples, frames);
    else if (way == ANYWHERE) push_anywhere(f, in, m, samples, frames);
    else push_stream(f, in, m, samples, frames);
    free(samples);
}

static void advance(fuzz_t *f, fuzz_input_t *in) {
    const uint8_t kind = fuzz_u8(in);
    const double now = (double)f->whole.closed * (double)f->spec.token_s;
    const double time_s = kind & 1u ? fuzz_double(in) : now + (double)(kind >> 1) / 16.0 + (kind & 2u ? 7e-4 : 0.0);
    const mmq_status_t status = mmq_bridge_advance(f->whole.bridge, time_s);
    memset(f->unsteady, 1, sizeof f->unsteady);
    PROMISE(status == MMQ_OK || status == MMQ_BAD_TIME);
    if (f->pieces.bridge) PROMISE(mmq_bridge_advance(f->pieces.bridge, time_s) == status);
    check_closed(&f->whole);
    if (f->pieces.bridge) check_closed(&f->pieces);
}

static void lead_off(fuzz_t *f, fuzz_input_t *in, uint32_t m) {
    const uint64_t low = fuzz_u32(in), off = low | (fuzz_u8(in) & 1u ? low << 32 : 0u);
    PROMISE(mmq_bridge_lead_off(f->whole.bridge, m, off) == MMQ_OK);
    if (f->pieces.bridge) PROMISE(mmq_bridge_lead_off(f->pieces.bridge, m, off) == MMQ_OK);
}

static void check_reasons(fuzz_t *f, const subject_t *s, int64_t number, const uint8_t *presence) {
    const size_t bytes = f->spec.n_modalities * sizeof(uint16_t);
    uint16_t *reasons = fuzz_exactly(bytes), *other = fuzz_exactly(bytes);
    PROMISE(mmq_bridge_reasons(s->bridge, number, reasons) == MMQ_OK);
    for (uint32_t m = 0; m < f->spec.n_modalities; m++) {
        PROMISE((reasons[m] == 0) == (presence[m] == 1));
        PROMISE(reasons[m] < 2u * MMQ_WHY_RATE);
    }
    if (f->pieces.bridge) {
        PROMISE(mmq_bridge_reasons(f->pieces.bridge, number, other) == MMQ_OK);
        for (uint32_t m = 0; m < f->spec.n_modalities; m++) {
            f->off_rate |= ((reasons[m] | other[m]) & MMQ_WHY_RATE) != 0;
        }
        PROMISE(f->off_rate || !memcmp(reasons, other, bytes));
    }
    free(reasons);
    free(other);
}

/* The window keeps its promises, and tokens that were in the one before did not change. */
static void window(fuzz_t *f) {
    const uint32_t tokens = f->spec.tokens, row = f->spec.n_features;
    const int64_t shift = f->whole.closed - f->window_end;
    float *features = fuzz_exactly((size_t)tokens * row * sizeof *features);
    float *presence = fuzz_exactly((size_t)tokens * f->spec.n_modalities * sizeof *presence);
    fuzz_check_window(f->whole.bridge, &f->spec);
    if (mmq_bridge_window(f->whole.bridge, features, presence) == MMQ_OK) {
        if (f->window && shift < (int64_t)tokens) {
            const size_t same = (size_t)(tokens - (uint32_t)shift) * row;
            PROMISE(!memcmp(features, f->window + (size_t)shift * row, same * sizeof *features));
        }
        free(f->window);
        f->window = features;
        f->window_end = f->whole.closed;
    } else {
        PROMISE(!f->window);
        free(features);
    }
    free(presence);
}

/* Pop one token: the next one, or the oldest still kept. Returns 1 when there was one. */
static int pop(fuzz_t *f, subject_t *s, float *features, uint8_t *presence) {
    const int64_t oldest = s->closed - (int64_t)f->spec.tokens - 4;
    int64_t number = -1;
    const mmq_status_t status = mmq_bridge_token(s->bridge, features, presence, &number);
    PROMISE(status == MMQ_OK || status == MMQ_NO_TOKEN);
    if (status != MMQ_OK) return 0;
    PROMISE(number == (s->popped < oldest ? oldest : s->popped) && number < s->closed);
    s->popped = number + 1;
    fuzz_check_token(&f->spec, features, presence);
    check_reasons(f, s, number, presence);
    return 1;
}

/* Pop from both bridges: their tokens are the same bits. Returns 1 while there are more. */
static int token(fuzz_t *f) {
    const size_t bytes = f->spec.n_features * sizeof(float), modalities = f->spec.n_modalities;
    float *features = fuzz_exactly(bytes), *other = fuzz_exactly(bytes);
    uint8_t *presence = fuzz_exactly(modalities), *other_presence = fuzz_exactly(modalities);
    const int more = pop(f, &f->whole, features, presence);
    if (f->pieces.bridge) {
        PROMISE(pop(f, &f->pieces, other, other_presence) == more);
        PROMISE(!more || f->whole.popped == f->pieces.popped);
        PROMISE(f->off_rate || !more ||
                (!memcmp(features, other, bytes) && !memcmp(presence, other_presence, modalities)));
    }
    free(features);
    free(other);
    free(presence);
    free(other_presence);
    return more;
}

/* How far the enrolment was at a token: it never lacks more than it lasts, and its end is known when it is over. */
static void enrolment(const fuzz_t *f, int64_t number, int known) {
    uint32_t *measured = fuzz_exactly(f->spec.n_modalities * sizeof *measured), left = 0;
    int64_t end = 0;
    const mmq_status_t status = mmq_bridge_enrolment(f->whole.bridge, number, measured, &left, &end);
    PROMISE(status == (known ? MMQ_OK : MMQ_NO_TOKEN));
    if (known) {
        PROMISE(left <= f->spec.enrolment_tokens && (left == 0) == (end >= 0 && number + 1 >= end));
        if (number + 1 == f->whole.closed) PROMISE(mmq_bridge_enrolment_left(f->whole.bridge) == (int64_t)left);
        PROMISE(mmq_bridge_enrolment(f->whole.bridge, number, NULL, NULL, NULL) == MMQ_OK);
    }
    free(measured);
}

static void reasons(const fuzz_t *f, fuzz_input_t *in) {
    const int64_t number = f->whole.closed - (int64_t)(int8_t)fuzz_u8(in);
    const int known = number >= 0 && number < f->whole.closed &&
                      number >= f->whole.closed - (int64_t)f->spec.tokens - 4;
    uint16_t *found = fuzz_exactly(f->spec.n_modalities * sizeof *found);
    PROMISE(mmq_bridge_reasons(f->whole.bridge, number, found) == (known ? MMQ_OK : MMQ_NO_TOKEN));
    free(found);
    enrolment(f, number, known);
}

static void beats(const fuzz_t *f, fuzz_input_t *in, uint32_t m) {
    const uint32_t capacity = fuzz_u8(in), kind = f->spec.modalities[m].kind;
    float *ages = fuzz_exactly(capacity * sizeof *ages + 1u), rate_hz = 0.0f;
    uint32_t count = 0;
    PROMISE(mmq_bridge_rate(f->whole.bridge, m, &rate_hz) == (rate_hz != 0.0f ? MMQ_OK : MMQ_NOT_READY));
    PROMISE(rate_hz >= 0.0f && rate_hz < 1e16f); /* false for NaN */
    const mmq_status_t status = mmq_bridge_beats(f->whole.bridge, m, ages, capacity, &count);
    PROMISE(status == (kind == MMQ_ECG || kind == MMQ_PPG ? MMQ_OK : MMQ_BAD_MODALITY));
    for (uint32_t i = 0; status == MMQ_OK && i < count && i < capacity; i++) {
        PROMISE(ages[i] > -1.0f && ages[i] < 1e6f); /* false for NaN */
        PROMISE(i == 0 || ages[i] < ages[i - 1]);
    }
    free(ages);
}

static void spatial(const fuzz_t *f, fuzz_input_t *in, uint32_t m) {
    const mmq_modality_t *modality = f->spec.modalities + m;
    const uint32_t frames = fuzz_u8(in) % 40u;
    float *samples = fuzz_exactly((size_t)frames * modality->channels * sizeof *samples + 1u);
    float *out = fuzz_exactly((size_t)frames * modality->channels * sizeof *out + 1u);
    fuzz_samples(in, modality, samples, frames, 0);
    if (modality->outputs <= modality->channels) PROMISE(mmq_spatial(modality, samples, frames, out) == MMQ_OK);
    free(samples);
    free(out);
}

static void tick(fuzz_t *f, fuzz_input_t *in) {
    const int64_t before = f->clock.total;
    const uint32_t last = f->clock.last, ticks = fuzz_u32(in);
    const double now = mmq_clock_s(&f->clock, ticks);
    if (f->clock.ticks_per_s >= 1e-3 && f->clock.ticks_per_s <= 1e12) PROMISE(isfinite(now));
    PROMISE(f->clock.started == 0u || f->clock.last == ticks);
    if (ticks - last <= 0x7fffffffu) PROMISE(f->clock.total >= before);
}

/* A whole stream of any bits through the normaliser. */
static void normalise(const fuzz_t *f, fuzz_input_t *in) {
    const uint32_t n = fuzz_u8(in) % 8u;
    const size_t count = (size_t)n * f->spec.n_features;
    float *features = fuzz_exactly(count * sizeof *features + 1u);
    float *scratch = fuzz_exactly((f->spec.look_back_tokens ? 13u : 3u) * f->spec.n_features * sizeof *scratch);
    uint8_t *presence = fuzz_exactly((size_t)n * f->spec.n_modalities + 1u);
    for (size_t i = 0; i < count; i++) features[i] = fuzz_float(in);
    for (size_t i = 0; i < (size_t)n * f->spec.n_modalities; i++) presence[i] = fuzz_u8(in) & 1u;
    if (mmq_normalise_stream(&f->spec, features, presence, n, scratch) == MMQ_OK && f->spec.normaliser != MMQ_RAW) {
        for (uint32_t t = 0; t < n; t++) {
            const size_t token = t;
            fuzz_check_token(&f->spec, features + token * f->spec.n_features, presence + token * f->spec.n_modalities);
        }
    }
    free(features);
    free(scratch);
    free(presence);
}

/* What a bridge has learnt, in exactly its bytes. */
static uint8_t *saved(const fuzz_t *f, const subject_t *s, size_t size) {
    uint8_t *state = fuzz_exactly(size);
    PROMISE(mmq_state_size(&f->spec) == size && size >= 24u);
    PROMISE(mmq_state_save(s->bridge, state, size - 1u) == MMQ_TOO_SMALL);
    PROMISE(mmq_state_save(s->bridge, state, size) == MMQ_OK);
    return state;
}

/* Begin anew with a state of any bytes: it is taken over to the bit, or refused by name and nothing is changed. */
static void restart(fuzz_t *f, subject_t *s, const uint8_t *state, size_t length, uint32_t layout) {
    const size_t size = mmq_state_size(&f->spec);
    uint8_t *before, *after;
    mmq_status_t status;
    stop(s, layout);
    start(s, &f->spec, layout);
    before = saved(f, s, size);
    status = mmq_state_load(s->bridge, state, length);
    after = saved(f, s, size);
    PROMISE(status == MMQ_OK || (status >= MMQ_STATE_SHORT && status <= MMQ_STATE_NEWER));
    if (status == MMQ_OK) PROMISE(length == size && !memcmp(after, state, size));
    else PROMISE(!memcmp(after, before, size));
    free(before);
    free(after);
}

static void state(fuzz_t *f, fuzz_input_t *in) {
    const size_t size = mmq_state_size(&f->spec);
    const int begun = f->whole.closed > 0;
    while (token(f)) {} /* was a rate off? */
    size_t length = size;
    uint8_t *whole = saved(f, &f->whole, size), *made;
    if (f->pieces.bridge) {
        uint8_t *pieces = saved(f, &f->pieces, size);
        PROMISE(f->off_rate || !memcmp(whole, pieces, size));
        free(pieces);
    }
    if (begun) PROMISE(mmq_state_load(f->whole.bridge, whole, size) == MMQ_STATE_LATE);
    made = fuzz_forged(in, whole, &length);
    restart(f, &f->whole, made, length, f->layout);
    if (f->pieces.bridge) restart(f, &f->pieces, made, length, ~f->layout);
    f->off_rate = 0;
    memset(f->pushed, 0, sizeof f->pushed);
    memset(f->counting, 0, sizeof f->counting);
    memset(f->unsteady, 0, sizeof f->unsteady);
    memset(f->origin, 0, sizeof f->origin);
    free(f->window);
    f->window = NULL;
    free(made);
    free(whole);
}

/* NULL anywhere is answered, not followed. */
static void nothing(const fuzz_t *f, uint32_t m) {
    uint32_t count;
    float x[1];
    PROMISE(mmq_bridge_push(NULL, m, x, 1, 0.0) == MMQ_NULL);
    PROMISE(mmq_bridge_push(f->whole.bridge, m, NULL, 1, 0.0) == MMQ_NULL);
    PROMISE(mmq_bridge_push_counted(NULL, m, x, 1, 0) == MMQ_NULL && mmq_bridge_rate(NULL, m, x) == MMQ_NULL);
    PROMISE(mmq_bridge_push_counted(f->whole.bridge, m, NULL, 1, 0) == MMQ_NULL);
    PROMISE(mmq_bridge_push_counted(f->whole.bridge, f->spec.n_modalities + m, x, 0, 0) == MMQ_BAD_MODALITY);
    PROMISE(mmq_bridge_push_counted(f->whole.bridge, m, x, UINT32_MAX, 0) == MMQ_BAD_TIME);
    PROMISE(mmq_bridge_rate(f->whole.bridge, f->spec.n_modalities + m, x) == MMQ_BAD_MODALITY);
    PROMISE(mmq_bridge_lead_off(NULL, m, 1) == MMQ_NULL && mmq_bridge_advance(NULL, 0.0) == MMQ_NULL);
    PROMISE(mmq_bridge_token(f->whole.bridge, NULL, NULL, NULL) == MMQ_NULL);
    PROMISE(mmq_bridge_window(f->whole.bridge, NULL, NULL) == MMQ_NULL);
    PROMISE(mmq_bridge_window_i8(NULL, NULL, NULL) == MMQ_NULL);
    PROMISE(mmq_bridge_reasons(f->whole.bridge, 0, NULL) == MMQ_NULL);
    PROMISE(mmq_bridge_beats(NULL, m, NULL, 0, &count) == MMQ_NULL && mmq_bridge_closed(NULL) == -1);
    PROMISE(mmq_bridge_push(f->whole.bridge, f->spec.n_modalities + m, x, 0, 0.0) == MMQ_BAD_MODALITY);
    PROMISE(mmq_bridge_lead_off(f->whole.bridge, f->spec.n_modalities + m, 0) == MMQ_BAD_MODALITY);
    PROMISE(mmq_spatial(NULL, x, 1, x) == MMQ_NULL && mmq_clock_s(NULL, 1) == 0.0);
    PROMISE(mmq_state_save(NULL, x, 4) == MMQ_NULL && mmq_state_save(f->whole.bridge, NULL, 4) == MMQ_NULL);
    PROMISE(mmq_state_load(NULL, x, 4) == MMQ_NULL && mmq_state_load(f->whole.bridge, NULL, 4) == MMQ_NULL);
    PROMISE(mmq_bridge_enrolment(NULL, 0, NULL, NULL, NULL) == MMQ_NULL);
    PROMISE(mmq_state_size(NULL) == 0 && mmq_bridge_enrolment_left(NULL) == -1);
}

static void operate(fuzz_t *f, fuzz_input_t *in) {
    const uint8_t byte = fuzz_u8(in);
    const uint32_t m = (uint32_t)(byte >> 4) % f->spec.n_modalities;
    switch (byte & 15u) {
    case 4: push(f, in, m, COUNTED); break;
    case 5: state(f, in); break;
    case 6: push(f, in, m, ANYWHERE); break;
    case 7: advance(f, in); break;
    case 8: lead_off(f, in, m); break;
    case 9: (void)token(f); break;
    case 10: window(f); break;
    case 11: reasons(f, in); break;
    case 12: beats(f, in, m); break;
    case 13: spatial(f, in, m); break;
    case 14: tick(f, in); break;
    case 15: if (byte & 16u) normalise(f, in); else nothing(f, m); break;
    default: push(f, in, m, IN_TIME); break; /* what a device does most */
    }
    if (f->pieces.bridge) PROMISE(f->whole.closed == f->pieces.closed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input_t in = {data, size};
    const uint8_t layout = fuzz_u8(&in), choice = fuzz_u8(&in);
    uint8_t enrolment;
    fuzz_t f;
    memset(&f, 0, sizeof f);
    f.spec = *fuzz_specs[choice % fuzz_specs_count]();
    f.spec.normaliser = (layout >> 4) % 4u;
    f.spec.quantised = layout >> 6 & 1u;
    f.spec.tokens = 1u + fuzz_u8(&in) % 16u;
    enrolment = fuzz_u8(&in);
    f.spec.enrolment_tokens = enrolment & 7u;
    f.spec.enrolment_least = enrolment >> 3 & 7u;
    if (enrolment & 64u && f.spec.version >= 2u) f.spec.version = 3;
    if (f.spec.normaliser != MMQ_ENROLMENT && f.spec.look_back_tokens) { /* without look-backs, then */
        f.spec.look_back_tokens = f.spec.n_features = 0;
        for (uint32_t m = 0; m < f.spec.n_modalities; m++) f.spec.n_features += f.spec.modalities[m].features;
    }
    f.spec.grace_s = (float)(fuzz_u8(&in) % 64u) / 4.0f;
    f.clock.ticks_per_s = layout & 1u ? 32768.0 : 1e6;
    f.budget = BUDGET;
    f.layout = layout;
    start(&f.whole, &f.spec, layout);
    if (layout & 128u) start(&f.pieces, &f.spec, ~(uint32_t)layout);
    while (in.left) operate(&f, &in);
    while (token(&f)) {}
    window(&f);
    free(f.window);
    if (f.pieces.bridge) stop(&f.pieces, ~(uint32_t)layout);
    stop(&f.whole, layout);
    return 0;
}
