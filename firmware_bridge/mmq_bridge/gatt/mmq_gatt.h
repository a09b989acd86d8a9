/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_gatt.h: decisions, presence and state as the bytes of Bluetooth LE characteristics. Written by
 * `python -m mmq_bridge.gatt.source` from profile.json; do not edit. Numbers are little-endian; what has a
 * _SCALE is value * scale. */
#ifndef MMQ_GATT_H
#define MMQ_GATT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MMQ_GATT_VERSION 1u
#define MMQ_GATT_SERVICE "2e31f500-bc2c-4e54-ab2b-225edf7266da"

/* One task of one decision; a decision about several tasks is told task by task. */
#define MMQ_GATT_DECISION "2e31f501-bc2c-4e54-ab2b-225edf7266da"
#define MMQ_GATT_DECISION_BYTES 15u
#define MMQ_GATT_DECISION_CONFIDENCE_SCALE 65535u
#define MMQ_GATT_DECISION_PRESENT_SHARE_SCALE 255u
typedef struct {
    uint8_t task; /* which task, as in mmq_rules.h */
    uint8_t abstention; /* mmq_abstention_t: 0 is a decision, anything else why there is none */
    uint8_t best; /* the likeliest class of the task */
    uint16_t confidence; /* its probability; 0 where the network was not run */
    uint32_t time_s; /* end of the window, whole seconds after the device's second 0 */
    uint16_t tokens_left; /* enrolling, filling: so many tokens at least must still come */
    uint8_t present_share; /* of all sensors' tokens in the window */
    uint16_t not_enrolled; /* mask of the sensors that were normalised by the population */
} mmq_gatt_decision_t;

/* Write MMQ_GATT_DECISION_BYTES. */
static inline void mmq_gatt_put_decision(const mmq_gatt_decision_t *message, uint8_t *bytes) {
    bytes[0] = MMQ_GATT_VERSION;
    bytes[1] = (uint8_t)(message->task >> 0);
    bytes[2] = (uint8_t)(message->abstention >> 0);
    bytes[3] = (uint8_t)(message->best >> 0);
    bytes[4] = (uint8_t)(message->confidence >> 0);
    bytes[5] = (uint8_t)(message->confidence >> 8);
    bytes[6] = (uint8_t)(message->time_s >> 0);
    bytes[7] = (uint8_t)(message->time_s >> 8);
    bytes[8] = (uint8_t)(message->time_s >> 16);
    bytes[9] = (uint8_t)(message->time_s >> 24);
    bytes[10] = (uint8_t)(message->tokens_left >> 0);
    bytes[11] = (uint8_t)(message->tokens_left >> 8);
    bytes[12] = (uint8_t)(message->present_share >> 0);
    bytes[13] = (uint8_t)(message->not_enrolled >> 0);
    bytes[14] = (uint8_t)(message->not_enrolled >> 8);
}

/* 1, or 0 when it is too short or of another version; what follows is of a later one. */
static inline int mmq_gatt_get_decision(mmq_gatt_decision_t *message, const uint8_t *bytes, size_t size) {
    if (size < MMQ_GATT_DECISION_BYTES || bytes[0] != MMQ_GATT_VERSION) return 0;
    message->task = (uint8_t)((uint32_t)bytes[1] << 0);
    message->abstention = (uint8_t)((uint32_t)bytes[2] << 0);
    message->best = (uint8_t)((uint32_t)bytes[3] << 0);
    message->confidence = (uint16_t)((uint32_t)bytes[4] << 0 | (uint32_t)bytes[5] << 8);
    message->time_s = (uint32_t)((uint32_t)bytes[6] << 0 | (uint32_t)bytes[7] << 8 | (uint32_t)bytes[8] << 16 | (uint32_t)bytes[9] << 24);
    message->tokens_left = (uint16_t)((uint32_t)bytes[10] << 0 | (uint32_t)bytes[11] << 8);
    message->present_share = (uint8_t)((uint32_t)bytes[12] << 0);
    message->not_enrolled = (uint16_t)((uint32_t)bytes[13] << 0 | (uint32_t)bytes[14] << 8);
    return 1;
}

/* One sensor in the newest window. */
#define MMQ_GATT_PRESENCE "2e31f502-bc2c-4e54-ab2b-225edf7266da"
#define MMQ_GATT_PRESENCE_BYTES 10u
#define MMQ_GATT_PRESENCE_PRESENT_SHARE_SCALE 255u
typedef struct {
    uint8_t sensor; /* its number, as in mmq_spec.h */
    uint8_t kind; /* mmq_kind_t: 0 eeg, 1 ecg, 2 ppg, ... */
    uint8_t present_share; /* share of the window's tokens in which it was present */
    uint16_t reasons; /* MMQ_WHY_*: why it is absent from the newest token, 0 where it is present */
    uint32_t time_s; /* end of the window */
} mmq_gatt_presence_t;

