/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_device.c: see mmq_device.h. The only file of an app that includes mmq_spec.h and mmq_rules.h.
 * With MMQ_WITH_LITERT an interpreter runs the network, and mmq_network.c and src/network/ need not be built. */
#include "mmq_device.h"

#include <stdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mmq_rules.h"
#include "mmq_spec.h"
#ifndef MMQ_WITH_LITERT
#include "mmq_network.h"
#endif

#define LONGEST_DISPLAY_S 3600.0
#define LONGEST_S 4e9 /* as the core takes times */

/* The newest frame of a sensor with a rate of its own, and which frame of the model's rate comes next. */
typedef struct {
    float frame[MMQ_MAX_CHANNELS];
    double time_s;  /* of `frame` */
    double first_s; /* where the model's frame 0 lies */
    double next;    /* its number */
    int begun;
} line_t;

struct mmq_device {
    mmq_bridge_t *bridge;
    mmq_decider_t decider;
    mmq_display_t display;
    mmq_decision_t said[2]; /* as it was made, and as it is shown */
    line_t lines[MMQ_SPEC_MODALITIES];
#ifndef MMQ_WITH_LITERT
    mmq_network_job_t job;
    mmq_runner_t runner;
    int8_t logits[MMQ_RULES_OUTPUTS];
    uint32_t arena[MMQ_NETWORK_ARENA_BYTES / 4 + 1];
#endif
    uint64_t state[MMQ_SPEC_BYTES / 8 + 1];
};

#ifndef MMQ_WITH_LITERT
typedef char its_network_takes_its_windows
    [MMQ_NETWORK_FEATURES_BYTES == MMQ_SPEC_TOKENS * MMQ_SPEC_FEATURES &&
     MMQ_NETWORK_PRESENCE_BYTES == MMQ_SPEC_TOKENS * MMQ_SPEC_MODALITIES ? 1 : -1];

/* The whole network at once: a phone has a thread for it. */
static void begin_network(mmq_device_t *device) {
    int8_t *arena = (int8_t *)device->arena;
    const mmq_network_job_t job = {&mmq_network, arena, sizeof device->arena, 0, {0, 0, 0}};
    const mmq_runner_t runner = {mmq_network_job, &device->job, arena + MMQ_NETWORK_FEATURES_AT,
                                 arena + MMQ_NETWORK_PRESENCE_AT, device->logits, 0};
    device->job = job;
    device->runner = runner;
}
#endif

mmq_device_t *mmq_device_create(double display_s) {
    const double apart_s = (double)mmq_spec.token_s * (double)mmq_rules.every_tokens;
    mmq_device_t *device;
    uint32_t rows;
    if (!(display_s >= 0.0 && display_s <= LONGEST_DISPLAY_S)) return NULL;
    rows = (uint32_t)(display_s / apart_s) + 2u;
    device = calloc(1, sizeof *device);
    if (!device) return NULL;
#ifndef MMQ_WITH_LITERT
    begin_network(device);
#endif
    device->display.display_s = display_s;
    device->display.rows = rows;
    device->display.columns = MMQ_RULES_OUTPUTS;
    device->display.times_s = calloc(rows, sizeof(double));
    device->display.kept = calloc((size_t)rows * MMQ_RULES_OUTPUTS, sizeof(float));
    if (device->display.times_s && device->display.kept &&
        mmq_bridge_init(device->state, sizeof device->state, &mmq_spec, &device->bridge) == MMQ_OK &&
        mmq_decider_init(&device->decider, device->bridge, &mmq_rules) == MMQ_OK) {
        return device;
    }
    mmq_device_free(device);
    return NULL;
}

void mmq_device_free(mmq_device_t *device) {
    if (!device) return;
    free(device->display.times_s);
    free(device->display.kept);
    free(device);
}

const char *mmq_device_sentence(int32_t status) { return mmq_status_sentence((uint32_t)status); }

int32_t mmq_device_tokens(void) { return MMQ_SPEC_TOKENS; }

int32_t mmq_device_features(void) { return MMQ_SPEC_FEATURES; }

int32_t mmq_device_modalities(void) { return MMQ_SPEC_MODALITIES; }

float mmq_device_token_s(void) { return mmq_spec.token_s; }

int32_t mmq_device_modality(const char *name) {
    for (int32_t i = 0; name && i < MMQ_SPEC_MODALITIES; i++) {
        if (strcmp(mmq_kind_name(mmq_spec.modalities[i].kind), name) == 0) return i;
    }
    return -1;
}

const char *mmq_device_name(int32_t modality) {
    if (modality < 0 || modality >= MMQ_SPEC_MODALITIES) return NULL;
    return mmq_kind_name(mmq_spec.modalities[modality].kind);
}

