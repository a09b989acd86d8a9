/* SPDX-License-Identifier: Apache-2.0 */
/* decide_personal.c: decisions corrected by the personal head; linked only where mmq_decider_personal() is called. */
#include "mmq_decision.h"
#include "mmq_internal.h"

static void follow(mmq_decider_t *decider, int64_t number) {
    decider->summarised = mmq_head_summary_at(decider->head, decider->bridge, number, decider->u) == MMQ_OK;
    decider->shift = decider->summarised ? mmq_head_correction(decider->head, decider->mine, decider->u) : 0.0f;
}

mmq_status_t mmq_decider_personal(mmq_decider_t *decider, const mmq_head_t *head, const mmq_head_state_t *mine,
                                  uint32_t task) {
    const mmq_spec_t *spec;
    if (!decider || !head || !mine) return MMQ_NULL;
    spec = decider->bridge->spec;
    if (task >= decider->rules->n_tasks || decider->rules->tasks[task].classes != 2u) return MMQ_BAD_SPEC;
    if (head->tokens != spec->tokens || head->n_features != spec->n_features) return MMQ_BAD_SPEC;
    if (head->n_modalities != spec->n_modalities || head->components > MMQ_HEAD_COMPONENTS) return MMQ_BAD_SPEC;
    decider->follow = follow;
    decider->head = head;
    decider->mine = mine;
    decider->task = task;
    return MMQ_OK;
}
