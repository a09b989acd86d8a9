/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_device.h: bridge, network and decision of this bundle behind plain calls, for Java, Kotlin and Swift.
 *
 * One device is one wearer and belongs to one thread. Unlike the core it allocates, once, when it is made. Every array
 * comes with its length and nothing beyond it is touched: one that is too short gives MMQ_TOO_SMALL. What returns
 * int32_t without further words returns an mmq_status_t.
 */
#ifndef MMQ_DEVICE_H
#define MMQ_DEVICE_H

#include "mmq_decision.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmq_device mmq_device_t;

/* A device, or NULL without memory or where display_s is not 0 to 3600: what is shown of decisions is their average over
 * so many seconds. mmq_device_free(NULL) does nothing. */
mmq_device_t *mmq_device_create(double display_s);
void mmq_device_free(mmq_device_t *device);

/* What a status says, as mmq_status_sentence(). */
const char *mmq_device_sentence(int32_t status);

/* Sizes of a window: T tokens, F features, M modalities, and the seconds of one token. */
int32_t mmq_device_tokens(void);
int32_t mmq_device_features(void);
int32_t mmq_device_modalities(void);
float mmq_device_token_s(void);

/* The number of a modality by its name ("ppg", "eda", ...), or -1; the name of a number, or NULL; and how many channels
 * it has, or 0. */
int32_t mmq_device_modality(const char *name);
const char *mmq_device_name(int32_t modality);
int32_t mmq_device_channels(int32_t modality);
float mmq_device_rate_hz(int32_t modality); /* how many frames a second it takes; 0 for what is none */

/* As the functions of mmq_bridge.h; `length` counts elements. samples [channels][frames], features [F] or [T][F],
 * presence [M] or [T][M], reasons [M]. */
int32_t mmq_device_push(mmq_device_t *device, int32_t modality, const float *samples, int64_t length, int32_t frames,
                        double time_s);
int32_t mmq_device_push_counted(mmq_device_t *device, int32_t modality, const float *samples, int64_t length,
                                int32_t frames, uint32_t first_sample_index);
/* One frame [channels] of a sensor with a rate of its own, taken at time_s: what the model's rate wants is interpolated
 * between it and the frame before. Where they lie further apart than a token nothing is: that is a gap. A sensor comes
 * either by this or by the pushes above. MMQ_LATE: it is older than the one before and was left out. */
int32_t mmq_device_sample(mmq_device_t *device, int32_t modality, const float *frame, int64_t length, double time_s);
int32_t mmq_device_lead_off(mmq_device_t *device, int32_t modality, uint64_t off);
int32_t mmq_device_advance(mmq_device_t *device, double time_s);
int64_t mmq_device_closed(const mmq_device_t *device);
int32_t mmq_device_token(mmq_device_t *device, float *features, int64_t length, uint8_t *presence,
                         int64_t presence_length);
int32_t mmq_device_window(const mmq_device_t *device, float *features, int64_t length, float *presence,
                          int64_t presence_length);
int32_t mmq_device_reasons(const mmq_device_t *device, int64_t token, uint16_t *reasons, int64_t length);

/* Tasks of the model, their names, and how many classes each has; the names of those. -1, NULL or 0 for what is none. */
int32_t mmq_device_tasks(void);
const char *mmq_device_task(int32_t task);
int32_t mmq_device_classes(int32_t task);
const char *mmq_device_class(int32_t task, int32_t number);

/* Make the next decision that is due, by the C network (mmq_network.c); MMQ_NO_TOKEN where there is none: call until then
 * after every push. MMQ_NO_NETWORK: this was built with MMQ_WITH_LITERT, which leaves the C network out. */
int32_t mmq_device_step(mmq_device_t *device);

/* The same in two halves, for who runs the network by an interpreter, on the phone's accelerator. The next decision that
 * is due (mmq_decision.h), MMQ_NO_TOKEN where there is none: ask until then after every push. Where its abstention is MMQ_DECIDED the model is to be run on mmq_device_due_window(), and mmq_device_decide() finishes
 * it with the logits of one task after the other; anything else is the decision already. */
int32_t mmq_device_due(mmq_device_t *device);
int32_t mmq_device_due_window(const mmq_device_t *device, float *features, int64_t length, float *presence,
                              int64_t presence_length);
int32_t mmq_device_decide(mmq_device_t *device, const float *logits, int64_t length);

/* The newest decision: the end of its window in s; why it abstains (mmq_abstention_t), and that in words. `shown` 0: as it
 * was made, 1: as it is shown, averaged over the display's seconds. */
double mmq_device_time_s(const mmq_device_t *device);
int32_t mmq_device_abstention(const mmq_device_t *device, int32_t shown);
const char *mmq_device_abstention_name(int32_t abstention);

/* Why it abstains as a sentence with its numbers, "enrolling (3 of 12 tokens measured)", as Python says it; "" where it
 * does not. Returns MMQ_TOO_SMALL where `text` cannot hold it: MMQ_DEVICE_REASON_BYTES always can. */
#define MMQ_DEVICE_REASON_BYTES 160
int32_t mmq_device_reason(const mmq_device_t *device, char *text, int64_t length);

/* The share of its window's tokens in which a modality was present, and why that is absent from the newest one: MMQ_WHY_*
 * bits, 0 where it is present; 0 of what is none. The name of the lowest bit ("flat"), or "". */
float mmq_device_present(const mmq_device_t *device, int32_t modality);
int32_t mmq_device_why(const mmq_device_t *device, int32_t modality);
const char *mmq_device_why_name(int32_t reasons);

/* Its probabilities, one task after the other; returns how many there are, 0 where the model was not run or `p` is too
 * short. The likeliest class of a task, and whether that reaches the task's threshold; -1 and 0 where there is none. */
int32_t mmq_device_probabilities(const mmq_device_t *device, int32_t shown, float *p, int64_t length);
int32_t mmq_device_best(const mmq_device_t *device, int32_t shown, int32_t task);
int32_t mmq_device_sure(const mmq_device_t *device, int32_t shown, int32_t task);

/* Which sensor would help this undecided decision most, of those that `can` be switched on (bit m), by the table of
 * `mmq-tf export --next-sensor`; -1 where none would, or the bundle has no table. Simulated on validation people. */
int32_t mmq_device_next_sensor(const mmq_device_t *device, uint32_t can);

/* Which sensors it knows too little of the wearer for: named [M] is 1 where a token of the window was normalised by the
 * population, as front ends from version 3 on can tell. A decision should say so: "not enrolled: ppg". */
int32_t mmq_device_not_enrolled(const mmq_device_t *device, uint8_t *named, int64_t length);

/* What the wearer taught, to outlive the app: mmq_device_state_bytes() bytes. It is loaded before the first push, all
 * `length` bytes of it; see mmq_state_load() for what is refused. */
int32_t mmq_device_state_bytes(void);
int32_t mmq_device_save(const mmq_device_t *device, uint8_t *state, int64_t length);
int32_t mmq_device_load(mmq_device_t *device, const uint8_t *state, int64_t length);

#ifdef __cplusplus
}
#endif
#endif
