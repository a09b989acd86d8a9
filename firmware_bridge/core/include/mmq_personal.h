/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_personal.h: the personal head, a correction of the logit learned from windows the wearer marked.
 *
 *     logit' = logit + bias + weight . u        u = component . tanh((m - centre) * scale), 0 without any token,
 *                                               m = mean over the present tokens of tanh(feature / 1.5)
 *
 * `logit` is that of class 1 against class 0 at the decision's temperature. A priori bias is of variance 1 and weight of
 * 0.1; after `mmq_adapt` they are the likeliest for what was marked, both classes weighing the same. Usage:
 *
 *     static mmq_head_state_t mine;
 *     static float scratch[MMQ_HEAD_SCRATCH];
 *     mmq_head_init(&mmq_head, &mine);                                       // or mmq_head_load()
 *     mmq_mark(&mmq_head, &mine, features, presence, logit, 1, stretch);    // a window that was stressful
 *     mmq_adapt(&mmq_head, &mine, scratch);
 *     logit = mmq_head_apply(&mmq_head, &mine, features, presence, logit);  // every window from now on
 *     mmq_head_reset(&mine);                                                 // as if nothing had been marked
 *
 * Mark windows of 60 s that begin at least 15 s apart, and two different stressful stretches: one teaches what that one
 * was like. Marks of one stretch share a number. Where both classes were marked in two stretches, each is judged by what
 * the others teach: unless that lowers the loss of what is marked, nothing is corrected.
 * The tables `mmq_head` are written into a bundle; windows are those of `mmq_bridge_window`.
 * The same rules as in mmq_bridge.h: no allocation, no libm but sqrtf, the same bits on every target.
 */
#ifndef MMQ_PERSONAL_H
#define MMQ_PERSONAL_H

#include "mmq_bridge.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MMQ_HEAD_COMPONENTS 32u /* the most components */
#define MMQ_HEAD_MARKS 32u      /* marked windows that are kept; then the oldest of the more frequent class goes */
#define MMQ_HEAD_LEAST 2u       /* marked windows of each class without which nothing is corrected */
#define MMQ_HEAD_BOUND 3.0f     /* a logit is corrected by at most so much, however wrong the marks are */
#define MMQ_HEAD_SCRATCH ((MMQ_HEAD_COMPONENTS + 1u) * (MMQ_HEAD_COMPONENTS + 4u) / 2u) /* floats */
#define MMQ_HEAD_SAVED_BYTES (4u * (7u + MMQ_HEAD_COMPONENTS + MMQ_HEAD_MARKS * (3u + MMQ_HEAD_COMPONENTS)))

/* What the training people's windows are like. Tables belong to the caller and must outlive what uses them. */
typedef struct {
    uint32_t tokens;        /* T, M and F of the windows */
    uint32_t n_modalities;
    uint32_t n_features;
    uint32_t statistics;    /* E: features that are read */
    uint32_t components;    /* k: 1 to MMQ_HEAD_COMPONENTS */
    const uint16_t *column; /* [E] which of the F features */
    const uint16_t *owner;  /* [E] which of the M modalities it is of */
    const float *centre;    /* [E] */
    const float *scale;     /* [E] */
    const float *component; /* [k][E] */
} mmq_head_t;

/* What one wearer marked and what was learned from it; to be read, not written. */
typedef struct {
    uint32_t count; /* marked windows, oldest first */
    float bias;
    float weight[MMQ_HEAD_COMPONENTS];
    float logit[MMQ_HEAD_MARKS];
    float u[MMQ_HEAD_MARKS][MMQ_HEAD_COMPONENTS];
    uint32_t stretch[MMQ_HEAD_MARKS]; /* which it was marked in */
    uint8_t label[MMQ_HEAD_MARKS];
} mmq_head_state_t;

/* Check the tables, and begin with nothing marked. Errors: MMQ_NULL, MMQ_BAD_SPEC. */
mmq_status_t mmq_head_init(const mmq_head_t *head, mmq_head_state_t *state);

/* Forget all marks and what was learned from them: nothing is corrected any more. */
void mmq_head_reset(mmq_head_state_t *state);

/* The components u [k] of a window: features [T][F], presence [T][M] as 0 or 1, as `mmq_bridge_window` gives them.
 * Errors: MMQ_NULL, MMQ_NOT_READY (no token that is read is present; u is 0). */
mmq_status_t mmq_head_summary(const mmq_head_t *head, const float *features, const float *presence, float *u);

/* Add a window that the wearer marked, with the logit the model gave it, uncorrected; label 1 or 0; stretch any number
 * that is that of every mark of the same stretch and of no other.
 * Errors: MMQ_NULL, MMQ_NOT_READY (as above), MMQ_BAD_MARK. On error nothing is changed. */
mmq_status_t mmq_mark(const mmq_head_t *head, mmq_head_state_t *state, const float *features, const float *presence,
                      float logit, uint32_t label, uint32_t stretch);

/* The same with its components: who keeps those can mark what has passed. Errors: MMQ_NULL, MMQ_BAD_MARK. */
mmq_status_t mmq_mark_summary(const mmq_head_t *head, mmq_head_state_t *state, const float *u, float logit,
                              uint32_t label, uint32_t stretch);

/* Learn from what is marked: scratch [MMQ_HEAD_SCRATCH] floats. Errors: MMQ_NULL; MMQ_NOT_READY (fewer than
 * MMQ_HEAD_LEAST windows of a class, or numbers far beyond what a window has: nothing is corrected); MMQ_UNHELPFUL
 * (both classes were marked in two stretches, and what one teaches does not hold in another: nothing is corrected). */
mmq_status_t mmq_adapt(const mmq_head_t *head, mmq_head_state_t *state, float *scratch);

/* What is added to the logit of a window with these components, within +-MMQ_HEAD_BOUND; 0 when a pointer is NULL
 * or u says nothing (NaN). */
float mmq_head_correction(const mmq_head_t *head, const mmq_head_state_t *state, const float *u);

/* The corrected logit of a window; as it was when a pointer is NULL, or nothing that is read is present. */
float mmq_head_apply(const mmq_head_t *head, const mmq_head_state_t *state, const float *features,
                     const float *presence, float logit);

/* Bytes `mmq_head_save` writes: at most MMQ_HEAD_SAVED_BYTES; 0 when a pointer is NULL. */
size_t mmq_head_size(const mmq_head_t *head, const mmq_head_state_t *state);

/* Write marks and what was learned into a buffer of any alignment, the same bytes on every target.
 * Errors: MMQ_NULL, MMQ_TOO_SMALL (nothing is written). */
mmq_status_t mmq_head_save(const mmq_head_t *head, const mmq_head_state_t *state, void *buffer, size_t size);

/* Take over exactly `size` bytes that were saved with the same tables; marks that an older core saved without their
 * stretch are of one, number 0. On error nothing is changed.
 * Errors: MMQ_NULL, MMQ_STATE_SHORT, MMQ_STATE_DAMAGED, MMQ_STATE_NEWER, MMQ_STATE_FOREIGN. */
mmq_status_t mmq_head_load(const mmq_head_t *head, mmq_head_state_t *state, const void *buffer, size_t size);

#ifdef __cplusplus
}
#endif
#endif
