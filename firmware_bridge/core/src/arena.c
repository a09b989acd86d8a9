/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c: hand out aligned pieces of the caller's memory. */
#include "mmq_internal.h"

void *mmq_arena_take(mmq_arena_t *arena, size_t count, size_t size) {
    const size_t bytes = (count * size + 7u) & ~(size_t)7u;
    void *place = arena->base ? arena->base + arena->used : NULL;
    arena->used += bytes;
    return place;
}

float *mmq_arena_floats(mmq_arena_t *arena, size_t count) { return mmq_arena_take(arena, count, sizeof(float)); }
