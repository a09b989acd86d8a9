/* SPDX-License-Identifier: Apache-2.0 */
/* sensor_queue.c: one producer, one consumer, and what the queue could not hold as lost samples. */
#include "mmq_sensor_queue.h"

#include "mmq_bits.h"

#include <string.h>

#ifndef MMQ_LOAD_ACQUIRE
#if defined(__GNUC__) || defined(__clang__)
#define MMQ_LOAD_ACQUIRE(place) __atomic_load_n((place), __ATOMIC_ACQUIRE)
#define MMQ_STORE_RELEASE(place, value) __atomic_store_n((place), (value), __ATOMIC_RELEASE)
#elif defined(_MSC_VER)
#include <intrin.h>
#define MMQ_LOAD_ACQUIRE(place) ((uint32_t)_InterlockedOr((volatile long *)(place), 0))
#define MMQ_STORE_RELEASE(place, value) ((void)_InterlockedExchange((volatile long *)(place), (long)(value)))
#else
#error "sensor_queue.c: define MMQ_LOAD_ACQUIRE and MMQ_STORE_RELEASE for this compiler, see mmq_sensor_queue.h"
#endif
#endif

mmq_status_t mmq_sensor_queue_init(mmq_sensor_queue_t *queue, float *samples, mmq_frame_mark_t *marks,
                                   uint32_t frames, uint32_t channels) {
    if (!queue || !samples || !marks) return MMQ_NULL;
    if (!channels || !frames || (frames & (frames - 1u))) return MMQ_TOO_SMALL;
    memset(queue, 0, sizeof *queue);
    queue->samples = samples;
    queue->marks = marks;
    queue->frames = frames;
    queue->channels = channels;
    return MMQ_OK;
}

uint32_t mmq_sensor_queue_put(mmq_sensor_queue_t *queue, const float *frame, uint32_t ticks) {
    uint32_t place;
    if (!queue || !frame) return 0;
    place = queue->put & (queue->frames - 1u);
    if (queue->put - MMQ_LOAD_ACQUIRE(&queue->taken) >= queue->frames) {
        queue->offered++;
        return 0;
    }
    memcpy(queue->samples + (size_t)place * queue->channels, frame, queue->channels * sizeof *frame);
    queue->marks[place].index = queue->offered++;
    queue->marks[place].ticks = ticks;
    MMQ_STORE_RELEASE(&queue->put, queue->put + 1u);
    return 1;
}

void mmq_sensor_queue_lose(mmq_sensor_queue_t *queue, uint32_t frames) {
    if (queue) queue->offered += frames;
}

uint32_t mmq_sensor_queue_oldest(const mmq_sensor_queue_t *queue, mmq_frame_mark_t *mark) {
    if (!queue || !mark || MMQ_LOAD_ACQUIRE(&queue->put) == queue->taken) return 0;
    *mark = queue->marks[queue->taken & (queue->frames - 1u)];
    return 1;
}

/* How many of the frames that wait follow the oldest without a loss, `most` at most. */
static uint32_t in_a_row(const mmq_sensor_queue_t *queue, uint32_t waiting, uint32_t most) {
    const uint32_t first = queue->marks[queue->taken & (queue->frames - 1u)].index;
    uint32_t n = 0;
    if (most > waiting) most = waiting;
    while (n < most && queue->marks[(queue->taken + n) & (queue->frames - 1u)].index - first == n) n++;
    return n;
}

uint32_t mmq_sensor_queue_take(mmq_sensor_queue_t *queue, float *samples, uint32_t capacity, mmq_frame_mark_t *first) {
    uint32_t waiting, n;
    if (!queue || !samples || !first || !capacity) return 0;
    waiting = MMQ_LOAD_ACQUIRE(&queue->put) - queue->taken;
    if (!waiting) return 0;
    *first = queue->marks[queue->taken & (queue->frames - 1u)];
    n = in_a_row(queue, waiting, capacity);
    for (uint32_t i = 0; i < n; i++) {
        const float *frame = queue->samples + (size_t)((queue->taken + i) & (queue->frames - 1u)) * queue->channels;
        for (uint32_t c = 0; c < queue->channels; c++) samples[(size_t)c * n + i] = frame[c];
    }
    queue->lost += first->index - queue->next;
    queue->next = first->index + n;
    MMQ_STORE_RELEASE(&queue->taken, queue->taken + n);
    return n;
}
