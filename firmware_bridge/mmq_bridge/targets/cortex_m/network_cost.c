/* SPDX-License-Identifier: Apache-2.0 */
/* network_cost.c: how many ticks and how much stack a network takes, and each of its operations. Bare metal, QEMU
 * -icount: see cost.c. */
#include <stdio.h>
#include <string.h>

#include "networks.h" /* written by the build */

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define ICSR (*(volatile uint32_t *)0xE000ED04u)
#define ICSR_PENDSTSET (1u << 26)
#define WRAP 0x1000000u
#define PAINT 0xA5A5A5A5u
#define CALIBRATION 100000u
#define MAX_OPERATIONS 1024u

extern uint32_t stack_limit[], stack_top[];
void systick(void);

static uint32_t arena[NETWORKS_ARENA_BYTES / 4];
static uint32_t ticks_of[MAX_OPERATIONS];
static volatile uint32_t wraps;
static uint32_t overhead;
static const uint32_t *caller;

void systick(void) { wraps++; }

static uint64_t now(void) {
    for (;;) {
        const uint32_t before = wraps, left = SYST_CVR;
        if (before == wraps && !(ICSR & ICSR_PENDSTSET)) return (uint64_t)before * WRAP + (WRAP - 1u - left);
    }
}

static uint32_t between(uint64_t start, uint64_t end) { return (uint32_t)(end - start) - overhead; }

static void spin(uint32_t n) { __asm volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(n)::"cc"); }

static uint32_t ticks_of_spin(uint32_t n) {
    const uint64_t start = now();
    spin(n);
    return between(start, now());
}

static void paint(void) {
    uint32_t *end = (uint32_t *)__builtin_frame_address(0) - 16;
    for (volatile uint32_t *at = stack_limit; at < end; at++) *at = PAINT;
}

static uint32_t stack_used(void) {
    const uint32_t *at = stack_limit;
    while (at < caller && *at == PAINT) at++;
    return (uint32_t)((const char *)caller - (const char *)at);
}

static __attribute__((noinline)) uint32_t whole(const mmq_network_t *network) {
    uint64_t start;
    caller = (const uint32_t *)__builtin_frame_address(0);
    start = now();
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
                const uint64_t start = now();
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
    uint32_t once, twice;
    SYST_RVR = WRAP - 1u;
    SYST_CVR = 0;
    SYST_CSR = 7;
    {
        const uint64_t start = now();
        overhead = (uint32_t)(now() - start);
    }
    once = ticks_of_spin(CALIBRATION);
    twice = ticks_of_spin(2 * CALIBRATION);
    printf("calibration instructions=%lu ticks=%lu\n", (unsigned long)(2 * CALIBRATION), (unsigned long)(twice - once));
    for (size_t i = 0; i < NETWORKS; i++) measure(networks + i);
    return 0;
}
