/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds wearable.c with pushes from standard input; writes each decision as golden/decisions.npy has it. */
#include <stdio.h>

#include "mmq_decision.h"

#define TURNS 64 /* of the control loop, after each push: all slices of a network */

mmq_status_t wearable_start(void);
mmq_status_t wearable_push(uint32_t sensor, const float *samples, uint32_t frames, double time_s);
int wearable_step(mmq_decision_t *decision);

static int write_out(const mmq_decision_t *said) {
    return fwrite(&said->number, 8, 1, stdout) == 1 && fwrite(&said->abstention, 4, 1, stdout) == 1 &&
           fwrite(&said->tokens_left, 4, 1, stdout) == 1 && fwrite(said->best, 2, 1, stdout) == 1 &&
           fwrite(said->probability, 4, 2, stdout) == 2;
}

int main(void) {
    static float samples[64];
    static mmq_decision_t decision;
    uint32_t head[3]; /* modality, frames, floats */
    double times[2];  /* of the first frame, and now */
    int turn;
    if (wearable_start() != MMQ_OK) return 9;
    while (fread(head, 4, 3, stdin) == 3 && fread(times, 8, 2, stdin) == 2) {
        if (head[2] > 64 || fread(samples, 4, head[2], stdin) != head[2]) return 8;
        if (wearable_push(head[0], samples, head[1], times[0]) != MMQ_OK) return 7;
        for (turn = 0; turn < TURNS; turn++) {
            if (wearable_step(&decision) && !write_out(&decision)) return 6;
        }
    }
    return 0;
}
