/* SPDX-License-Identifier: Apache-2.0 */
/* network.c: run a network's operations in order, whole or in slices. */
#include "mmq_inference.h"

#include <string.h>

static mmq_status_t check(const mmq_network_t *network, const int8_t *arena, size_t arena_bytes) {
    if (network == NULL || arena == NULL) return MMQ_NULL;
    if ((uintptr_t)arena % MMQ_NETWORK_ALIGNMENT != 0) return MMQ_UNALIGNED;
    return arena_bytes < network->arena_bytes ? MMQ_TOO_SMALL : MMQ_OK;
}

static void run_strip(const mmq_group_t *group, const mmq_operation_t *operations, int8_t *arena, uint32_t row) {
    const uint32_t left = group->rows - row, count = left < group->strip ? left : group->strip;
    for (uint32_t i = 0; i < group->operations; i++) operations[i].run(operations[i].parameters, arena, row, count);
}

mmq_status_t mmq_network_run(const mmq_network_t *network, int8_t *arena, size_t arena_bytes) {
    const mmq_status_t status = check(network, arena, arena_bytes);
    const mmq_operation_t *operations;
    if (status != MMQ_OK) return status;
    operations = network->operations;
    for (uint32_t g = 0; g < network->n_groups; g++) {
        const mmq_group_t *group = network->groups + g;
        for (uint32_t row = 0; row < group->rows; row += group->strip) run_strip(group, operations, arena, row);
        operations += group->operations;
    }
    return MMQ_OK;
}

/* Whether a run can be as far as the state says. */
static int belongs(const mmq_network_t *network, const mmq_network_state_t *state) {
    uint32_t operation = 0;
    if (state->group >= network->n_groups || state->row >= network->groups[state->group].rows) return 0;
    for (uint32_t g = 0; g < state->group; g++) operation += network->groups[g].operations;
    return operation == state->operation && state->row % network->groups[state->group].strip == 0;
}

mmq_status_t mmq_network_run_slice(const mmq_network_t *network, mmq_network_state_t *state, int8_t *arena,
                                   size_t arena_bytes, uint32_t budget) {
    static const mmq_network_state_t start = {0, 0, 0};
    mmq_status_t status;
    uint32_t spent = 0;
    if (state == NULL) return MMQ_NULL;
    status = check(network, arena, arena_bytes);
    if (status != MMQ_OK) return status;
    if (!belongs(network, state)) return MMQ_BAD_STATE;
    while (state->group < network->n_groups) {
        const mmq_group_t *group = network->groups + state->group;
        if (spent > 0 && (spent >= budget || group->cost > budget - spent)) return MMQ_BUSY;
        run_strip(group, network->operations + state->operation, arena, state->row);
        spent += group->cost > 0 ? group->cost : 1;
        state->row += group->strip;
        if (state->row < group->rows) continue;
        state->operation += group->operations;
        state->group++;
        state->row = 0;
    }
    *state = start;
    return MMQ_OK;
}

static void copy_inputs(const mmq_network_t *network, const int8_t *features, const int8_t *presence, int8_t *arena) {
    const mmq_tensor_t *input = network->inputs;
    if (features != arena + input[0].at) memcpy(arena + input[0].at, features, input[0].count);
    if (presence != arena + input[1].at) memcpy(arena + input[1].at, presence, input[1].count);
}

int mmq_network_job(void *job, const int8_t *features, const int8_t *presence, int8_t *logits) {
    static const mmq_network_state_t start = {0, 0, 0};
    mmq_network_job_t *mine = (mmq_network_job_t *)job;
    const mmq_network_t *network;
    mmq_status_t status;
    if (mine == NULL || features == NULL || presence == NULL || logits == NULL) return -1;
    network = mine->network;
    if (check(network, mine->arena, mine->arena_bytes) != MMQ_OK || network->n_inputs != 2) return -1;
    if (mine->state.group == 0 && mine->state.row == 0) copy_inputs(network, features, presence, mine->arena);
    status = mmq_network_run_slice(network, &mine->state, mine->arena, mine->arena_bytes,
                                   mine->budget > 0 ? mine->budget : UINT32_MAX);
    if (status == MMQ_BUSY) return 1;
    mine->state = start;
    if (status != MMQ_OK) return -1;
    for (uint32_t i = 0; i < network->n_outputs; logits += network->outputs[i++].count) {
        memcpy(logits, mine->arena + network->outputs[i].at, network->outputs[i].count);
    }
    return 0;
}

uint32_t mmq_network_longest(const mmq_network_t *network) {
    uint32_t longest = 0;
    for (uint32_t g = 0; network != NULL && g < network->n_groups; g++) {
        if (network->groups[g].cost > longest) longest = network->groups[g].cost;
    }
    return longest;
}

uint32_t mmq_network_cost(const mmq_network_t *network) {
    uint32_t cost = 0;
    for (uint32_t g = 0; network != NULL && g < network->n_groups; g++) {
        const mmq_group_t *group = network->groups + g;
        cost += group->cost * ((group->rows + group->strip - 1u) / group->strip);
    }
    return cost;
}
