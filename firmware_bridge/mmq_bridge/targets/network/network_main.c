/* SPDX-License-Identifier: Apache-2.0 */
/* network_main.c: a line for each network. Host and bare metal. */
#include <stdio.h>

#include "networks.h" /* written by the build */

static uint32_t arena[NETWORKS_ARENA_BYTES / 4];

int main(void) {
    for (size_t i = 0; i < NETWORKS; i++) {
        char line[NETWORK_LINE];
        network_line(networks + i, network_hash(networks + i, (int8_t *)arena, sizeof arena), line);
        puts(line);
    }
    return 0;
}
