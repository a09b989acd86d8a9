/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_sensor_queue.h: samples from an interrupt (or a driver's thread) to the loop that owns the bridge.
 *
 * A push that ends a token runs a spectrum: never push from an interrupt. It puts frames into a queue, and the loop
 * pushes what has come:
 *     MMQ_SENSOR_QUEUE(ppg, 1, 64);                                         // 1 channel, 64 frames: a second at 64 Hz
 *     void ppg_interrupt(void) { mmq_sensor_queue_put(&ppg, &sample, timer_ticks()); }
 *
 *     static float scratch[64];
 *     mmq_sensor_queue_push(&ppg, bridge, MMQ_SPEC_PPG, &timer, scratch, 64);   // the loop, a few times a second
 *     while (mmq_step(&decider, &runner, &decision) == MMQ_OK) { ... }
 *
 * One producer, one consumer, a queue a sensor; no lock, nothing is allocated, neither side ever waits. When the queue
 * is full the new frame is lost and counted: the bridge learns of exactly so many lost samples.
 *
 * Memory order: the interrupt alone writes `put` and `offered`, the loop alone `taken`, `next` and `lost`. A frame is
 * written before `put` is stored with release order and read after it was loaded with acquire order; its place is used
 * again only after `taken` was stored with release and loaded with acquire order. So both sides may also run on two
 * cores. On one core this costs no instruction but, on some, a barrier. gcc, clang, Arm Compiler 6 and MSVC have these
 * built in; for another compiler define MMQ_LOAD_ACQUIRE(place) and MMQ_STORE_RELEASE(place, value) on its command line,
 * for naturally aligned uint32_t. */
#ifndef MMQ_SENSOR_QUEUE_H
#define MMQ_SENSOR_QUEUE_H

#include "mmq_bridge.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which frame, and when. */
typedef struct {
    uint32_t index; /* how many were put or lost before it; wraps around at 2^32 */
    uint32_t ticks; /* as it was put */
} mmq_frame_mark_t;

/* A queue; its fields are to be read, not written. */
typedef struct {
    float *samples;          /* [frames][channels] */
    mmq_frame_mark_t *marks; /* [frames] */
    uint32_t channels;
    uint32_t frames;  /* a power of two */
    uint32_t offered; /* frames that were put or lost: the next one's index */
    uint32_t put;     /* frames that were put, of these */
    uint32_t taken;   /* and of these taken */
    uint32_t next;    /* index after the last taken frame */
    uint32_t lost;    /* frames that the loop found to be lost, since the start */
} mmq_sensor_queue_t;

/* Define a static queue of `count` frames (a power of two, else it does not compile) of `width` channels. */
#define MMQ_SENSOR_QUEUE(name, width, count)                                                              \
    typedef char name##_frames_are_a_power_of_two[(count) > 0 && ((count) & ((count) - 1)) == 0 ? 1 : -1]; \
    static float name##_samples[(width) * (count)];                                                       \
    static mmq_frame_mark_t name##_marks[count];                                                          \
    static mmq_sensor_queue_t name = {name##_samples, name##_marks, (width), (count), 0, 0, 0, 0, 0}

/* The same at run time, in memory that the caller keeps: samples [frames][channels], marks [frames].
 * Errors: MMQ_NULL; MMQ_TOO_SMALL (frames is no power of two, or no channel). */
mmq_status_t mmq_sensor_queue_init(mmq_sensor_queue_t *queue, float *samples, mmq_frame_mark_t *marks,
                                   uint32_t frames, uint32_t channels);

/* Interrupt: put one frame, a sample of each channel (NaN for one that is lost), taken when a free-running counter
 * stood at `ticks` (any number where the loop passes no clock). Returns 1, or 0 when it is lost: the queue is full. */
uint32_t mmq_sensor_queue_put(mmq_sensor_queue_t *queue, const float *frame, uint32_t ticks);

/* Interrupt: so many frames were lost on the way, as a sensor's own overflow counter says. */
void mmq_sensor_queue_lose(mmq_sensor_queue_t *queue, uint32_t frames);

/* Loop: the mark of the oldest frame that waits. Returns 1, or 0 when none does. */
uint32_t mmq_sensor_queue_oldest(const mmq_sensor_queue_t *queue, mmq_frame_mark_t *mark);

/* Loop: take frames that follow each other without a loss, `capacity` at most: samples [channels][so many], and the
 * mark of the first. Returns how many; 0 when none waits. */
uint32_t mmq_sensor_queue_take(mmq_sensor_queue_t *queue, float *samples, uint32_t capacity, mmq_frame_mark_t *first);

/* Loop: push all that waits to a modality of the bridge that has as many channels. scratch [channels * capacity].
 *   clock  one mmq_clock_t a counter, for all queues whose frames bear its ticks: sensors that run on oscillators of
 *          their own are placed by time (mmq_bridge_push), losses of up to `capacity` frames as NaN;
 *          NULL where one oscillator paces all sensors: frames are counted (mmq_bridge_push_counted)
 * Comes back also where the interrupt never rests. Errors: MMQ_NULL, MMQ_TOO_SMALL (no capacity), MMQ_BAD_MODALITY (also one of
 * other channels), and the last of what the pushes say that is not MMQ_OK. */
mmq_status_t mmq_sensor_queue_push(mmq_sensor_queue_t *queue, mmq_bridge_t *bridge, uint32_t modality,
                                   mmq_clock_t *clock, float *scratch, uint32_t capacity);

#ifdef __cplusplus
}
#endif
#endif
