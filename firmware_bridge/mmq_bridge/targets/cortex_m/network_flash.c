/* SPDX-License-Identifier: Apache-2.0 */
/* network_flash.c: the smallest program that runs a network, to see what it draws in. */
#include "networks.h" /* written by the build */

int8_t *volatile used;
volatile int status;
void reset(void);

void reset(void) {
    for (;;) status = (int)mmq_network_run(networks[0].network, used, NETWORKS_ARENA_BYTES);
}
