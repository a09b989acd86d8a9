/* SPDX-License-Identifier: Apache-2.0 */
/* core.c: what the page asks of the module beside the core's own functions: how large the structs are there, so that a
 * spec of another layout is refused before it is read. */
#include "mmq_bridge.h"

#define EXPORT(name) __attribute__((export_name(#name)))

EXPORT(spec_bytes) uint32_t spec_bytes(void);
EXPORT(modality_bytes) uint32_t modality_bytes(void);

uint32_t spec_bytes(void) { return (uint32_t)sizeof(mmq_spec_t); }
uint32_t modality_bytes(void) { return (uint32_t)sizeof(mmq_modality_t); }
