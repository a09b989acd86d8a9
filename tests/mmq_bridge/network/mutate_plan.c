/* SPDX-License-Identifier: Apache-2.0 */
/* mutate_plan.c: PLAN COUNT: load changed plans and run those that load, in memory of exactly the size they name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mmq_plan.h"

static uint32_t state = 1;

static uint32_t next(void) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void change(unsigned char *plan, size_t size, size_t head) {
    static const uint32_t words[] = {0, 1, 2, 3, 127, 128, 255, 256, 0x7fffffffu, 0x80000000u, 0xffffffffu, 1u << 24};
    for (uint32_t n = next() % 4 + 1; n > 0; n--) {
        const size_t room = next() % 4 ? head : size; /* rather the words than the data */
        const size_t at = next() % room;
        if (next() % 2) {
            plan[at] ^= (unsigned char)(1u << next() % 8);
        } else if (at + 8 < size) {
            memcpy(plan + at / 4 * 4, words + next() % (sizeof words / sizeof *words), 4);
        }
    }
}

/* 1 when it loaded and ran. */
static int try_plan(const unsigned char *plan, size_t size) {
    const size_t need = mmq_plan_size(plan, size);
    void *memory = malloc(need ? need : 1);
    const mmq_network_t *network;
    int ran = 0;
    if (mmq_plan_load(plan, size, memory, need, &network) == MMQ_OK) {
        int8_t *arena = malloc(network->arena_bytes ? network->arena_bytes : 1);
        for (uint32_t i = 0; i < network->arena_bytes; i++) arena[i] = (int8_t)(next() >> 24);
        ran = mmq_network_run(network, arena, network->arena_bytes) == MMQ_OK;
        free(arena);
    }
    free(memory);
    return ran;
}

int main(int count, char **words) {
    FILE *file = count == 3 ? fopen(words[1], "rb") : NULL;
    static unsigned char whole[1 << 20];
    size_t size, head;
    unsigned long ran = 0, tries;
    uint32_t head_words;
    if (!file) return 2;
    size = fread(whole, 1, sizeof whole, file);
    (void)fclose(file);
    memcpy(&head_words, whole + 28, 4);
    head = head_words * 4u;
    tries = strtoul(words[2], NULL, 10);
    if (!try_plan(whole, size)) return 3;
    for (unsigned long i = 0; i < tries; i++) {
        const size_t kept = i % 8 == 7 ? next() % size : size;
        unsigned char *plan = malloc(kept ? kept : 1);
        memcpy(plan, whole, kept);
        if (kept == size) change(plan, size, head);
        ran += (unsigned long)try_plan(plan, kept);
        free(plan);
    }
    printf("ran %lu of %lu\n", ran, tries);
    return 0;
}
