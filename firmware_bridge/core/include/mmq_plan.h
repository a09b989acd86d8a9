/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_plan.h: a network from the bytes of mmq_network.bin, for whoever cannot compile one: Python, browsers, gateways.
 * It draws in every kernel; firmware links the generated mmq_network.c instead.
 *
 *     size_t need = mmq_plan_size(bytes, size);            // 0 when it is no plan
 *     mmq_plan_load(bytes, size, memory, need, &network);  // bytes and memory are kept while it is used
 *
 * Nothing of a plan is trusted: every size, place and number is checked before anything runs, so that no plan, whatever
 * its bytes, makes a kernel leave its arena, its constants or the range of its arithmetic. */
#ifndef MMQ_PLAN_H
#define MMQ_PLAN_H

#include "mmq_inference.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MMQ_PLAN_VERSION 2u
#define MMQ_PLAN_MAX_BYTES (1u << 26)
#define MMQ_PLAN_MAX_ARENA (1u << 24)
#ifndef MMQ_PLAN_MAX_WORK
#define MMQ_PLAN_MAX_WORK (1ull << 32) /* elements that kernels touch, all operations together */
#endif

/* Bytes of memory mmq_plan_load() needs; 0 when the bytes are no plan of this version or are cut short. */
size_t mmq_plan_size(const void *bytes, size_t size);

/* Read a plan. `bytes` must be aligned to 4, `memory` as a pointer is.
 * Errors: MMQ_NULL, MMQ_UNALIGNED, MMQ_TOO_SMALL (memory), MMQ_BAD_PLAN (also on a big-endian machine: plans are
 * little-endian). On error *network is NULL. */
mmq_status_t mmq_plan_load(const void *bytes, size_t size, void *memory, size_t memory_size,
                           const mmq_network_t **network);

#ifdef __cplusplus
}
#endif
#endif
