/* SPDX-License-Identifier: Apache-2.0 */
/* head.c: the personal head: components of a window, what is learned from marked ones, the correction. */
#include "mmq_internal.h"
#include "mmq_personal.h"

#include <math.h>
#include <string.h>

#define SQUASH 1.5f          /* where a feature stops counting in full */
#define BIAS_PRECISION 1.0f  /* 1 / variance a priori */
#define WEIGHT_PRECISION 10.0f
#define STEPS 10u            /* of Newton: five are usual, a sure and wrong logit takes more */
#define LONGEST 3.0f         /* a step moves no marked logit further */
#define ALL 0xffffffffu      /* marks */

static int all_finite(const float *x, uint32_t n) {
    while (n--) {
        if (!mmq_is_finite(*x++)) return 0;
    }
    return 1;
}

static int is_good(const mmq_head_t *head) {
    if (!head->column || !head->owner || !head->centre || !head->scale || !head->component) return 0;
    if (!head->tokens || head->tokens > MMQ_MAX_TOKENS) return 0;
    if (!head->n_modalities || head->n_modalities > MMQ_MAX_MODALITIES) return 0;
    if (!head->components || head->components > MMQ_HEAD_COMPONENTS) return 0;
    if (!head->statistics || head->statistics > head->n_features) return 0;
    for (uint32_t e = 0; e < head->statistics; e++) {
        if (head->column[e] >= head->n_features || head->owner[e] >= head->n_modalities) return 0;
    }
    return all_finite(head->centre, head->statistics) && all_finite(head->scale, head->statistics) &&
           all_finite(head->component, head->components * head->statistics);
}

mmq_status_t mmq_head_init(const mmq_head_t *head, mmq_head_state_t *state) {
    if (!head || !state) return MMQ_NULL;
    mmq_head_reset(state);
    return is_good(head) ? MMQ_OK : MMQ_BAD_SPEC;
}

void mmq_head_reset(mmq_head_state_t *state) {
    if (state) memset(state, 0, sizeof *state);
}

/* A window: arrays, or, with a bridge, tokens it keeps. */
typedef struct {
    const float *features, *presence;
    const mmq_bridge_t *bridge;
    int64_t first;
} window_t;

/* A feature of token t; whether its modality was present. */
static int seen(const mmq_head_t *head, const window_t *window, uint32_t t, uint32_t e, float *x) {
    const uint32_t owner = head->owner[e], column = head->column[e];
    uint16_t *reasons;
    if (window->bridge) {
        *x = mmq_token_at(window->bridge, &reasons, window->first + (int64_t)t)[column];
        return reasons[owner] == 0;
    }
    *x = window->features[t * head->n_features + column];
    return window->presence[t * head->n_modalities + owner] > 0.5f;
}

/* The mean of a squashed feature over the present tokens; returns how many there are. */
static uint32_t mean_of(const mmq_head_t *head, const window_t *window, uint32_t e, float *mean) {
    uint32_t count = 0;
    float sum = 0.0f, x;
    for (uint32_t t = 0; t < head->tokens; t++) {
        if (!seen(head, window, t, e, &x)) continue;
        sum += mmq_tanhf(x / SQUASH);
        count++;
    }
    if (count) *mean = sum / (float)count;
    return count;
}

static mmq_status_t summary(const mmq_head_t *head, const window_t *window, float *u) {
    mmq_status_t status = MMQ_NOT_READY;
    for (uint32_t c = 0; c < head->components; c++) u[c] = 0.0f;
    for (uint32_t e = 0; e < head->statistics; e++) {
        float mean, shown;
        if (!mean_of(head, window, e, &mean)) continue;
        shown = mmq_tanhf((mean - head->centre[e]) * head->scale[e]);
        for (uint32_t c = 0; c < head->components; c++) u[c] += head->component[c * head->statistics + e] * shown;
        status = MMQ_OK;
    }
    return status;
}

mmq_status_t mmq_head_summary(const mmq_head_t *head, const float *features, const float *presence, float *u) {
    const window_t window = {features, presence, NULL, 0};
    return head && features && presence && u ? summary(head, &window, u) : MMQ_NULL;
}

mmq_status_t mmq_head_summary_at(const mmq_head_t *head, const mmq_bridge_t *bridge, int64_t number, float *u) {
    const window_t window = {NULL, NULL, bridge, number + 1 - (int64_t)head->tokens};
    return summary(head, &window, u);
}

/* How many of some marks are of a class. Some marks: a bit of each, the oldest lowest. */
static uint32_t marked(const mmq_head_state_t *state, uint32_t some, uint32_t label) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < state->count; i++) count += (some >> i & 1u) && state->label[i] == label;
    return count;
}

