/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c: when a decision is due, what stands against it, and what logits say. */
#include "mmq_decision.h"
#include "mmq_internal.h"

#include <string.h>

static int is_share(float x) { return x >= 0.0f && x <= 1.0f; }

static int is_task(const mmq_task_t *task) {
    return task->classes >= 2u && task->classes <= MMQ_MAX_OUTPUTS && mmq_is_finite(task->scale) &&
           task->scale >= 0.0f && mmq_is_finite(task->temperature) && task->temperature > 0.0f &&
           is_share(task->min_confidence);
}

static int are_good(const mmq_rules_t *rules) {
    uint32_t outputs = 0;
    if (!rules->tasks || !rules->n_tasks || rules->n_tasks > MMQ_MAX_TASKS || !rules->every_tokens) return 0;
    for (uint32_t t = 0; t < rules->n_tasks; t++) {
        if (!is_task(rules->tasks + t)) return 0;
        outputs += rules->tasks[t].classes;
    }
    return outputs <= MMQ_MAX_OUTPUTS && is_share(rules->min_present_share);
}

mmq_status_t mmq_decider_init(mmq_decider_t *decider, mmq_bridge_t *bridge, const mmq_rules_t *rules) {
    if (!decider || !bridge || !rules) return MMQ_NULL;
    memset(decider, 0, sizeof *decider);
    decider->bridge = bridge;
    decider->rules = rules;
    decider->seen = bridge->closed;
    return are_good(rules) ? MMQ_OK : MMQ_BAD_SPEC;
}

/* Count what is present in the window that ends with the decision's token; returns how many tokens are, of all. */
static uint32_t look(const mmq_bridge_t *bridge, mmq_decision_t *decision) {
    const uint32_t modalities = bridge->spec->n_modalities;
    uint32_t all = 0;
    uint16_t *reasons = NULL;
    for (int64_t number = decision->number - (int64_t)decision->tokens + 1; number <= decision->number; number++) {
        (void)mmq_token_at(bridge, &reasons, number);
        for (uint32_t m = 0; m < modalities; m++) {
            decision->present[m] = (uint16_t)(decision->present[m] + (reasons[m] == 0));
            all += reasons[m] == 0;
        }
    }
    memcpy(decision->reasons, reasons, modalities * sizeof *reasons);
    return all;
}

/* Why there is no window yet. */
static uint32_t waits(const mmq_spec_t *spec, uint32_t lacks, int64_t end, mmq_decision_t *decision) {
    const int64_t to_fill = (end < 0 ? 0 : end) + (int64_t)spec->tokens - decision->number - 1;
    decision->tokens_left = lacks ? lacks : to_fill > 0 ? (uint32_t)to_fill : 0u;
    return lacks ? MMQ_ABSTAIN_ENROLLING : to_fill > 0 ? MMQ_ABSTAIN_FILLING : MMQ_DECIDED;
}

/* The modalities of which a token of the window was normalised by the population: fewer than enrolment_least had been
 * present by its end; of those present in the window the first had the fewest. */
static uint32_t not_enrolled(const mmq_spec_t *spec, const uint32_t *measured, const mmq_decision_t *decision) {
    uint32_t mask = 0;
    if (!mmq_counts_evidence(spec)) return 0;
    for (uint32_t m = 0; m < spec->n_modalities; m++) {
        const uint32_t seen = decision->present[m];
        if (seen && measured[m] + 1u < spec->enrolment_least + seen) mask |= 1u << m;
    }
    return mask;
}

/* What is known of the window of a closed token before the network is run. */
static void begin(const mmq_bridge_t *bridge, const mmq_rules_t *rules, int64_t number, mmq_decision_t *decision) {
    const mmq_spec_t *spec = bridge->spec;
    uint32_t measured[MMQ_MAX_MODALITIES], lacks, present;
    int64_t end;
    memset(decision, 0, sizeof *decision);
    decision->number = number;
    decision->time_s = (double)(number + 1) * (double)spec->token_s;
    decision->tokens = number + 1 < (int64_t)spec->tokens ? (uint32_t)(number + 1) : spec->tokens;
    present = look(bridge, decision);
    decision->present_share = (float)present / (float)(decision->tokens * spec->n_modalities);
    (void)mmq_bridge_enrolment(bridge, number, measured, &lacks, &end);
    decision->abstention = waits(spec, lacks, end, decision);
    if (decision->abstention != MMQ_DECIDED) return;
    decision->not_enrolled = not_enrolled(spec, measured, decision);
    if (!present || decision->present_share < rules->min_present_share) decision->abstention = MMQ_ABSTAIN_ABSENT;
}

