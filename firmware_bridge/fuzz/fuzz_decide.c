/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_decide.c: decisions by any rules, of a model that says anything, in slices or not, while samples come at any time.
 * Nothing crashes; what is due is due once, in order, with a window; probabilities are some; what is no number abstains. */
#include "fuzz_common.h"
#include "mmq_decision.h"
#include "mmq_personal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CALLS 48u /* keeps one execution in milliseconds */
#define MOST_FRAMES 600u

typedef struct {
    fuzz_input_t *in;
    const mmq_spec_t *spec;
    mmq_bridge_t *bridge;
    mmq_decider_t *decider;
    mmq_rules_t rules;
    mmq_task_t tasks[MMQ_MAX_TASKS + 1u];
    mmq_runner_t runner;
    mmq_display_t display;
    mmq_decision_t *decision, *shown; /* in exactly their bytes */
    float *logits;
    uint32_t outputs;
    int64_t last; /* number that was due last */
    double now[MMQ_MAX_MODALITIES];
} fuzz_t;

/* Mostly good ones; any bits where the first byte says so. */
static void make_rules(fuzz_t *f, fuzz_input_t *in) {
    const uint8_t how = fuzz_u8(in), wild = how & 64u;
    f->rules.n_tasks = wild ? how % (MMQ_MAX_TASKS + 2u) : 1u + how % 3u;
    f->rules.every_tokens = wild ? fuzz_u32(in) : 1u + fuzz_u8(in) % 4u;
    f->rules.min_present_share = wild ? fuzz_float(in) : (float)fuzz_u8(in) / 255.0f;
    f->rules.tasks = f->tasks;
    for (uint32_t t = 0; t < f->rules.n_tasks && t <= MMQ_MAX_TASKS; t++) {
        mmq_task_t *task = f->tasks + t;
        task->classes = wild ? fuzz_u8(in) : 2u + fuzz_u8(in) % 5u;
        task->zero_point = (int8_t)fuzz_u8(in);
        task->scale = wild ? fuzz_float(in) : (float)fuzz_u8(in) / 64.0f;
        task->temperature = wild ? fuzz_float(in) : (1.0f + (float)fuzz_u8(in)) / 32.0f;
        task->min_confidence = wild ? fuzz_float(in) : (float)fuzz_u8(in) / 255.0f;
        f->outputs += task->classes;
    }
}

static int run(void *context, const int8_t *features, const int8_t *presence, int8_t *logits) {
    fuzz_t *f = context;
    const int8_t answer = (int8_t)fuzz_u8(f->in);
    PROMISE(features == f->runner.features && presence == f->runner.presence);
    if (answer == 0 || f->in->left == 0) {
        for (uint32_t k = 0; k < f->outputs; k++) logits[k] = (int8_t)fuzz_u8(f->in);
        return 0;
    }
    return answer;
}

static void check_probabilities(const fuzz_t *f, const mmq_decision_t *d) {
    uint32_t first = 0;
    PROMISE(d->n_probabilities == f->outputs);
    for (uint32_t t = 0; t < f->rules.n_tasks; first += f->tasks[t++].classes) {
        float sum = 0.0f;
        PROMISE(d->best[t] < f->tasks[t].classes && d->confidence[t] == d->probability[first + d->best[t]]);
        for (uint32_t k = 0; k < f->tasks[t].classes; k++) {
            const float p = d->probability[first + k];
            PROMISE(p >= 0.0f && p <= 1.0f && p <= d->confidence[t]);
            sum += p;
        }
        PROMISE(sum > 0.999f && sum < 1.001f);
        PROMISE((d->sure >> t & 1u) == (d->confidence[t] >= f->tasks[t].min_confidence));
    }
    PROMISE(d->abstention == (d->sure + 1u == 1u << f->rules.n_tasks ? MMQ_DECIDED : MMQ_ABSTAIN_UNSURE));
}

/* What a finished decision holds, and what is shown of it. */
static void check(fuzz_t *f) {
    const mmq_decision_t *d = f->decision;
    PROMISE(d->abstention < MMQ_ABSTENTIONS && mmq_abstention_name(d->abstention)[0]);
    PROMISE(d->number > f->last && (d->number + 1) % (int64_t)f->rules.every_tokens == 0);
    PROMISE(d->present_share >= 0.0f && d->present_share <= 1.0f && d->tokens <= f->spec->tokens);
    PROMISE((d->abstention == MMQ_ABSTAIN_ENROLLING || d->abstention == MMQ_ABSTAIN_FILLING) == (d->tokens_left > 0));
    f->last = d->number;
    if (d->n_probabilities) check_probabilities(f, d);
    else PROMISE(d->abstention != MMQ_DECIDED && d->abstention != MMQ_ABSTAIN_UNSURE);
    PROMISE(mmq_display_show(&f->display, &f->rules, d, f->shown) == MMQ_OK);
    if (d->n_probabilities) check_probabilities(f, f->shown);
    else PROMISE(memcmp(d, f->shown, sizeof *d) == 0);
}

static void step(fuzz_t *f) {
    const mmq_status_t status = mmq_step(f->decider, &f->runner, f->decision);
    PROMISE(status == MMQ_OK || status == MMQ_NO_TOKEN || status == MMQ_BUSY || status == MMQ_NO_NETWORK);
    PROMISE((status == MMQ_BUSY) == (f->runner.running != 0));
    if (status == MMQ_OK) check(f);
    if (status == MMQ_NO_NETWORK) f->last = f->decision->number;
}