int32_t mmq_device_channels(int32_t modality) {
    if (modality < 0 || modality >= MMQ_SPEC_MODALITIES) return 0;
    return (int32_t)mmq_spec.modalities[modality].channels;
}

float mmq_device_rate_hz(int32_t modality) {
    return mmq_device_channels(modality) ? mmq_spec.modalities[modality].rate_hz : 0.0f;
}

int32_t mmq_device_push(mmq_device_t *device, int32_t modality, const float *samples, int64_t length, int32_t frames,
                        double time_s) {
    if (!device) return MMQ_NULL;
    if (mmq_device_channels(modality) == 0) return MMQ_BAD_MODALITY;
    if (frames < 0 || length < (int64_t)mmq_device_channels(modality) * frames) return MMQ_TOO_SMALL;
    return (int32_t)mmq_bridge_push(device->bridge, (uint32_t)modality, samples, (uint32_t)frames, time_s);
}

int32_t mmq_device_push_counted(mmq_device_t *device, int32_t modality, const float *samples, int64_t length,
                                int32_t frames, uint32_t first_sample_index) {
    if (!device) return MMQ_NULL;
    if (mmq_device_channels(modality) == 0) return MMQ_BAD_MODALITY;
    if (frames < 0 || length < (int64_t)mmq_device_channels(modality) * frames) return MMQ_TOO_SMALL;
    return (int32_t)mmq_bridge_push_counted(device->bridge, (uint32_t)modality, samples, (uint32_t)frames,
                                            first_sample_index);
}

/* Push what lies on the line from line->frame to a newer frame. */
static int32_t push_line(mmq_bridge_t *bridge, uint32_t modality, line_t *line, const float *frame, double time_s) {
    const mmq_modality_t *sensor = &mmq_spec.modalities[modality];
    float between[MMQ_MAX_CHANNELS];
    int32_t worst = MMQ_OK;
    for (;;) {
        const double at_s = line->first_s + line->next / (double)sensor->rate_hz;
        const float weight = time_s > line->time_s ? (float)((at_s - line->time_s) / (time_s - line->time_s)) : 1.0f;
        int32_t status;
        if (!(at_s <= time_s)) return worst;
        for (uint32_t c = 0; c < sensor->channels; c++) {
            between[c] = line->frame[c] + (frame[c] - line->frame[c]) * weight;
        }
        status = (int32_t)mmq_bridge_push(bridge, modality, between, 1, at_s);
        if (status != MMQ_OK) worst = status;
        if (status != MMQ_OK && status != MMQ_LATE) return worst;
        line->next += 1.0;
    }
}

int32_t mmq_device_sample(mmq_device_t *device, int32_t modality, const float *frame, int64_t length, double time_s) {
    const int32_t channels = mmq_device_channels(modality);
    line_t *line;
    int32_t status;
    if (!device || !frame) return MMQ_NULL;
    if (channels == 0) return MMQ_BAD_MODALITY;
    if (length < channels) return MMQ_TOO_SMALL;
    if (!(time_s >= -LONGEST_S && time_s <= LONGEST_S)) return MMQ_BAD_TIME;
    line = &device->lines[modality];
    if (line->begun && !(time_s > line->time_s)) return MMQ_LATE;
    if (!line->begun || time_s - line->time_s > (double)mmq_spec.token_s) {
        line->begun = 1;
        line->first_s = line->time_s = time_s;
        line->next = 0.0;
        memcpy(line->frame, frame, (size_t)channels * sizeof *frame);
    }
    status = push_line(device->bridge, (uint32_t)modality, line, frame, time_s);
    memcpy(line->frame, frame, (size_t)channels * sizeof *frame);
    line->time_s = time_s;
    return status;
}

int32_t mmq_device_lead_off(mmq_device_t *device, int32_t modality, uint64_t off) {
    if (!device) return MMQ_NULL;
    if (mmq_device_channels(modality) == 0) return MMQ_BAD_MODALITY;
    return (int32_t)mmq_bridge_lead_off(device->bridge, (uint32_t)modality, off);
}

int32_t mmq_device_advance(mmq_device_t *device, double time_s) {
    return device ? (int32_t)mmq_bridge_advance(device->bridge, time_s) : MMQ_NULL;
}

int64_t mmq_device_closed(const mmq_device_t *device) { return device ? mmq_bridge_closed(device->bridge) : -1; }

int32_t mmq_device_token(mmq_device_t *device, float *features, int64_t length, uint8_t *presence,
                         int64_t presence_length) {
    if (!device) return MMQ_NULL;
    if (length < MMQ_SPEC_FEATURES || presence_length < MMQ_SPEC_MODALITIES) return MMQ_TOO_SMALL;
    return (int32_t)mmq_bridge_token(device->bridge, features, presence, NULL);
}

