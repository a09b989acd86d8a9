/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_inference.h: run a deployed int8 network: the bits of TFLite Micro's reference kernels on every machine.
 *
 * A network is a constant table, written as C by `mmq-tf export` (mmq_network.c/.h of a bundle), or read from a bundle's
 * mmq_network.bin (see mmq_plan.h). Usage:
 *     static uint32_t memory[MMQ_NETWORK_ARENA_BYTES / 4];
 *     int8_t *arena = (int8_t *)memory;
 *     mmq_bridge_window_i8(bridge, arena + MMQ_NETWORK_FEATURES_AT, arena + MMQ_NETWORK_PRESENCE_AT);
 *     mmq_network_run(&mmq_network, arena, sizeof memory);
 *     logit = (arena[MMQ_NETWORK_STRESS_AT + class] - zero_point) * scale;    // of mmq_network.outputs[0]
 *
 * The inputs lie in the arena and are overwritten: write them anew before each run. The outputs stay until the next.
 * C99, integers only, no allocation, no recursion. Networks are constant: one may run in several arenas at once. */
#ifndef MMQ_INFERENCE_H
#define MMQ_INFERENCE_H

#include "mmq_bridge.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MMQ_NETWORK_ALIGNMENT 4u /* of an arena, in bytes */
#define MMQ_NETWORK_MAX_TENSORS 16u /* inputs, and outputs */

/* A tensor in the arena that whoever runs the network writes or reads: number = (q - zero_point) * scale. */
typedef struct {
    const char *name; /* an input's: "features", "presence"; an output's: its task */
    uint32_t at;      /* where it begins in the arena, in bytes */
    uint32_t count;   /* how many int8 it has */
    float scale;
    int32_t zero_point;
} mmq_tensor_t;

/* One operation: does rows first to first + count - 1 of its work. Parameters are constant; see mmq_kernels.h. */
typedef void (*mmq_kernel_t)(const void *parameters, int8_t *arena, uint32_t first, uint32_t count);
typedef struct {
    mmq_kernel_t run;
    const void *parameters;
} mmq_operation_t;

/* Operations that are done together, `strip` rows at a time: what lies between them needs so many rows of memory. */
typedef struct {
    uint16_t operations; /* how many; they follow those of the group before */
    uint16_t rows;
    uint16_t strip;
    uint32_t cost; /* of a strip: about so many instructions on a Cortex-M without DSP extension */
} mmq_group_t;

typedef struct {
    uint32_t arena_bytes;
    uint32_t n_inputs, n_outputs, n_groups;
    const mmq_tensor_t *inputs, *outputs;
    const mmq_group_t *groups;
    const mmq_operation_t *operations;
} mmq_network_t;

/* How far a run is. All 0: nothing is done yet. */
typedef struct {
    uint32_t group, operation, row;
} mmq_network_state_t;

/* Run the whole network in an arena of at least network->arena_bytes.
 * Errors: MMQ_NULL, MMQ_TOO_SMALL, MMQ_UNALIGNED (the arena must be aligned to MMQ_NETWORK_ALIGNMENT). */
mmq_status_t mmq_network_run(const mmq_network_t *network, int8_t *arena, size_t arena_bytes);

/* Do a part of a run: strips while together they cost no more than `budget`, but at least one, so that a control loop
 * is never held up for longer than mmq_network_longest() or the budget says. Begin with a state of zeros and the inputs
 * in the arena; call again while it returns MMQ_BUSY, and leave the arena alone meanwhile. With MMQ_OK the outputs
 * are there and the state is zeros again. The bits do not depend on the slices.
 * Errors: as above; MMQ_BAD_STATE when the state is none of this network. */
mmq_status_t mmq_network_run_slice(const mmq_network_t *network, mmq_network_state_t *state, int8_t *arena,
                                   size_t arena_bytes, uint32_t budget);

/* A network as mmq_step() of mmq_decision.h calls one: runner.run = mmq_network_job, runner.context = &job. With a budget
 * each call does a slice. The window is copied into the arena unless it lies there already (runner.features = arena +
 * MMQ_NETWORK_FEATURES_AT, ...), so that no further memory is needed for it. `state` begins as zeros. */
typedef struct {
    const mmq_network_t *network;
    int8_t *arena;
    size_t arena_bytes;
    uint32_t budget; /* 0: the whole at once */
    mmq_network_state_t state;
} mmq_network_job_t;

/* 0 when the logits of all outputs, one after the other, are there; 1 when there is more to do; -1 on an error. */
int mmq_network_job(void *job, const int8_t *features, const int8_t *presence, int8_t *logits);

/* The cost of the longest strip, and of the whole network; 0 when it is NULL. */
uint32_t mmq_network_longest(const mmq_network_t *network);
uint32_t mmq_network_cost(const mmq_network_t *network);

#ifdef __cplusplus
}
#endif
#endif
