/* SPDX-License-Identifier: Apache-2.0 */
/* step.c: window, network and decision in one call, or in slices of one. */
#include "mmq_decision.h"

mmq_status_t mmq_step(mmq_decider_t *decider, mmq_runner_t *runner, mmq_decision_t *decision) {
    mmq_status_t status;
    int left;
    if (!decider || !runner || !decision || !runner->run) return MMQ_NULL;
    if (!runner->features || !runner->presence || !runner->logits) return MMQ_NULL;
    if (!runner->running) {
        status = mmq_decision_due(decider, decision);
        if (status != MMQ_OK || decision->abstention != MMQ_DECIDED) return status;
        status = mmq_bridge_window_i8_at(decider->bridge, decision->number, runner->features, runner->presence);
        if (status != MMQ_OK) return status;
    }
    left = runner->run(runner->context, runner->features, runner->presence, runner->logits);
    runner->running = left > 0;
    if (left) return left > 0 ? MMQ_BUSY : MMQ_NO_NETWORK;
    return mmq_decide_i8(decider, runner->logits, decision);
}
