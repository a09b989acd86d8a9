/* SPDX-License-Identifier: Apache-2.0 */
/* whole_cost.c: what a bundle's front end, network and decision take: ticks and stack. Bare metal, QEMU -icount.
 *
 * Compiled with the bundle's own sources; the golden samples are in script.bin (see replay.h: pushes only). */
#include "ticks.h"

#include <string.h>

#include "mmq_network.h"
#include "mmq_rules.h"
#include "mmq_spec.h"

#include "mmq_golden.h"
#include "whole_cost.h" /* written by the build: sizes */

#define SLICE 20000u

typedef struct {
    uint64_t pushes, steps, network; /* ticks: of pushes, of mmq_step where it ran the network, of that network alone */
    uint32_t tokens, decided;        /* how many of each */
    uint32_t longest_push, longest_step;
} whole_t;

static uint64_t memory[MMQ_SPEC_BYTES / 8 + 1];
static unsigned char script[COST_SCRIPT_BYTES] __attribute__((aligned(8)));
static float samples[COST_SAMPLES];
static uint32_t arena[MMQ_NETWORK_ARENA_BYTES / 4 + 1];
static int8_t logits[MMQ_RULES_OUTPUTS];
static mmq_network_job_t job;
static mmq_runner_t runner;
static mmq_decider_t decider;
static mmq_decision_t decision;
static mmq_bridge_t *bridge;

static void count_network(whole_t *cost) {
    uint64_t start;
    if (mmq_bridge_window_i8_at(bridge, decision.number, runner.features, runner.presence) != MMQ_OK) return;
    start = aligned();
    (void)mmq_network_run(&mmq_network, job.arena, job.arena_bytes);
    cost->network += between(start, now());
}

/* One call of mmq_step(), counted. */
static mmq_status_t step(uint32_t *ticks) {
    const uint64_t start = aligned();
    const mmq_status_t status = mmq_step(&decider, &runner, &decision);
    *ticks = between(start, now());
    return status;
}

static int decide(whole_t *cost) {
    for (;;) {
        uint64_t all = 0;
        uint32_t ticks;
        mmq_status_t status;
        do {
            status = step(&ticks);
            all += ticks;
            if (ticks > cost->longest_step) cost->longest_step = ticks;
        } while (status == MMQ_BUSY);
        if (status != MMQ_OK) return status == MMQ_NO_TOKEN;
        if (!decision.n_probabilities) continue;
        cost->steps += all;
        cost->decided++;
        if (!job.budget) count_network(cost);
    }
}

static int push(const unsigned char *at, whole_t *cost) {
    uint32_t modality, frames, ticks;
    double time_s;
    uint64_t start;
    const int64_t closed = mmq_bridge_closed(bridge);
    mmq_status_t status;
    memcpy(&modality, at, 4);
    memcpy(&frames, at + 4, 4);
    memcpy(&time_s, at + 8, 8);
    memcpy(samples, at + 16, mmq_spec.modalities[modality].channels * frames * sizeof *samples);
    start = aligned();
    status = mmq_bridge_push(bridge, modality, samples, frames, time_s);
    ticks = between(start, now());
    if (status != MMQ_OK) return 0;
    if (closed < (int64_t)COST_WARM_TOKENS) return 1;
    cost->pushes += ticks;
    cost->tokens += (uint32_t)(mmq_bridge_closed(bridge) - closed);
    if (ticks > cost->longest_push) cost->longest_push = ticks;
    return 1;
}

/* Replay the script. 0 when the core refuses something. */
static int measure(size_t bytes, uint32_t budget, whole_t *cost) {
    static mmq_spec_t spec;
    const mmq_network_job_t first = {&mmq_network, (int8_t *)arena, sizeof arena, budget, {0, 0, 0}};
    const mmq_runner_t fresh = {mmq_network_job, &job, (int8_t *)arena + MMQ_NETWORK_FEATURES_AT,
                                (int8_t *)arena + MMQ_NETWORK_PRESENCE_AT, logits, 0};
    caller = __builtin_frame_address(0);
    memset(cost, 0, sizeof *cost);
    spec = mmq_spec;
    spec.enrolment_tokens = MMQ_GOLDEN_ENROLMENT_TOKENS;
    spec.look_back_tokens = MMQ_GOLDEN_LOOK_BACK_TOKENS;
    job = first;
    runner = fresh;
    if (mmq_bridge_init(memory, sizeof memory, &spec, &bridge) != MMQ_OK) return 0;
    if (mmq_decider_init(&decider, bridge, &mmq_rules) != MMQ_OK) return 0;
    for (size_t at = 0; at < bytes;) {
        uint32_t modality, frames;
        memcpy(&modality, script + at, 4);
        memcpy(&frames, script + at + 4, 4);
        if (mmq_spec.modalities[modality].channels * frames > COST_SAMPLES) return 0;
        if (!push(script + at, cost) || !decide(cost)) return 0;
        at += 16 + mmq_spec.modalities[modality].channels * frames * sizeof *samples;
    }
    return 1;
}

int main(void) {
    whole_t whole, sliced;
    uint32_t stack;
    size_t bytes;
    FILE *file = fopen("script.bin", "rb");
    if (file == NULL) return 1;
    bytes = fread(script, 1, sizeof script, file);
    (void)fclose(file);
    begin_counting();
    if (!measure(bytes, 0, &whole)) return 1;
    SYST_CSR = 5; /* no interrupt on the stack that is painted; the ticks of this pass are not used */
    paint();
    if (!measure(bytes, SLICE, &sliced)) return 1;
    stack = stack_used();
    SYST_CSR = 7;
    if (!measure(bytes, SLICE, &sliced)) return 1;
    if (!whole.tokens || !whole.decided) return 1;
    printf("whole push=%lu tokens=%lu step=%lu network=%lu decided=%lu", (unsigned long)(whole.pushes / whole.tokens),
           (unsigned long)whole.tokens, (unsigned long)(whole.steps / whole.decided),
           (unsigned long)(whole.network / whole.decided), (unsigned long)whole.decided);
    printf(" longest_push=%lu longest_step=%lu longest_slice=%lu stack=%lu state=%lu\n",
           (unsigned long)whole.longest_push, (unsigned long)whole.longest_step, (unsigned long)sliced.longest_step,
           (unsigned long)stack, (unsigned long)mmq_bridge_size(&mmq_spec));
    return 0;
}
