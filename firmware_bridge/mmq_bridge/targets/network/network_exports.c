/* SPDX-License-Identifier: Apache-2.0 */
/* network_exports.c: the same as a WebAssembly module without imports. */
#include "networks.h" /* written by the build */

#define EXPORT(name) __attribute__((export_name(#name)))

static uint32_t arena[NETWORKS_ARENA_BYTES / 4];
static char line[NETWORK_LINE];

EXPORT(network_count) uint32_t network_count(void);
EXPORT(network_text) const char *network_text(uint32_t i);

uint32_t network_count(void) { return NETWORKS; }

const char *network_text(uint32_t i) {
    network_line(networks + i, network_hash(networks + i, (int8_t *)arena, sizeof arena), line);
    return line;
}
