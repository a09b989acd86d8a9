/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_device.c: see mmq_device.h. The only file of an app that includes mmq_spec.h. */
#include "mmq_device.h"

#include <stdlib.h>
#include <string.h>

#include "mmq_spec.h"

struct mmq_device {
    mmq_bridge_t *bridge;
    uint64_t state[MMQ_SPEC_BYTES / 8 + 1];
};

static const char *const kind_names[MMQ_KINDS] = {"eeg", "ecg", "ppg", "eda", "temp", "acc", "eog", "emg", "resp"};

mmq_device_t *mmq_device_create(void) {
    mmq_device_t *device = calloc(1, sizeof *device);
    if (device && mmq_bridge_init(device->state, sizeof device->state, &mmq_spec, &device->bridge) != MMQ_OK) {
        free(device);
        return NULL;
    }
    return device;
}

void mmq_device_free(mmq_device_t *device) { free(device); }

int32_t mmq_device_tokens(void) { return MMQ_SPEC_TOKENS; }

int32_t mmq_device_features(void) { return MMQ_SPEC_FEATURES; }

int32_t mmq_device_modalities(void) { return MMQ_SPEC_MODALITIES; }

float mmq_device_token_s(void) { return mmq_spec.token_s; }

int32_t mmq_device_modality(const char *name) {
    for (int32_t i = 0; name && i < MMQ_SPEC_MODALITIES; i++) {
        if (strcmp(kind_names[mmq_spec.modalities[i].kind], name) == 0) return i;
    }
    return -1;
}

const char *mmq_device_name(int32_t modality) {
    if (modality < 0 || modality >= MMQ_SPEC_MODALITIES) return NULL;
    return kind_names[mmq_spec.modalities[modality].kind];
}

int32_t mmq_device_channels(int32_t modality) {
    if (modality < 0 || modality >= MMQ_SPEC_MODALITIES) return 0;
    return (int32_t)mmq_spec.modalities[modality].channels;
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

/* A modality's token was normalised by the population when fewer than enrolment_least had been present by its end; of
 * those present in the window the first had the fewest. */
int32_t mmq_device_not_enrolled(const mmq_device_t *device, const float *presence, int64_t presence_length,
                                uint8_t *named, int64_t length) {
    uint32_t measured[MMQ_SPEC_MODALITIES];
    int32_t status;
    if (!device || !presence || !named) return MMQ_NULL;
    if (presence_length < MMQ_SPEC_TOKENS * MMQ_SPEC_MODALITIES || length < MMQ_SPEC_MODALITIES) return MMQ_TOO_SMALL;
    status = (int32_t)mmq_bridge_enrolment(device->bridge, mmq_bridge_closed(device->bridge) - 1, measured, NULL, NULL);
    if (status != MMQ_OK) return status;
    for (uint32_t m = 0; m < MMQ_SPEC_MODALITIES; m++) {
        uint32_t seen = 0;
        for (uint32_t t = 0; t < MMQ_SPEC_TOKENS; t++) seen += presence[t * MMQ_SPEC_MODALITIES + m] > 0.0f;
        named[m] = mmq_spec.enrolment_least && seen && measured[m] + 1u < mmq_spec.enrolment_least + seen;
    }
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
