/* SPDX-License-Identifier: Apache-2.0 */
/* network_runs.h: networks on many windows: a hash of all outputs. The networks are written by the build. */
#ifndef MMQ_NETWORK_RUNS_H
#define MMQ_NETWORK_RUNS_H

#include "mmq_inference.h"

typedef struct {
    const char *name;
    const mmq_network_t *network;
    const int8_t *golden; /* windows: the inputs in the network's order */
    uint32_t n_golden, n_drawn;
} network_run_t;

/* Fill the inputs with a drawn window: uniformly random, extremes, presence in parts, nothing present. `state` is
 * xorshift32's; any number but 0 begins. */
void network_draw(const mmq_network_t *network, uint32_t number, uint32_t *state, int8_t *arena);

/* FNV-1a (64 bit) of the outputs of all windows, every third run in slices; 0 when a run failed. */
uint64_t network_hash(const network_run_t *run, int8_t *arena, size_t arena_bytes);

/* "NAME windows=N hash=H" into a line of NETWORK_LINE bytes. */
#define NETWORK_LINE 96u
void network_line(const network_run_t *run, uint64_t hash, char *line);

#endif
