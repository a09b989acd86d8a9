/* ring.c: a ring of floats, and the straight line through what it holds. */
#include "mmq_internal.h"

#include <math.h>

void mmq_ring_layout(mmq_ring_t *ring, mmq_arena_t *arena, uint32_t capacity) {
    float *at = mmq_arena_take(arena, capacity, sizeof(float));
    if (!ring) return; /* only counting */
    ring->at = at;
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

float mmq_ring_line(const mmq_ring_t *ring, float *deviation) {
    const float n = (float)ring->count, middle = 0.5f * (n - 1.0f), first = mmq_ring_get(ring, 0);
    float slope = 0.0f, mean = 0.0f, square = 0.0f;
    for (uint32_t i = 0; i < ring->count; i++) {
        const float x = mmq_ring_get(ring, i);
        slope += ((float)i - middle) * (x - first);
        mean += x;
    }
    slope /= n * (n * n - 1.0f) / 12.0f;
    mean /= n;
    for (uint32_t i = 0; i < ring->count; i++) {
        const float rest = mmq_ring_get(ring, i) - mean - slope * ((float)i - middle);
        square += rest * rest;
    }
    *deviation = sqrtf(square / n);
    return slope;
}
