/* SPDX-License-Identifier: Apache-2.0 */
/* cost.c: how many ticks and how much stack the bridge takes, scenario by scenario. Bare metal, QEMU -icount.
 * Scripts are as in replay.h, pushes only. */
#include "ticks.h"

#include <string.h>

#include "cost.h" /* written by the build: scenarios and sizes */
#include "mmq_bridge.h"

typedef struct {
    uint64_t samples, ends; /* ticks of pushes inside a token, and of those that close one */
    uint32_t longest, tokens, pushes;
    uint32_t seen, window; /* ticks of reading one quantised window; 0 before it is full */
} cost_t;

static uint64_t memory[COST_STATE_BYTES / 8 + 1];
static unsigned char script[COST_SCRIPT_BYTES] __attribute__((aligned(8)));
static float samples[COST_SAMPLES];
static int8_t window[COST_WINDOW], presence[COST_WINDOW_PRESENCE];

static int push(mmq_bridge_t *bridge, const mmq_spec_t *spec, const unsigned char **at, uint32_t warm, cost_t *cost) {
    uint32_t modality, frames, ticks, n;
    double time_s;
    uint64_t start;
    const int64_t closed = mmq_bridge_closed(bridge);
    mmq_status_t status;
    memcpy(&modality, *at, 4);
    memcpy(&frames, *at + 4, 4);
    memcpy(&time_s, *at + 8, 8);
    n = spec->modalities[modality].channels * frames;
    if (n > COST_SAMPLES) return 0;
    memcpy(samples, *at + 16, n * sizeof *samples);
    *at += 16 + n * sizeof *samples;
    caller = __builtin_frame_address(0);
    start = aligned();
    status = mmq_bridge_push(bridge, modality, samples, frames, time_s);
    ticks = between(start, now());
    if (status != MMQ_OK) return 0;
    if (closed < (int64_t)warm) return 1;
    cost->pushes++;
    if (mmq_bridge_closed(bridge) > closed) {
        cost->ends += ticks;
        cost->tokens++;
    } else {
        cost->samples += ticks;
    }
    if (ticks > cost->longest) cost->longest = ticks;
    return 1;
}

/* Replay one scenario from memory. 0 when the core refuses something. */
static int measure(const cost_scenario_t *scenario, size_t bytes, cost_t *cost) {
    const mmq_spec_t *spec = scenario->spec();
    const unsigned char *at = script;
    mmq_bridge_t *bridge;
    uint64_t start;
    memset(cost, 0, sizeof *cost);
    if (mmq_bridge_init(memory, sizeof memory, spec, &bridge) != MMQ_OK) return 0;
    while (at < script + bytes) {
        if (!push(bridge, spec, &at, scenario->warm_tokens, cost)) return 0;
    }
    start = aligned();
    if (mmq_bridge_window_i8(bridge, window, presence) == MMQ_OK) cost->window = between(start, now());
    for (size_t i = 0; i < (size_t)spec->tokens * spec->n_modalities; i++) cost->seen += presence[i] > 0;
    return 1;
}

static int run(const cost_scenario_t *scenario) {
    char name[64];
    size_t bytes;
    cost_t first, second;
    uint32_t stack;
    FILE *file;
    (void)snprintf(name, sizeof name, "%s.bin", scenario->name);
    if ((file = fopen(name, "rb")) == NULL) return 0;
    bytes = fread(script, 1, sizeof script, file);
    (void)fclose(file);
    if (!measure(scenario, bytes, &first)) return 0;
    SYST_CSR = 5; /* no interrupt on the stack that is painted; the ticks of this pass are not used */
    paint();
    if (!measure(scenario, bytes, &second)) return 0;
    stack = stack_used();
    SYST_CSR = 7;
    if (!measure(scenario, bytes, &second)) return 0;
    printf("%s samples=%lu ends=%lu again=%lu longest=%lu window=%lu", scenario->name, (unsigned long)first.samples,
           (unsigned long)first.ends, (unsigned long)(second.samples + second.ends), (unsigned long)first.longest,
           (unsigned long)first.window);
    printf(" tokens=%lu pushes=%lu present=%lu stack=%lu bytes=%lu\n", (unsigned long)first.tokens,
           (unsigned long)first.pushes, (unsigned long)first.seen, (unsigned long)stack,
           (unsigned long)mmq_bridge_size(scenario->spec()));
    return 1;
}

int main(void) {
    begin_counting();
    for (size_t i = 0; i < COST_SCENARIOS; i++) {
        if (!run(cost_scenarios + i)) {
            printf("%s: cannot be measured\n", cost_scenarios[i].name);
            return 1;
        }
    }
    return 0;
}
