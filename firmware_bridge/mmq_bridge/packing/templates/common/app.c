/* SPDX-License-Identifier: Apache-2.0 */
/* app.c: made-up sensors, read in an interrupt; the loop pushes what came and decides. Nothing here is measured: what it
 * decides about means nothing. */
#include "app.h"

#include <stdio.h>

#include "@PREFIX@_model.h"
#include "@PREFIX@_network.h"
#include "@PREFIX@_rules.h"
#include "@PREFIX@_spec.h"
#include "mmq_inference.h"
#include "mmq_sensor_queue.h"

#define DEMO_ENROLMENT_TOKENS 6u /* as short as that only here: a wearer needs all that the model was trained with */

@QUEUES@
static mmq_sensor_queue_t *const queues[@PREFIX_UPPER@_SPEC_MODALITIES] = {@QUEUE_LIST@};

static uint64_t state[@PREFIX_UPPER@_SPEC_BYTES / 8 + 1];
static uint32_t arena[@PREFIX_UPPER@_NETWORK_ARENA_BYTES / 4 + 1];
static int8_t logits[@PREFIX_UPPER@_RULES_OUTPUTS];
static mmq_spec_t spec;
static mmq_bridge_t *bridge;
static mmq_decider_t decider;
static mmq_runner_t runner;
static mmq_network_job_t job;

/* ---- the interrupt ---- */

/* -1 to 1 and back, once in `period` ticks. */
static float triangle(uint32_t tick, uint32_t period) {
    const uint32_t at = tick % period;
    const float rise = (float)(at < period - at ? at : period - at);
    return 4.0f * rise / (float)period - 1.0f;
}

static float noise(void) {
    static uint32_t seed = 1;
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / 8388608.0f - 1.0f;
}

static float fake_sample(uint32_t kind, uint32_t channel, uint32_t tick) {
    switch (kind) {
    case MMQ_PPG: return 1000.0f * triangle(tick, APP_TICKS_PER_S * 9 / 10) + 20.0f * noise();
    case MMQ_ECG: return tick % APP_TICKS_PER_S < 2u ? 1.0f : 0.02f * noise();
    case MMQ_RESP: return 100.0f * triangle(tick, 4u * APP_TICKS_PER_S) + noise();
    case MMQ_EDA: return 2.0f + 0.1f * triangle(tick, 20u * APP_TICKS_PER_S) + 0.001f * noise();
    case MMQ_TEMP: return 33.0f + 0.01f * noise();
    case MMQ_ACC: return (channel == 2u ? 1.0f : 0.0f) + 0.01f * noise();
    default: return 20.0f * noise(); /* eeg, eog, emg */
    }
}

void app_interrupt(void) {
    static uint32_t tick;
    static float due[@PREFIX_UPPER@_SPEC_MODALITIES];
    float frame[@CHANNELS@];
    for (uint32_t m = 0; m < @PREFIX_UPPER@_SPEC_MODALITIES; m++) {
        const mmq_modality_t *sensor = &@PREFIX@_spec.modalities[m];
        due[m] += sensor->rate_hz;
        if (due[m] < (float)APP_TICKS_PER_S) continue;
        due[m] -= (float)APP_TICKS_PER_S;
        for (uint32_t c = 0; c < sensor->channels; c++) frame[c] = fake_sample(sensor->kind, c, tick);
        (void)mmq_sensor_queue_put(queues[m], frame, tick); /* full: counted as lost */
    }
    tick++;
}

/* ---- the loop ---- */

int app_start(void) {
    spec = @PREFIX@_spec;
    if (spec.enrolment_tokens > DEMO_ENROLMENT_TOKENS) spec.enrolment_tokens = DEMO_ENROLMENT_TOKENS;
    if (spec.enrolment_least > spec.enrolment_tokens) spec.enrolment_least = spec.enrolment_tokens;
    job.network = &@PREFIX@_network;
    job.arena = (int8_t *)arena;
    job.arena_bytes = sizeof arena;
    job.budget = 20000u; /* at most about so many instructions at a time */
    runner.run = mmq_network_job;
    runner.context = &job;
    runner.features = job.arena + @PREFIX_UPPER@_NETWORK_FEATURES_AT;
    runner.presence = job.arena + @PREFIX_UPPER@_NETWORK_PRESENCE_AT;
    runner.logits = logits;
    return mmq_bridge_init(state, sizeof state, &spec, &bridge) != MMQ_OK ||
           mmq_decider_init(&decider, bridge, &@PREFIX@_rules) != MMQ_OK;
}

/* What the first task says, or why nothing is said. */
static void tell(const mmq_decision_t *decision, char *line, size_t bytes) {
    const unsigned long time_s = (unsigned long)decision->time_s;
    const unsigned long mille = (unsigned long)(decision->confidence[0] * 1000.0f + 0.5f);
    const char *why = mmq_abstention_name(decision->abstention);
    if (!decision->n_probabilities) {
        (void)snprintf(line, bytes, "%lu s: nothing: %s", time_s, why);
    } else {
        (void)snprintf(line, bytes, "%lu s: %s: %s %lu/1000, %s", time_s, @PREFIX@_task_names[0],
                       @PREFIX@_class_names[decision->best[0]], mille, why);
    }
}

/* Push what came since; a queue that ran full is no error, but lost samples. */
static void push_all(void) {
    static mmq_clock_t timer = {APP_TICKS_PER_S, 0, 0, 0};
    static float scratch[@CHANNELS@ * 16];
    for (uint32_t m = 0; m < @PREFIX_UPPER@_SPEC_MODALITIES; m++) {
        const mmq_status_t status = mmq_sensor_queue_push(queues[m], bridge, m, &timer, scratch, 16);
        if (status != MMQ_OK) printf("sensor %lu: %s\n", (unsigned long)m, mmq_status_name(status));
    }
}

int app_loop(char *line, size_t bytes) {
    static mmq_decision_t decision;
    mmq_status_t status;
    do { /* between two slices of the network the queues are emptied */
        push_all();
        status = mmq_step(&decider, &runner, &decision);
    } while (status == MMQ_BUSY);
    if (status != MMQ_OK) return 0;
    tell(&decision, line, bytes);
    return 1;
}
