/* SPDX-License-Identifier: Apache-2.0 */
/* A thread plays the interrupt: every frame arrives once, whole and in order, or is counted as lost. */
#include "mmq_sensor_queue.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#define FRAMES 50000u
#define LOSE_EVERY 1000u
#define END (-1.0f)

MMQ_SENSOR_QUEUE(queue, 3, 64);
static uint32_t refused; /* the thread's own until it is joined */

/* Frame i holds i, -i and i again: a torn one shows. */
static uint32_t put(float value, uint32_t ticks) {
    const float frame[3] = {value, -value, value};
    return mmq_sensor_queue_put(&queue, frame, ticks);
}

static void *interrupt(void *unused) {
    for (uint32_t i = 0; i < FRAMES; i++) {
        if (i % LOSE_EVERY == 0) {
            mmq_sensor_queue_lose(&queue, 1);
            refused++;
        } else if (!put((float)i, ~i)) {
            refused++;
            if (i % 7u == 0) sched_yield();
        }
    }
    for (; !put(END, 0); sched_yield()) refused++;
    return unused;
}

int main(void) {
    pthread_t thread;
    uint32_t taken = 0, wrong = 0, ended = 0;
    if (pthread_create(&thread, NULL, interrupt, NULL)) return 2;
    while (!ended) {
        float samples[3 * 17];
        mmq_frame_mark_t first;
        const uint32_t n = mmq_sensor_queue_take(&queue, samples, 17, &first);
        if (!n) sched_yield();
        ended = n && samples[n - 1] == END;
        for (uint32_t i = 0; i < n - ended; i++) {
            const float wanted = (float)(first.index + i);
            wrong += samples[i] != wanted || samples[n + i] != -wanted || samples[2 * n + i] != wanted;
        }
        if (n > ended && first.ticks != ~first.index) wrong++;
        taken += n;
    }
    if (pthread_join(thread, NULL)) return 2;
    printf("%u %u %u %u %u\n", taken, queue.lost, refused, queue.offered, wrong);
    return 0;
}