mmq_status_t mmq_decision_due(mmq_decider_t *decider, mmq_decision_t *decision) {
    int64_t every, closed, count;
    if (!decider || !decision) return MMQ_NULL;
    every = (int64_t)decider->rules->every_tokens;
    closed = decider->bridge->closed;
    count = decider->seen < closed - (int64_t)MMQ_BEHIND - 1 ? closed - (int64_t)MMQ_BEHIND - 1 : decider->seen;
    count += every - count % every; /* the next multiple of every */
    if (count > closed) {
        decider->seen = closed;
        return MMQ_NO_TOKEN;
    }
    decider->seen = count;
    begin(decider->bridge, decider->rules, count - 1, decision);
    if (decider->follow && decision->abstention == MMQ_DECIDED) decider->follow(decider, count - 1);
    return MMQ_OK;
}

/* Logits of either kind. */
typedef struct {
    const float *real;
    const int8_t *coded;
} logits_t;

static float logit(const logits_t *from, const mmq_task_t *task, uint32_t k) {
    return from->real ? from->real[k] : (float)((int32_t)from->coded[k] - task->zero_point) * task->scale;
}

/* Temperature and softmax of one task: see mmq_decide(). Returns whether all are numbers. */
static int softmax(const mmq_task_t *task, const logits_t *from, uint32_t first, float shift, float *p) {
    float top = 0.0f, sum = 0.0f;
    for (uint32_t k = 0; k < task->classes; k++) {
        p[k] = logit(from, task, first + k) / task->temperature;
        if (k == 1u) p[k] += shift;
        if (!mmq_is_finite(p[k])) return 0;
        if (k == 0 || p[k] > top) top = p[k];
    }
    for (uint32_t k = 0; k < task->classes; k++) sum += p[k] = mmq_expf(p[k] - top);
    for (uint32_t k = 0; k < task->classes; k++) p[k] /= sum;
    return 1;
}

void mmq_judge(const mmq_rules_t *rules, mmq_decision_t *decision) {
    const float *p = decision->probability;
    decision->abstention = MMQ_DECIDED;
    decision->sure = decision->unsure_task = 0;
    for (uint32_t t = 0; t < rules->n_tasks; p += rules->tasks[t++].classes) {
        uint32_t best = 0;
        for (uint32_t k = 1; k < rules->tasks[t].classes; k++) best = p[k] > p[best] ? k : best;
        decision->best[t] = (uint16_t)best;
        decision->confidence[t] = p[best];
        if (p[best] >= rules->tasks[t].min_confidence) {
            decision->sure |= 1u << t;
        } else if (decision->abstention == MMQ_DECIDED) {
            decision->abstention = MMQ_ABSTAIN_UNSURE;
            decision->unsure_task = t;
        }
    }
}

static mmq_status_t decide(mmq_decider_t *decider, const logits_t *logits, mmq_decision_t *decision) {
    const mmq_rules_t *rules = decider->rules;
    uint32_t first = 0;
    for (uint32_t t = 0; t < rules->n_tasks; first += rules->tasks[t++].classes) {
        const mmq_task_t *task = rules->tasks + t;
        const int mine = decider->follow && t == decider->task;
        if (mine) decider->logit = (logit(logits, task, first + 1u) - logit(logits, task, first)) / task->temperature;
        if (!softmax(task, logits, first, mine ? decider->shift : 0.0f, decision->probability + first)) {
            memset(decision->probability, 0, sizeof decision->probability);
            decision->abstention = MMQ_ABSTAIN_NO_NUMBERS;
            return MMQ_OK;
        }
    }
    decision->n_probabilities = first;
    mmq_judge(rules, decision);
    return MMQ_OK;
}

mmq_status_t mmq_decide(mmq_decider_t *decider, const float *logits, mmq_decision_t *decision) {
    const logits_t given = {logits, NULL};
    return decider && logits && decision ? decide(decider, &given, decision) : MMQ_NULL;
}

mmq_status_t mmq_decide_i8(mmq_decider_t *decider, const int8_t *logits, mmq_decision_t *decision) {
    const logits_t given = {NULL, logits};
    return decider && logits && decision ? decide(decider, &given, decision) : MMQ_NULL;
}

const char *mmq_abstention_name(uint32_t abstention) {
    static const char *const names[MMQ_ABSTENTIONS] = {
        "decided",           "enrolling",          "filling the first window",
        "too little present", "confidence under threshold", "the model gave no numbers"};
    return abstention < MMQ_ABSTENTIONS ? names[abstention] : "";
}