int32_t mmq_device_window(const mmq_device_t *device, float *features, int64_t length, float *presence,
                          int64_t presence_length) {
    if (!device) return MMQ_NULL;
    if (length < MMQ_SPEC_TOKENS * MMQ_SPEC_FEATURES) return MMQ_TOO_SMALL;
    if (presence_length < MMQ_SPEC_TOKENS * MMQ_SPEC_MODALITIES) return MMQ_TOO_SMALL;
    return (int32_t)mmq_bridge_window(device->bridge, features, presence);
}

int32_t mmq_device_reasons(const mmq_device_t *device, int64_t token, uint16_t *reasons, int64_t length) {
    if (!device) return MMQ_NULL;
    if (length < MMQ_SPEC_MODALITIES) return MMQ_TOO_SMALL;
    return (int32_t)mmq_bridge_reasons(device->bridge, token, reasons);
}

int32_t mmq_device_tasks(void) { return MMQ_RULES_TASKS; }

const char *mmq_device_task(int32_t task) {
    return task < 0 || task >= (int32_t)MMQ_RULES_TASKS ? NULL : mmq_task_names[task];
}

int32_t mmq_device_classes(int32_t task) {
    return task < 0 || task >= (int32_t)MMQ_RULES_TASKS ? 0 : (int32_t)mmq_rules_tasks[task].classes;
}

const char *mmq_device_class(int32_t task, int32_t number) {
    int32_t first = 0;
    if (number < 0 || number >= mmq_device_classes(task)) return NULL;
    for (int32_t before = 0; before < task; before++) first += mmq_device_classes(before);
    return mmq_class_names[first + number];
}

/* What is shown of the newest decision. */
static int32_t show(mmq_device_t *device) {
    return (int32_t)mmq_display_show(&device->display, &mmq_rules, &device->said[0], &device->said[1]);
}

int32_t mmq_device_step(mmq_device_t *device) {
#ifdef MMQ_WITH_LITERT
    return device ? MMQ_NO_NETWORK : MMQ_NULL;
#else
    int32_t status;
    if (!device) return MMQ_NULL;
    status = (int32_t)mmq_step(&device->decider, &device->runner, &device->said[0]);
    return status == MMQ_OK ? show(device) : status;
#endif
}

int32_t mmq_device_due(mmq_device_t *device) {
    int32_t status;
    if (!device) return MMQ_NULL;
    status = (int32_t)mmq_decision_due(&device->decider, &device->said[0]);
    return status == MMQ_OK ? show(device) : status;
}

int32_t mmq_device_due_window(const mmq_device_t *device, float *features, int64_t length, float *presence,
                              int64_t presence_length) {
    if (!device) return MMQ_NULL;
    if (length < MMQ_SPEC_TOKENS * MMQ_SPEC_FEATURES) return MMQ_TOO_SMALL;
    if (presence_length < MMQ_SPEC_TOKENS * MMQ_SPEC_MODALITIES) return MMQ_TOO_SMALL;
    return (int32_t)mmq_bridge_window_at(device->bridge, device->said[0].number, features, presence);
}

int32_t mmq_device_decide(mmq_device_t *device, const float *logits, int64_t length) {
    int32_t status;
    if (!device) return MMQ_NULL;
    if (length < (int64_t)MMQ_RULES_OUTPUTS) return MMQ_TOO_SMALL;
    status = (int32_t)mmq_decide(&device->decider, logits, &device->said[0]);
    return status == MMQ_OK ? show(device) : status;
}

double mmq_device_time_s(const mmq_device_t *device) { return device ? device->said[0].time_s : 0.0; }

int32_t mmq_device_abstention(const mmq_device_t *device, int32_t shown) {
    return device ? (int32_t)device->said[shown != 0].abstention : -1;
}

const char *mmq_device_abstention_name(int32_t abstention) { return mmq_abstention_name((uint32_t)abstention); }

