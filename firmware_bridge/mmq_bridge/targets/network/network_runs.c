/* SPDX-License-Identifier: Apache-2.0 */
#include "network_runs.h"

#include <string.h>

static uint32_t next(uint32_t *state) {
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

void network_draw(const mmq_network_t *network, uint32_t number, uint32_t *state, int8_t *arena) {
    const uint32_t rate = next(state) >> 24;
    for (uint32_t i = 0; i < network->n_inputs; i++) {
        const mmq_tensor_t *input = network->inputs + i;
        for (uint32_t k = 0; k < input->count; k++) {
            const uint32_t drawn = next(state) >> 24;
            int32_t value = (int32_t)drawn - 128;
            if (number % 4 == 1) value = drawn < 128 ? -128 : 127;
            if (i > 0 && number % 4 >= 2) value = drawn < rate ? -128 : 127;
            if (i > 0 && number % 16 == 7) value = -128;
            arena[input->at + k] = (int8_t)value;
        }
    }
}

static int run_once(const mmq_network_t *network, uint32_t number, int8_t *arena, size_t arena_bytes) {
    mmq_network_state_t state = {0, 0, 0};
    mmq_status_t status = MMQ_BUSY;
    if (number % 3 != 0) return mmq_network_run(network, arena, arena_bytes) == MMQ_OK;
    while (status == MMQ_BUSY) status = mmq_network_run_slice(network, &state, arena, arena_bytes, number * 997);
    return status == MMQ_OK;
}

uint64_t network_hash(const network_run_t *run, int8_t *arena, size_t arena_bytes) {
    const mmq_network_t *network = run->network;
    const int8_t *golden = run->golden;
    uint64_t hash = 14695981039346656037u;
    uint32_t state = 1;
    for (uint32_t number = 0; number < run->n_golden + run->n_drawn; number++) {
        if (number < run->n_golden) {
            for (uint32_t i = 0; i < network->n_inputs; i++) {
                memcpy(arena + network->inputs[i].at, golden, network->inputs[i].count);
                golden += network->inputs[i].count;
            }
        } else {
            network_draw(network, number - run->n_golden, &state, arena);
        }
        if (!run_once(network, number, arena, arena_bytes)) return 0;
        for (uint32_t i = 0; i < network->n_outputs; i++) {
            const int8_t *output = arena + network->outputs[i].at;
            for (uint32_t k = 0; k < network->outputs[i].count; k++) {
                hash = (hash ^ (uint8_t)output[k]) * 1099511628211u;
            }
        }
    }
    return hash;
}

static char *write_number(char *to, uint32_t number) {
    char digits[10];
    uint32_t n = 0;
    do digits[n++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (n > 0) *to++ = digits[--n];
    return to;
}

void network_line(const network_run_t *run, uint64_t hash, char *line) {
    size_t length = strlen(run->name);
    if (length > 40) length = 40;
    memcpy(line, run->name, length);
    line += length;
    memcpy(line, " windows=", 9);
    line = write_number(line + 9, run->n_golden + run->n_drawn);
    memcpy(line, " hash=", 6);
    line += 6;
    for (int shift = 60; shift >= 0; shift -= 4) *line++ = "0123456789abcdef"[hash >> shift & 15u];
    *line = 0;
}
