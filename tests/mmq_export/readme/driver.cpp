// SPDX-License-Identifier: Apache-2.0
/* Feeds the worked example with pushes from standard input. */
#include <cstdio>
#include <cstdint>
#include "sensor_queue.h"
bool wearable_start();
int wearable_step(double now_s);
int main() {
    sensor_chunk_t chunk = {};
    uint32_t head[3];
    double times[2];
    if (!wearable_start()) return 9;
    while (fread(head, 4, 3, stdin) == 3 && fread(times, 8, 2, stdin) == 2) {
        chunk.modality = head[0];
        chunk.frames = head[1];
        chunk.time_s = times[0];
        if (fread(chunk.samples, 4, head[2], stdin) != head[2] || !sensor_queue_put(&chunk)) return 8;
        const int answer = wearable_step(times[1]);
        if (answer != -1 && answer != 1) return 7;
    }
    return 0;
}