/* The numbers of an abstention; "" where it has none. */
static int details(const mmq_decision_t *said, char *text, size_t bytes) {
    const mmq_task_t *task = &mmq_rules_tasks[said->unsure_task];
    const double left = (double)said->tokens_left;
    uint32_t present = 0;
    switch (said->abstention) {
    case MMQ_ABSTAIN_ENROLLING:
        if (mmq_spec.version >= 3) {
            return snprintf(text, bytes, "%u of %u tokens measured", (unsigned)(mmq_spec.enrolment_tokens - said->tokens_left),
                            (unsigned)mmq_spec.enrolment_tokens);
        } /* fall through */
    case MMQ_ABSTAIN_FILLING: return snprintf(text, bytes, "%g s left", left * (double)mmq_spec.token_s);
    case MMQ_ABSTAIN_ABSENT:
        for (uint32_t m = 0; m < MMQ_SPEC_MODALITIES; m++) present += said->present[m];
        return snprintf(text, bytes, "%.0f%% of %.0f%% needed",
                        100.0 * ((double)present / (double)(said->tokens * MMQ_SPEC_MODALITIES)),
                        100.0 * (double)mmq_rules.min_present_share);
    case MMQ_ABSTAIN_UNSURE:
        return snprintf(text, bytes, "%s %.2f < %.2f", mmq_task_names[said->unsure_task],
                        (double)said->confidence[said->unsure_task], (double)task->min_confidence);
    default: text[0] = '\0'; return 0;
    }
}

int32_t mmq_device_reason(const mmq_device_t *device, char *text, int64_t length) {
    char numbers[MMQ_DEVICE_REASON_BYTES - 40]; /* longer names of tasks are cut short */
    const mmq_decision_t *said;
    int64_t written;
    if (!device || !text) return MMQ_NULL;
    if (length < 1) return MMQ_TOO_SMALL;
    said = &device->said[0];
    text[0] = '\0';
    if (said->abstention == MMQ_DECIDED) return MMQ_OK;
    written = details(said, numbers, sizeof numbers) > 0
                  ? snprintf(text, (size_t)length, "%s (%s)", mmq_abstention_name(said->abstention), numbers)
                  : snprintf(text, (size_t)length, "%s", mmq_abstention_name(said->abstention));
    return written < length ? MMQ_OK : MMQ_TOO_SMALL;
}

float mmq_device_present(const mmq_device_t *device, int32_t modality) {
    if (!device || mmq_device_channels(modality) == 0 || device->said[0].tokens == 0) return 0.0f;
    return (float)device->said[0].present[modality] / (float)device->said[0].tokens;
}

int32_t mmq_device_why(const mmq_device_t *device, int32_t modality) {
    return device && mmq_device_channels(modality) ? (int32_t)device->said[0].reasons[modality] : 0;
}

const char *mmq_device_why_name(int32_t reasons) { return mmq_reason_name((uint32_t)reasons); }

int32_t mmq_device_probabilities(const mmq_device_t *device, int32_t shown, float *p, int64_t length) {
    const mmq_decision_t *said;
    if (!device || !p) return 0;
    said = &device->said[shown != 0];
    if (length < (int64_t)said->n_probabilities) return 0;
    memcpy(p, said->probability, said->n_probabilities * sizeof *p);
    return (int32_t)said->n_probabilities;
}

int32_t mmq_device_best(const mmq_device_t *device, int32_t shown, int32_t task) {
    if (!device || mmq_device_classes(task) == 0 || device->said[0].n_probabilities == 0) return -1;
    return device->said[shown != 0].best[task];
}

int32_t mmq_device_sure(const mmq_device_t *device, int32_t shown, int32_t task) {
    if (mmq_device_best(device, shown, task) < 0) return 0;
    return (int32_t)(device->said[shown != 0].sure >> task & 1u);
}

int32_t mmq_device_next_sensor(const mmq_device_t *device, uint32_t can) {
#ifdef MMQ_RULES_NEXT
    return device ? mmq_next_sensor(&mmq_next, &device->said[0], can) : -1;
#else
    (void)device, (void)can;
    return -1;
#endif
}

int32_t mmq_device_not_enrolled(const mmq_device_t *device, uint8_t *named, int64_t length) {
    if (!device || !named) return MMQ_NULL;
    if (length < MMQ_SPEC_MODALITIES) return MMQ_TOO_SMALL;
    for (uint32_t m = 0; m < MMQ_SPEC_MODALITIES; m++) named[m] = device->said[0].not_enrolled >> m & 1u;
    return MMQ_OK;
}

int32_t mmq_device_state_bytes(void) { return MMQ_SPEC_SAVED_BYTES; }

int32_t mmq_device_save(const mmq_device_t *device, uint8_t *state, int64_t length) {
    if (!device) return MMQ_NULL;
    if (length < MMQ_SPEC_SAVED_BYTES) return MMQ_TOO_SMALL;
    return (int32_t)mmq_state_save(device->bridge, state, MMQ_SPEC_SAVED_BYTES);
}

int32_t mmq_device_load(mmq_device_t *device, const uint8_t *state, int64_t length) {
    if (!device) return MMQ_NULL;
    if (length < 0) return MMQ_STATE_SHORT;
    return (int32_t)mmq_state_load(device->bridge, state, (size_t)length);
}