/* The two halves, with logits of any bits. */
static void halves(fuzz_t *f, fuzz_input_t *in) {
    mmq_status_t status;
    if (f->runner.running) return; /* a decision is on its way */
    status = mmq_decision_due(f->decider, f->decision);
    PROMISE(status == MMQ_OK || status == MMQ_NO_TOKEN);
    if (status == MMQ_NO_TOKEN) return;
    if (f->decision->abstention == MMQ_DECIDED) {
        int numbers = 1;
        PROMISE(mmq_bridge_window_i8_at(f->bridge, f->decision->number, f->runner.features, f->runner.presence) == MMQ_OK);
        for (uint32_t k = 0; k < f->outputs; k++) numbers &= isfinite(f->logits[k] = fuzz_float(in)) != 0;
        PROMISE(mmq_decide(f->decider, f->logits, f->decision) == MMQ_OK);
        PROMISE(numbers || f->decision->abstention == MMQ_ABSTAIN_NO_NUMBERS);
    }
    check(f);
}

static void push(fuzz_t *f, fuzz_input_t *in) {
    const uint32_t m = fuzz_u8(in) % f->spec->n_modalities, how = fuzz_u8(in);
    const mmq_modality_t *modality = f->spec->modalities + m;
    const uint32_t frames = 1u + (how & 15u) * MOST_FRAMES / 16u;
    float *samples = fuzz_exactly((size_t)modality->channels * frames * sizeof *samples);
    fuzz_samples(in, modality, samples, frames, 0);
    if (how & 128u) f->now[m] += (double)fuzz_u8(in); /* a gap */
    (void)mmq_bridge_push(f->bridge, m, samples, frames, f->now[m]);
    f->now[m] += (double)frames / (double)modality->rate_hz;
    free(samples);
}

static void operate(fuzz_t *f, fuzz_input_t *in) {
    switch (fuzz_u8(in) % 8u) {
    case 0: (void)mmq_bridge_advance(f->bridge, f->now[0] + (double)(int8_t)fuzz_u8(in)); break;
    case 1: (void)mmq_bridge_advance(f->bridge, fuzz_double(in)); break;
    case 2: halves(f, in); break;
    case 3:
    case 4: step(f); break;
    default: push(f, in); break;
    }
}

static void decide_with(fuzz_t *f, fuzz_input_t *in) {
    const size_t t = f->spec->tokens;
    f->runner.run = run;
    f->runner.context = f;
    f->runner.features = fuzz_exactly(t * f->spec->n_features);
    f->runner.presence = fuzz_exactly(t * f->spec->n_modalities);
    f->runner.logits = fuzz_exactly(f->outputs);
    f->logits = fuzz_exactly(f->outputs * sizeof(float));
    f->decision = fuzz_exactly(sizeof *f->decision);
    f->shown = fuzz_exactly(sizeof *f->shown);
    f->display.display_s = (double)fuzz_u8(in);
    f->display.rows = 1u + fuzz_u8(in) % 9u;
    f->display.columns = f->outputs;
    f->display.times_s = fuzz_exactly(f->display.rows * sizeof(double));
    f->display.kept = fuzz_exactly((size_t)f->display.rows * f->outputs * sizeof(float));
    for (uint32_t n = 0; in->left && n < MOST_CALLS; n++) operate(f, in);
    free(f->runner.features);
    free(f->runner.presence);
    free(f->runner.logits);
    free(f->logits);
    free(f->decision);
    free(f->shown);
    free(f->display.times_s);
    free(f->display.kept);
}

/* Short windows and enrolments, of any normaliser. */
static void choose(mmq_spec_t *spec, uint8_t how) {
    spec->tokens = 2u + (how & 1u);
    spec->normaliser = how >> 1 & 3u;
    spec->enrolment_tokens = 1u + (how >> 3 & 3u);
    spec->enrolment_least = 1u + (how >> 5 & 1u);
    if (how & 64u && spec->version >= 2u) spec->version = 3;
    spec->quantised = 1;
    if (spec->normaliser == MMQ_ENROLMENT || !spec->look_back_tokens) return;
    spec->look_back_tokens = spec->n_features = 0; /* without look-backs, then */
    for (uint32_t m = 0; m < spec->n_modalities; m++) spec->n_features += spec->modalities[m].features;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input_t in = {data, size};
    fuzz_t f;
    mmq_spec_t spec;
    void *memory;
    mmq_status_t status;
    memset(&f, 0, sizeof f);
    spec = *fuzz_specs[fuzz_u8(&in) % fuzz_specs_count]();
    choose(&spec, fuzz_u8(&in));
    f.in = &in;
    f.spec = &spec;
    f.last = -1;
    make_rules(&f, &in);
    memory = fuzz_exactly(mmq_bridge_size(&spec));
    if (mmq_bridge_init(memory, mmq_bridge_size(&spec), &spec, &f.bridge) == MMQ_OK) {
        f.decider = fuzz_exactly(sizeof *f.decider);
        status = mmq_decider_init(f.decider, f.bridge, &f.rules);
        PROMISE(status == MMQ_OK || status == MMQ_BAD_SPEC);
        if (status == MMQ_OK) decide_with(&f, &in);
        free(f.decider);
    }
    free(memory);
    return 0;
}