/* Forget the oldest mark of a class. */
static void drop_oldest(mmq_head_state_t *state, uint32_t label) {
    uint32_t i = 0;
    while (i + 1u < state->count && state->label[i] != label) i++;
    for (state->count--; i < state->count; i++) {
        state->label[i] = state->label[i + 1u];
        state->logit[i] = state->logit[i + 1u];
        state->stretch[i] = state->stretch[i + 1u];
        memcpy(state->u[i], state->u[i + 1u], sizeof state->u[i]);
    }
}

mmq_status_t mmq_mark_summary(const mmq_head_t *head, mmq_head_state_t *state, const float *u, float logit,
                              uint32_t label, uint32_t stretch) {
    if (!head || !state || !u) return MMQ_NULL;
    if (label > 1u || !mmq_is_finite(logit) || !all_finite(u, head->components)) return MMQ_BAD_MARK;
    if (state->count >= MMQ_HEAD_MARKS) { /* with this one, one class has more */
        drop_oldest(state, marked(state, ALL, label) + 1u > MMQ_HEAD_MARKS / 2u ? label : 1u - label);
    }
    state->label[state->count] = (uint8_t)label;
    state->logit[state->count] = logit;
    state->stretch[state->count] = stretch;
    memset(state->u[state->count], 0, sizeof state->u[state->count]);
    memcpy(state->u[state->count++], u, head->components * sizeof *u);
    return MMQ_OK;
}

mmq_status_t mmq_mark(const mmq_head_t *head, mmq_head_state_t *state, const float *features, const float *presence,
                      float logit, uint32_t label, uint32_t stretch) {
    float u[MMQ_HEAD_COMPONENTS];
    const mmq_status_t status = mmq_head_summary(head, features, presence, u);
    return status == MMQ_OK ? mmq_mark_summary(head, state, u, logit, label, stretch) : status;
}

static float uncut(const mmq_head_t *head, const float *bias, const float *weight, const float *u) {
    float sum = *bias;
    for (uint32_t c = 0; c < head->components; c++) sum += weight[c] * u[c];
    return sum;
}

/* Gradient [k + 1] and lower triangle of the curvature of what some marks, and the prior, say of bias and weight. */
static void curve(const mmq_head_t *head, const mmq_head_state_t *state, uint32_t some, float *gradient,
                  float *triangle) {
    const uint32_t k = head->components;
    const float zeros = (float)marked(state, some, 0), ones = (float)marked(state, some, 1);
    const float balance[2] = {(zeros + ones) / (2.0f * zeros), (zeros + ones) / (2.0f * ones)};
    memset(triangle, 0, (k + 1u) * (k + 2u) / 2u * sizeof *triangle);
    triangle[0] = BIAS_PRECISION;
    gradient[0] = -BIAS_PRECISION * state->bias;
    for (uint32_t c = 1; c <= k; c++) {
        triangle[c * (c + 3u) / 2u] = WEIGHT_PRECISION;
        gradient[c] = -WEIGHT_PRECISION * state->weight[c - 1u];
    }
    for (uint32_t i = 0; i < state->count; i++) {
        const float *u = state->u[i];
        float p, slope, bend, *row = triangle;
        if (!(some >> i & 1u)) continue;
        p = 1.0f / (1.0f + mmq_expf(-state->logit[i] - uncut(head, &state->bias, state->weight, u)));
        slope = balance[state->label[i]] * ((float)state->label[i] - p);
        bend = balance[state->label[i]] * p * (1.0f - p);
        gradient[0] += slope;
        *row++ += bend;
        for (uint32_t c = 0; c < k; c++) {
            const float part = bend * u[c];
            gradient[c + 1u] += slope * u[c];
            *row++ += part;
            for (uint32_t d = 0; d <= c; d++) *row++ += part * u[d];
        }
    }
}

/* Cholesky: A x = y for the lower triangle of A; the triangle becomes its root, y becomes x. */
static void solve(float *triangle, float *y, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        float *row = triangle + i * (i + 1u) / 2u;
        for (uint32_t j = 0; j <= i; j++) {
            const float *other = triangle + j * (j + 1u) / 2u;
            float sum = row[j];
            for (uint32_t l = 0; l < j; l++) sum -= row[l] * other[l];
            row[j] = j < i ? sum / other[j] : sqrtf(sum);
        }
        for (uint32_t j = 0; j < i; j++) y[i] -= row[j] * y[j];
        y[i] /= row[i];
    }
    for (uint32_t i = n; i-- > 0;) {
        for (uint32_t j = i + 1u; j < n; j++) y[i] -= triangle[j * (j + 1u) / 2u + i] * y[j];
        y[i] /= triangle[i * (i + 3u) / 2u];
    }
}

