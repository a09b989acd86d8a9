/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_device.h: the bridge of this bundle behind plain calls, for Java, Kotlin and Swift.
 *
 * One device is one wearer and belongs to one thread. Unlike the core it allocates, once, when it is made. Every array
 * comes with its length and nothing beyond it is touched: one that is too short gives MMQ_TOO_SMALL. What returns
 * int32_t without further words returns an mmq_status_t.
 */
#ifndef MMQ_DEVICE_H
#define MMQ_DEVICE_H

#include "mmq_bridge.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmq_device mmq_device_t;

/* A device, or NULL without memory. mmq_device_free(NULL) does nothing. */
mmq_device_t *mmq_device_create(void);
void mmq_device_free(mmq_device_t *device);

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

/* As the functions of mmq_bridge.h; `length` counts elements. samples [channels][frames], features [F] or [T][F],
 * presence [M] or [T][M], reasons [M]. */
int32_t mmq_device_push(mmq_device_t *device, int32_t modality, const float *samples, int64_t length, int32_t frames,
                        double time_s);
int32_t mmq_device_push_counted(mmq_device_t *device, int32_t modality, const float *samples, int64_t length,
                                int32_t frames, uint32_t first_sample_index);
int32_t mmq_device_lead_off(mmq_device_t *device, int32_t modality, uint64_t off);
int32_t mmq_device_advance(mmq_device_t *device, double time_s);
int64_t mmq_device_closed(const mmq_device_t *device);
int32_t mmq_device_token(mmq_device_t *device, float *features, int64_t length, uint8_t *presence,
                         int64_t presence_length);
int32_t mmq_device_window(const mmq_device_t *device, float *features, int64_t length, float *presence,
                          int64_t presence_length);
int32_t mmq_device_reasons(const mmq_device_t *device, int64_t token, uint16_t *reasons, int64_t length);

/* Which sensors the newest window knows too little of the wearer for: named [M] is 1 where a token of it was normalised
 * by the population, as front ends from version 3 on can tell; presence [T][M] is that of mmq_device_window(). A
 * decision on the window should say so: "not enrolled: ppg". */
int32_t mmq_device_not_enrolled(const mmq_device_t *device, const float *presence, int64_t presence_length,
                                uint8_t *named, int64_t length);

/* What the wearer taught, to outlive the app: mmq_device_state_bytes() bytes. It is loaded before the first push, all
 * `length` bytes of it; see mmq_state_load() for what is refused. */
int32_t mmq_device_state_bytes(void);
int32_t mmq_device_save(const mmq_device_t *device, uint8_t *state, int64_t length);
int32_t mmq_device_load(mmq_device_t *device, const uint8_t *state, int64_t length);

#ifdef __cplusplus
}
#endif
#endif
