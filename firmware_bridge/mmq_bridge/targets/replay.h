/* SPDX-License-Identifier: Apache-2.0 */
/* replay.h: run a bridge over a script of pushes and hash every bit that comes out.
 *
 * A script is little-endian: for each operation a head of 16 bytes
 *     uint32 operation (REPLAY_*) * 2^24 + modality, uint32 frames, then
 *     push, advance: double time_s        lead off: uint64 mask        counted push: uint64 first sample's index
 * and, for a push of either kind, float32 samples [channels][frames].
 */
#ifndef MMQ_REPLAY_H
#define MMQ_REPLAY_H

#include "mmq_decision.h"
#include "mmq_inference.h"

enum { REPLAY_PUSH = 0, REPLAY_LEAD_OFF = 1, REPLAY_ADVANCE = 2, REPLAY_COUNTED = 3 };

/* FNV-1a (64 bit) over the little-endian bit patterns, in order of appearance. */
typedef struct {
    uint32_t tokens, windows, state_bytes;
    uint64_t raw;      /* features of every token before normalisation, NaN included */
    uint64_t features; /* the same as the model sees them */
    uint64_t presence; /* every call's status, every token's number, presence and reasons */
    uint64_t int8;     /* every window's quantised features and presence */
    uint64_t saved;    /* the state that was saved at the end; features after it was loaded; the state after those */
    uint64_t decisions; /* every decision, the network run in slices, and what is shown; of a made-up model also corrected
                         * by the head */
    uint64_t head;     /* a personal head, every window marked: what it learns and corrects; its saved state */
} replay_result_t;

/* One vector of vectors.h, which the build writes. */
typedef struct {
    const char *name;
    const mmq_spec_t *(*spec)(void);
    const mmq_head_t *(*head)(void);
    const mmq_network_t *network; /* a deployed one; NULL: a made-up model decides */
    const mmq_rules_t *rules;     /* of the deployed one */
} replay_vector_t;

/* Give up to `bytes` bytes of the script; how many there were. */
typedef size_t (*replay_read_t)(void *stream, void *to, size_t bytes);

/* Run the script three times: raw, as the spec normalises, and so once more in a bridge that has loaded what the one
 * before had saved. `again` goes back to its beginning.
 * NULL, or what went wrong. */
const char *replay(const replay_vector_t *vector, replay_read_t read, void (*again)(void *stream), void *stream,
                   replay_result_t *result);

/* "NAME tokens=.. windows=.. raw=.. features=.. presence=.. int8=.. saved=.. head=.. decisions=.. bytes=.." */
#define REPLAY_LINE 288
void replay_line(const char *name, const replay_result_t *result, char line[REPLAY_LINE]);

#endif
