/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_head.c: a personal head with any tables, marked with any numbers. Nothing crashes; what is refused changes
 * nothing; no correction exceeds its bound; what is saved comes back to the bit, and other bytes are refused. */
#include "fuzz_common.h"
#include "mmq_personal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CALLS 48u /* keeps one execution in milliseconds */

typedef struct {
    mmq_head_t head;
    mmq_head_state_t *state; /* in exactly its bytes */
    int tame; /* numbers are those of windows; otherwise any bits */
    int forged; /* marks of any numbers were loaded */
} fuzz_t;

static float number(const fuzz_t *f, fuzz_input_t *in) {
    return f->tame ? (float)(int8_t)fuzz_u8(in) / 16.0f : fuzz_float(in);
}

static float *numbers(const fuzz_t *f, fuzz_input_t *in, size_t n) {
    float *made = fuzz_exactly(n * sizeof *made + 1u);
    for (size_t i = 0; i < n; i++) made[i] = number(f, in);
    return made;
}

/* Sizes and tables, mostly good ones; a table may be missing. */
static void build(fuzz_t *f, fuzz_input_t *in) {
    mmq_head_t *h = &f->head;
    const uint8_t wild = fuzz_u8(in);
    uint16_t *column, *owner;
    memset(f, 0, sizeof *f);
    f->tame = !(wild & 1u);
    h->tokens = fuzz_u8(in) % 9u;
    h->n_modalities = fuzz_u8(in) % (MMQ_MAX_MODALITIES + 2u);
    h->n_features = fuzz_u8(in) % 24u;
    h->statistics = fuzz_u8(in) % 24u;
    h->components = fuzz_u8(in) % (MMQ_HEAD_COMPONENTS + 2u);
    column = fuzz_exactly(h->statistics * sizeof *column + 1u);
    owner = fuzz_exactly(h->statistics * sizeof *owner + 1u);
    for (uint32_t e = 0; e < h->statistics; e++) {
        const uint8_t place = fuzz_u8(in);
        column[e] = (uint16_t)(wild & 2u ? place : place % (h->n_features + !h->n_features));
        owner[e] = (uint16_t)(wild & 2u ? place : place % (h->n_modalities + !h->n_modalities));
    }
    h->column = column;
    h->owner = owner;
    h->centre = numbers(f, in, h->statistics);
    h->scale = numbers(f, in, h->statistics);
    h->component = numbers(f, in, (size_t)h->statistics * h->components);
}

static mmq_head_state_t *copy(const mmq_head_state_t *state) {
    mmq_head_state_t *made = fuzz_exactly(sizeof *made);
    memcpy(made, state, sizeof *made);
    return made;
}

/* A call that did not succeed left the state as it was. */
static void check_state(const fuzz_t *f, mmq_head_state_t *before, mmq_status_t status) {
    PROMISE(f->state->count <= MMQ_HEAD_MARKS);
    if (status != MMQ_OK) PROMISE(!memcmp(before, f->state, sizeof *before));
    free(before);
}

static void check_correction(const fuzz_t *f, const float *u) {
    PROMISE(fabsf(mmq_head_correction(&f->head, f->state, u)) <= MMQ_HEAD_BOUND); /* false for NaN */
}

/* Mark a window, then correct it; the same as by its components. */
static void mark(fuzz_t *f, fuzz_input_t *in) {
    const mmq_head_t *h = &f->head;
    const uint8_t kind = fuzz_u8(in);
    const float logit = number(f, in);
    float *features = numbers(f, in, (size_t)h->tokens * h->n_features);
    float *presence = fuzz_exactly((size_t)h->tokens * h->n_modalities * sizeof *presence + 1u);
    float *u = fuzz_exactly(h->components * sizeof *u);
    const uint32_t label = kind >> 1 & (kind & 1u ? 3u : 1u), stretch = kind >> 4;
    mmq_head_state_t *before = copy(f->state);
    mmq_status_t seen, status;
    for (uint32_t i = 0; i < h->tokens * h->n_modalities; i++) presence[i] = (float)(fuzz_u8(in) & 1u);
    seen = mmq_head_summary(h, features, presence, u);
    status = mmq_mark(h, f->state, features, presence, logit, label, stretch);
    PROMISE(seen == MMQ_OK || seen == MMQ_NOT_READY);
    PROMISE(status == MMQ_OK || status == MMQ_BAD_MARK || status == MMQ_NOT_READY);
    PROMISE((status == MMQ_NOT_READY) == (seen == MMQ_NOT_READY));
    if (f->tame && seen == MMQ_OK) PROMISE(status == (label > 1u ? MMQ_BAD_MARK : MMQ_OK));
    if (status == MMQ_OK) PROMISE(!memcmp(f->state->u[f->state->count - 1u], u, h->components * sizeof *u));
    if (status == MMQ_OK) PROMISE(f->state->stretch[f->state->count - 1u] == stretch);
    check_state(f, before, status);
    check_correction(f, u);
    if (isfinite(logit)) {
        PROMISE(fabsf(mmq_head_apply(h, f->state, features, presence, logit) - logit) <= 1.001f * MMQ_HEAD_BOUND ||
                fabsf(logit) > 1e4f);
    }
    free(features);
    free(presence);
    free(u);
}

