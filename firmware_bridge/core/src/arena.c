/* arena.c: hand out aligned pieces of the caller's memory. */
#include "mmq_internal.h"

void *mmq_arena_take(mmq_arena_t *arena, size_t count, size_t size) {
    const size_t bytes = (count * size + 7u) & ~(size_t)7u;
    void *place = arena->base ? arena->base + arena->used : NULL;
    arena->used += bytes;
    return place;
}

void mmq_ring_put(mmq_ring_t *ring, float x) {
    ring->at[ring->next] = x;
    ring->next = ring->next + 1u == ring->capacity ? 0u : ring->next + 1u;
    if (ring->count < ring->capacity) ring->count++;
}

float mmq_ring_get(const mmq_ring_t *ring, uint32_t i) {
    uint32_t place = ring->next + ring->capacity - ring->count + i;
    while (place >= ring->capacity) place -= ring->capacity;
    return ring->at[place];
}

float mmq_ring_mean(const mmq_ring_t *ring) {
    float sum = 0.0f;
    for (uint32_t i = 0; i < ring->count; i++) sum += mmq_ring_get(ring, i);
    return sum / (float)ring->count;
}
