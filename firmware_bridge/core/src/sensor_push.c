/* SPDX-License-Identifier: Apache-2.0 */
/* sensor_push.c: what waits in a queue goes into the bridge, counted or by time. */
#include "mmq_sensor_queue.h"

#include "mmq_internal.h"

/* Say that frames before time_s were lost. */
static mmq_status_t push_lost(mmq_bridge_t *bridge, uint32_t modality, float *scratch, uint32_t lost, double time_s) {
    const mmq_modality_t *spec = bridge->spec->modalities + modality;
    for (size_t i = 0; i < (size_t)lost * spec->channels; i++) scratch[i] = MMQ_NAN;
    return mmq_bridge_push(bridge, modality, scratch, lost, time_s - (double)lost / (double)spec->rate_hz);
}

/* Push what follows without a loss; *count how many, 0 when none waits. */
static mmq_status_t push_row(mmq_sensor_queue_t *queue, mmq_bridge_t *bridge, uint32_t modality, mmq_clock_t *clock,
                             float *scratch, uint32_t capacity, uint32_t *count) {
    mmq_status_t status = MMQ_OK, pushed;
    mmq_frame_mark_t first;
    double time_s = 0.0;
    if (clock) {
        uint32_t lost;
        *count = 0;
        if (!mmq_sensor_queue_oldest(queue, &first)) return MMQ_OK; /* what comes after this is for the next call */
        lost = first.index - queue->next;
        time_s = mmq_clock_s(clock, first.ticks);
        if (lost && lost <= capacity) status = push_lost(bridge, modality, scratch, lost, time_s);
    }
    *count = mmq_sensor_queue_take(queue, scratch, capacity, &first);
    if (!*count) return status;
    pushed = clock ? mmq_bridge_push(bridge, modality, scratch, *count, time_s)
                   : mmq_bridge_push_counted(bridge, modality, scratch, *count, first.index);
    return pushed == MMQ_OK ? status : pushed;
}

mmq_status_t mmq_sensor_queue_push(mmq_sensor_queue_t *queue, mmq_bridge_t *bridge, uint32_t modality,
                                   mmq_clock_t *clock, float *scratch, uint32_t capacity) {
    mmq_status_t status = MMQ_OK;
    uint32_t count = 1;
    if (!queue || !bridge || !scratch) return MMQ_NULL;
    if (!capacity) return MMQ_TOO_SMALL;
    if (modality >= bridge->spec->n_modalities) return MMQ_BAD_MODALITY;
    if (queue->channels != bridge->spec->modalities[modality].channels) return MMQ_BAD_MODALITY;
    for (uint32_t done = 0; count && done < queue->frames; done += count) {
        const mmq_status_t pushed = push_row(queue, bridge, modality, clock, scratch, capacity, &count);
        if (pushed != MMQ_OK) status = pushed;
    }
    return status;
}