static void mark_summary(fuzz_t *f, fuzz_input_t *in) {
    const uint8_t label = fuzz_u8(in);
    const float logit = number(f, in);
    float *u = numbers(f, in, f->head.components);
    mmq_head_state_t *before = copy(f->state);
    const uint32_t given = label < 128u ? label & 1u : label, stretch = label >> 1;
    const mmq_status_t status = mmq_mark_summary(&f->head, f->state, u, logit, given, stretch);
    PROMISE(status == MMQ_OK || status == MMQ_BAD_MARK);
    check_state(f, before, status);
    check_correction(f, u);
    free(u);
}

/* Whether a class was marked in two stretches. */
static int is_twice(const mmq_head_state_t *state, uint32_t label) {
    const uint32_t *first = NULL;
    for (uint32_t i = 0; i < state->count; i++) {
        if (state->label[i] != label) continue;
        if (first && *first != state->stretch[i]) return 1;
        first = state->stretch + i;
    }
    return 0;
}

/* Twice over the same marks gives the same bits, and numbers that can be saved. */
static void adapt(fuzz_t *f) {
    float *scratch = fuzz_exactly(MMQ_HEAD_SCRATCH * sizeof *scratch);
    const mmq_status_t status = mmq_adapt(&f->head, f->state, scratch);
    mmq_head_state_t *once = copy(f->state);
    uint32_t ones = 0;
    for (uint32_t i = 0; i < f->state->count; i++) ones += f->state->label[i];
    PROMISE(status == MMQ_OK || status == MMQ_NOT_READY || status == MMQ_UNHELPFUL);
    if (status == MMQ_UNHELPFUL) PROMISE(is_twice(f->state, 0) && is_twice(f->state, 1));
    if (ones < MMQ_HEAD_LEAST || f->state->count - ones < MMQ_HEAD_LEAST) PROMISE(status == MMQ_NOT_READY);
    else if (f->tame && !f->forged) PROMISE(status != MMQ_NOT_READY);
    PROMISE(isfinite(f->state->bias) && (status == MMQ_OK || f->state->bias == 0.0f));
    for (uint32_t c = 0; c < MMQ_HEAD_COMPONENTS; c++) {
        PROMISE(isfinite(f->state->weight[c]) && (status == MMQ_OK || f->state->weight[c] == 0.0f));
    }
    PROMISE(mmq_adapt(&f->head, f->state, scratch) == status && !memcmp(once, f->state, sizeof *once));
    free(once);
    free(scratch);
}

/* Saved and changed as the input says: taken over to the bit, or refused by name and nothing is changed. */
static void reload(fuzz_t *f, fuzz_input_t *in) {
    size_t size = mmq_head_size(&f->head, f->state), length = size;
    uint8_t *whole = fuzz_exactly(size), *made;
    mmq_head_state_t *before = copy(f->state), *fresh = fuzz_exactly(sizeof *fresh);
    mmq_status_t status;
    PROMISE(size >= 32u && size <= MMQ_HEAD_SAVED_BYTES);
    PROMISE(mmq_head_save(&f->head, f->state, whole, size - 1u) == MMQ_TOO_SMALL);
    PROMISE(mmq_head_save(&f->head, f->state, whole, size) == MMQ_OK);
    memset(fresh, 0xa5, sizeof *fresh);
    PROMISE(mmq_head_load(&f->head, fresh, whole, size) == MMQ_OK && !memcmp(fresh, f->state, sizeof *fresh));
    made = fuzz_forged(in, whole, &length);
    status = mmq_head_load(&f->head, f->state, made, length);
    PROMISE(status == MMQ_OK || (status >= MMQ_STATE_SHORT && status <= MMQ_STATE_NEWER));
    check_state(f, before, status);
    if (status == MMQ_OK && made[4] == 1u) { /* as an older core saved it */
        f->forged = 1;
    } else if (status == MMQ_OK) {
        uint8_t *again = fuzz_exactly(length);
        f->forged = 1;
        PROMISE(mmq_head_size(&f->head, f->state) == length);
        PROMISE(mmq_head_save(&f->head, f->state, again, length) == MMQ_OK && !memcmp(again, made, length));
        free(again);
    }
    free(fresh);
    free(made);
    free(whole);
}