/* Write MMQ_GATT_PRESENCE_BYTES. */
static inline void mmq_gatt_put_presence(const mmq_gatt_presence_t *message, uint8_t *bytes) {
    bytes[0] = MMQ_GATT_VERSION;
    bytes[1] = (uint8_t)(message->sensor >> 0);
    bytes[2] = (uint8_t)(message->kind >> 0);
    bytes[3] = (uint8_t)(message->present_share >> 0);
    bytes[4] = (uint8_t)(message->reasons >> 0);
    bytes[5] = (uint8_t)(message->reasons >> 8);
    bytes[6] = (uint8_t)(message->time_s >> 0);
    bytes[7] = (uint8_t)(message->time_s >> 8);
    bytes[8] = (uint8_t)(message->time_s >> 16);
    bytes[9] = (uint8_t)(message->time_s >> 24);
}

/* 1, or 0 when it is too short or of another version; what follows is of a later one. */
static inline int mmq_gatt_get_presence(mmq_gatt_presence_t *message, const uint8_t *bytes, size_t size) {
    if (size < MMQ_GATT_PRESENCE_BYTES || bytes[0] != MMQ_GATT_VERSION) return 0;
    message->sensor = (uint8_t)((uint32_t)bytes[1] << 0);
    message->kind = (uint8_t)((uint32_t)bytes[2] << 0);
    message->present_share = (uint8_t)((uint32_t)bytes[3] << 0);
    message->reasons = (uint16_t)((uint32_t)bytes[4] << 0 | (uint32_t)bytes[5] << 8);
    message->time_s = (uint32_t)((uint32_t)bytes[6] << 0 | (uint32_t)bytes[7] << 8 | (uint32_t)bytes[8] << 16 | (uint32_t)bytes[9] << 24);
    return 1;
}

/* The device: may also be read. */
#define MMQ_GATT_STATE "2e31f503-bc2c-4e54-ab2b-225edf7266da"
#define MMQ_GATT_STATE_BYTES 13u
typedef struct {
    uint8_t tasks; /* how many the model has */
    uint8_t sensors; /* how many it reads */
    uint16_t enrolment_left; /* tokens the enrolment still lasts; 0 when it is over */
    uint32_t time_s; /* now */
    uint32_t model; /* the first 4 bytes of the model's SHA-256, the first byte the highest */
} mmq_gatt_state_t;

/* Write MMQ_GATT_STATE_BYTES. */
static inline void mmq_gatt_put_state(const mmq_gatt_state_t *message, uint8_t *bytes) {
    bytes[0] = MMQ_GATT_VERSION;
    bytes[1] = (uint8_t)(message->tasks >> 0);
    bytes[2] = (uint8_t)(message->sensors >> 0);
    bytes[3] = (uint8_t)(message->enrolment_left >> 0);
    bytes[4] = (uint8_t)(message->enrolment_left >> 8);
    bytes[5] = (uint8_t)(message->time_s >> 0);
    bytes[6] = (uint8_t)(message->time_s >> 8);
    bytes[7] = (uint8_t)(message->time_s >> 16);
    bytes[8] = (uint8_t)(message->time_s >> 24);
    bytes[9] = (uint8_t)(message->model >> 0);
    bytes[10] = (uint8_t)(message->model >> 8);
    bytes[11] = (uint8_t)(message->model >> 16);
    bytes[12] = (uint8_t)(message->model >> 24);
}

/* 1, or 0 when it is too short or of another version; what follows is of a later one. */
static inline int mmq_gatt_get_state(mmq_gatt_state_t *message, const uint8_t *bytes, size_t size) {
    if (size < MMQ_GATT_STATE_BYTES || bytes[0] != MMQ_GATT_VERSION) return 0;
    message->tasks = (uint8_t)((uint32_t)bytes[1] << 0);
    message->sensors = (uint8_t)((uint32_t)bytes[2] << 0);
    message->enrolment_left = (uint16_t)((uint32_t)bytes[3] << 0 | (uint32_t)bytes[4] << 8);
    message->time_s = (uint32_t)((uint32_t)bytes[5] << 0 | (uint32_t)bytes[6] << 8 | (uint32_t)bytes[7] << 16 | (uint32_t)bytes[8] << 24);
    message->model = (uint32_t)((uint32_t)bytes[9] << 0 | (uint32_t)bytes[10] << 8 | (uint32_t)bytes[11] << 16 | (uint32_t)bytes[12] << 24);
    return 1;
}

#ifdef __cplusplus
}
#endif
#endif