/* Share of a step after which none of some marked logits has moved by more than LONGEST. */
static float share_of(const mmq_head_t *head, const mmq_head_state_t *state, uint32_t some, const float *step) {
    float most = LONGEST;
    for (uint32_t i = 0; i < state->count; i++) {
        const float moved = some >> i & 1u ? uncut(head, step, step + 1, state->u[i]) : 0.0f;
        if (moved > most) most = moved;
        if (-moved > most) most = -moved;
    }
    return LONGEST / most;
}

static void forget_learned(mmq_head_state_t *state) {
    state->bias = 0.0f;
    memset(state->weight, 0, sizeof state->weight);
}

/* The likeliest bias and weight by some marks of both classes; 0, and MMQ_NOT_READY, where numbers are too large. */
static mmq_status_t learn(const mmq_head_t *head, mmq_head_state_t *state, uint32_t some, float *scratch) {
    float *step = scratch, *triangle = scratch + head->components + 1u;
    forget_learned(state);
    for (uint32_t i = 0; i < STEPS; i++) {
        float share;
        curve(head, state, some, step, triangle);
        solve(triangle, step, head->components + 1u);
        share = share_of(head, state, some, step);
        state->bias += share * step[0];
        for (uint32_t c = 0; c < head->components; c++) state->weight[c] += share * step[c + 1u];
    }
    if (mmq_is_finite(state->bias) && all_finite(state->weight, head->components)) return MMQ_OK;
    forget_learned(state);
    return MMQ_NOT_READY;
}

/* The marks of other stretches than that of mark i. */
static uint32_t others(const mmq_head_state_t *state, uint32_t i) {
    uint32_t some = 0;
    for (uint32_t j = 0; j < state->count; j++) some |= (uint32_t)(state->stretch[j] != state->stretch[i]) << j;
    return some;
}

/* Whether both classes were marked in at least two stretches. */
static int can_be_checked(const mmq_head_state_t *state) {
    for (uint32_t i = 0; i < state->count; i++) {
        if (!marked(state, others(state, i), state->label[i])) return 0;
    }
    return 1;
}

/* -log of the probability that a logit gives a label. */
static float loss(float logit, uint32_t label) {
    const float wrong = label ? -logit : logit;
    return (wrong > 0.0f ? wrong : 0.0f) + mmq_logf(1.0f + mmq_expf(wrong > 0.0f ? -wrong : wrong));
}

/* By how much the loss of every mark falls by what the other stretches teach, classes weighing the same. */
static float gain_elsewhere(const mmq_head_t *head, mmq_head_state_t *state, float *scratch) {
    const float balance[2] = {0.5f / (float)marked(state, ALL, 0), 0.5f / (float)marked(state, ALL, 1)};
    uint32_t done = 0;
    float gain = 0.0f;
    for (uint32_t i = 0; i < state->count; i++) {
        const uint32_t known = others(state, i);
        if (done >> i & 1u) continue;
        done |= ~known;
        learn(head, state, known, scratch);
        for (uint32_t j = i; j < state->count; j++) {
            const uint32_t label = state->label[j];
            const float logit = state->logit[j], shift = mmq_head_correction(head, state, state->u[j]);
            if (!(known >> j & 1u)) gain += balance[label] * (loss(logit, label) - loss(logit + shift, label));
        }
    }
    return gain;
}

mmq_status_t mmq_adapt(const mmq_head_t *head, mmq_head_state_t *state, float *scratch) {
    int helps = 1;
    if (!head || !state || !scratch) return MMQ_NULL;
    forget_learned(state);
    if (marked(state, ALL, 0) < MMQ_HEAD_LEAST || marked(state, ALL, 1) < MMQ_HEAD_LEAST) return MMQ_NOT_READY;
    if (can_be_checked(state)) helps = gain_elsewhere(head, state, scratch) > 0.0f;
    if (helps) return learn(head, state, ALL, scratch);
    forget_learned(state);
    return MMQ_UNHELPFUL;
}

float mmq_head_correction(const mmq_head_t *head, const mmq_head_state_t *state, const float *u) {
    float sum;
    if (!head || !state || !u) return 0.0f;
    sum = uncut(head, &state->bias, state->weight, u);
    if (sum > MMQ_HEAD_BOUND) return MMQ_HEAD_BOUND;
    if (sum < -MMQ_HEAD_BOUND) return -MMQ_HEAD_BOUND;
    return mmq_is_finite(sum) ? sum : 0.0f; /* NaN */
}

float mmq_head_apply(const mmq_head_t *head, const mmq_head_state_t *state, const float *features,
                     const float *presence, float logit) {
    float u[MMQ_HEAD_COMPONENTS];
    if (!state || mmq_head_summary(head, features, presence, u) != MMQ_OK) return logit;
    return logit + mmq_head_correction(head, state, u);
}
