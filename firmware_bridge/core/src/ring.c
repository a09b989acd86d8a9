/* SPDX-License-Identifier: Apache-2.0 */
/* ring.c: a ring of floats. */
#include "mmq_internal.h"

void mmq_ring_layout(mmq_ring_t *ring, mmq_arena_t *arena, uint32_t capacity) {
    ring->at = mmq_arena_floats(arena, capacity);
    ring->capacity = capacity;
}

void mmq_ring_clear(mmq_ring_t *ring) {
    ring->count = 0;
    ring->next = 0;
}

void mmq_ring_put(mmq_ring_t *ring, float x) {
    ring->at[ring->next] = x;
    ring->next = ring->next + 1u == ring->capacity ? 0u : ring->next + 1u;
    if (ring->count < ring->capacity) ring->count++;
}

float mmq_ring_get(const mmq_ring_t *ring, uint32_t i) {
    const uint32_t place = ring->next + (ring->capacity - ring->count) + i; /* under twice the capacity */
    return ring->at[place < ring->capacity ? place : place - ring->capacity];
}
