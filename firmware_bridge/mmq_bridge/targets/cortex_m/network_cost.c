/* SPDX-License-Identifier: Apache-2.0 */
/* network_cost.c: how many ticks and how much stack a network takes, and each of its operations. Bare metal, QEMU
 * -icount: see ticks.h. */
#include <string.h>

#include "networks.h" /* written by the build */
#include "ticks.h"

#define MAX_OPERATIONS 1024u

static uint32_t arena[NETWORKS_ARENA_BYTES / 4];
static uint32_t ticks_of[MAX_OPERATIONS];

static __attribute__((noinline)) uint32_t whole(const mmq_network_t *network) {
    uint64_t start;
    caller = (const uint32_t *)__builtin_frame_address(0);
    start = aligned();
    (void)mmq_network_run(network, (int8_t *)arena, sizeof arena);
    return between(start, now());
}

/* Each operation's ticks, strip by strip as mmq_network_run() does them. */
static void apart(const mmq_network_t *network) {
    const mmq_operation_t *operations = network->operations;
    uint32_t number = 0;
    memset(ticks_of, 0, sizeof ticks_of);
    for (uint32_t g = 0; g < network->n_groups; g++) {
        const mmq_group_t *group = network->groups + g;
        for (uint32_t row = 0; row < group->rows; row += group->strip) {
            const uint32_t left = group->rows - row, count = left < group->strip ? left : group->strip;
            for (uint32_t i = 0; i < group->operations && number + i < MAX_OPERATIONS; i++) {
                const uint64_t start = aligned();
                operations[i].run(operations[i].parameters, (int8_t *)arena, row, count);
                ticks_of[number + i] += between(start, now());
            }
        }
        operations += group->operations;
        number += group->operations;
    }
    for (uint32_t i = 0; i < number && i < MAX_OPERATIONS; i++) printf(" %lu", (unsigned long)ticks_of[i]);
}

static void measure(const network_run_t *run) {
    const mmq_network_t *network = run->network;
    uint32_t state = 1, ticks, again, stack;
    network_draw(network, 2, &state, (int8_t *)arena);
    ticks = whole(network);
    network_draw(network, 3, &state, (int8_t *)arena);
    again = whole(network);
    SYST_CSR = 5; /* no interrupt on the stack that is painted */
    paint();
    (void)whole(network);
    stack = stack_used();
    SYST_CSR = 7;
    printf("%s ticks=%lu again=%lu stack=%lu arena=%lu\n", run->name, (unsigned long)ticks, (unsigned long)again,
           (unsigned long)stack, (unsigned long)network->arena_bytes);
    printf("operations");
    apart(network);
    printf("\n");
}

int main(void) {
    begin_counting();
    for (size_t i = 0; i < NETWORKS; i++) measure(networks + i);
    return 0;
}
