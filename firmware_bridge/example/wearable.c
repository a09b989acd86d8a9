/* SPDX-License-Identifier: Apache-2.0 */
/* wearable.c: sensors in, decisions out. The shortest program around a bundle; README.md explains it. */
#include "mmq_network.h"
#include "mmq_rules.h"
#include "mmq_spec.h"

static uint64_t state[MMQ_SPEC_BYTES / 8 + 1];
static uint32_t arena[MMQ_NETWORK_ARENA_BYTES / 4 + 1];
static int8_t logits[MMQ_RULES_OUTPUTS];
static mmq_network_job_t job = {&mmq_network, (int8_t *)arena, sizeof arena, 20000u, {0, 0, 0}};
static mmq_runner_t runner = {mmq_network_job, &job, (int8_t *)arena + MMQ_NETWORK_FEATURES_AT,
                              (int8_t *)arena + MMQ_NETWORK_PRESENCE_AT, logits, 0};
static mmq_bridge_t *bridge;
static mmq_decider_t decider;

/* Once, and again to start a new recording. */
mmq_status_t wearable_start(void) {
    const mmq_status_t status = mmq_bridge_init(state, sizeof state, &mmq_spec, &bridge);
    runner.running = 0;
    job.state = (mmq_network_state_t){0, 0, 0};
    return status != MMQ_OK ? status : mmq_decider_init(&decider, bridge, &mmq_rules);
}

/* Whenever a sensor has delivered: MMQ_SPEC_PPG, ...; float samples [channels][frames]; seconds of the first frame. */
mmq_status_t wearable_push(uint32_t sensor, const float *samples, uint32_t frames, double time_s) {
    return mmq_bridge_push(bridge, sensor, samples, frames, time_s);
}

/* In every turn of the control loop, always with the same `decision`. 1: it is there, 0: not yet. */
int wearable_step(mmq_decision_t *decision) { return mmq_step(&decider, &runner, decision) == MMQ_OK; }
