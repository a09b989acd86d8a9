/* SPDX-License-Identifier: Apache-2.0 */
/* Puts and takes unevenly: the queue keeps the order, refuses when full, loses nothing else. */
#include "sensor_queue.h"
#include <stdio.h>
int main(void) {
    sensor_chunk_t chunk = {0}, out;
    unsigned put = 0, taken = 0, refused = 0;
    for (unsigned round = 0; round < 1000; round++) {
        for (unsigned i = 0; i < round % 19; i++) {
            chunk.frames = put;
            if (sensor_queue_put(&chunk)) put++; else refused++;
        }
        for (unsigned i = 0; i < round % 17; i++) {
            if (!sensor_queue_take(&out)) break;
            if (out.frames != taken++) return 1;
        }
        if (put - taken > 16) return 2;
    }
    return refused == 0 || taken < 5000;
}
