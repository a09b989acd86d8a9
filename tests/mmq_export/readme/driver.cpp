// SPDX-License-Identifier: Apache-2.0
/* Feeds the worked example with pushes from standard input, frame by frame. */
#include <cmath>
#include <cstdint>
#include <cstdio>
bool wearable_start();
void wearable_sample(unsigned modality, const float *frame, uint32_t ticks);
int wearable_step(uint32_t now_ticks);
static uint32_t microseconds(double time_s) { return static_cast<uint32_t>(std::llround(time_s * 1e6)); }
int main() {
    static float samples[64];
    uint32_t head[3]; // modality, frames, floats
    double times[2];  // of the first frame, and now
    if (!wearable_start()) return 9;
    while (fread(head, 4, 3, stdin) == 3 && fread(times, 8, 2, stdin) == 2) {
        if (head[2] > 64 || fread(samples, 4, head[2], stdin) != head[2]) return 8;
        for (uint32_t i = 0; i < head[1]; i++) {
            float frame[3];
            for (uint32_t c = 0; c < head[2] / head[1]; c++) frame[c] = samples[c * head[1] + i];
            wearable_sample(head[0], frame, microseconds(times[0])); // a sensor gives what its buffer holds at once
        }
        const int answer = wearable_step(microseconds(times[1]));
        if (answer != -1 && answer != 1) return 7;
    }
    return 0;
}