/* NULL anywhere is answered, not followed. */
static void nothing(const fuzz_t *f) {
    const mmq_head_t *h = &f->head;
    mmq_head_state_t *s = f->state, *before = copy(s);
    float x[MMQ_HEAD_COMPONENTS] = {0.0f};
    PROMISE(mmq_head_init(NULL, s) == MMQ_NULL && mmq_head_init(h, NULL) == MMQ_NULL);
    PROMISE(mmq_head_summary(NULL, x, x, x) == MMQ_NULL && mmq_head_summary(h, NULL, x, x) == MMQ_NULL);
    PROMISE(mmq_head_summary(h, x, NULL, x) == MMQ_NULL && mmq_head_summary(h, x, x, NULL) == MMQ_NULL);
    PROMISE(mmq_mark(NULL, s, x, x, 0.0f, 0, 0) == MMQ_NULL && mmq_mark_summary(h, NULL, x, 0.0f, 0, 0) == MMQ_NULL);
    PROMISE(mmq_mark_summary(h, s, NULL, 0.0f, 0, 0) == MMQ_NULL && mmq_adapt(h, s, NULL) == MMQ_NULL);
    PROMISE(mmq_head_correction(NULL, s, x) == 0.0f && mmq_head_apply(NULL, s, x, x, 2.0f) == 2.0f);
    PROMISE(mmq_head_apply(h, NULL, x, x, 2.0f) == 2.0f && mmq_head_size(h, NULL) == 0u);
    PROMISE(mmq_head_save(h, s, NULL, 9) == MMQ_NULL && mmq_head_load(h, s, NULL, 9) == MMQ_NULL);
    mmq_head_reset(NULL);
    check_state(f, before, MMQ_NULL);
}

static void operate(fuzz_t *f, fuzz_input_t *in) {
    switch (fuzz_u8(in) % 8u) {
    case 0: adapt(f); break;
    case 1: reload(f, in); break;
    case 2: nothing(f); break;
    case 3: case 4: mark(f, in); break;
    case 5: if (fuzz_u8(in) == 0) mmq_head_reset(f->state); break;
    default: mark_summary(f, in); break;
    }
}

/* Whether the sizes and places are ones the core must take. */
static int is_good(const mmq_head_t *h) {
    int good = h->tokens && h->n_modalities && h->n_modalities <= MMQ_MAX_MODALITIES && h->components &&
               h->components <= MMQ_HEAD_COMPONENTS && h->statistics && h->statistics <= h->n_features;
    for (uint32_t e = 0; e < h->statistics; e++) {
        good = good && h->column[e] < h->n_features && h->owner[e] < h->n_modalities;
        good = good && isfinite(h->centre[e]) && isfinite(h->scale[e]);
    }
    for (size_t i = 0; i < (size_t)h->statistics * h->components; i++) good = good && isfinite(h->component[i]);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input_t in = {data, size};
    fuzz_t f;
    mmq_status_t status;
    build(&f, &in);
    f.state = fuzz_exactly(sizeof *f.state);
    memset(f.state, 0xa5, sizeof *f.state);
    status = mmq_head_init(&f.head, f.state);
    PROMISE(status == (is_good(&f.head) ? MMQ_OK : MMQ_BAD_SPEC));
    for (uint32_t n = 0; status == MMQ_OK && in.left && n < MOST_CALLS; n++) operate(&f, &in);
    free((void *)(uintptr_t)f.head.column);
    free((void *)(uintptr_t)f.head.owner);
    free((void *)(uintptr_t)f.head.centre);
    free((void *)(uintptr_t)f.head.scale);
    free((void *)(uintptr_t)f.head.component);
    free(f.state);
    return 0;
}
