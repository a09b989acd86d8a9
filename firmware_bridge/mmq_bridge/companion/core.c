/* SPDX-License-Identifier: Apache-2.0 */
/* core.c: what the page asks of the module beside the core's own functions: how large the structs are there, so that a
 * spec of another layout is refused before it is read, a display made of its parts, and what a network takes and gives. */
#include "mmq_decision.h"
#include "mmq_personal.h"
#include "mmq_plan.h"

#define EXPORT(name) __attribute__((export_name(#name)))

EXPORT(spec_bytes) uint32_t spec_bytes(void);
EXPORT(modality_bytes) uint32_t modality_bytes(void);
EXPORT(task_bytes) uint32_t task_bytes(void);
EXPORT(decider_bytes) uint32_t decider_bytes(void);
EXPORT(decision_bytes) uint32_t decision_bytes(void);
EXPORT(display_bytes) uint32_t display_bytes(void);
EXPORT(head_bytes) uint32_t head_bytes(void);
EXPORT(head_state_bytes) uint32_t head_state_bytes(void);
EXPORT(decider_components) const float *decider_components(const mmq_decider_t *decider);
EXPORT(decider_logit) float decider_logit(const mmq_decider_t *decider);
EXPORT(tokens) uint32_t tokens(const mmq_spec_t *spec);
EXPORT(token_s) float token_s(const mmq_spec_t *spec);
EXPORT(tensor_bytes) uint32_t tensor_bytes(void);
EXPORT(network_arena_bytes) uint32_t network_arena_bytes(const mmq_network_t *network);
EXPORT(network_input) const mmq_tensor_t *network_input(const mmq_network_t *network, uint32_t i);
EXPORT(network_output) const mmq_tensor_t *network_output(const mmq_network_t *network, uint32_t i);
EXPORT(begin_display)
void begin_display(mmq_display_t *display, double display_s, double *times_s, float *kept, uint32_t rows,
                   uint32_t columns);

uint32_t spec_bytes(void) { return (uint32_t)sizeof(mmq_spec_t); }
uint32_t modality_bytes(void) { return (uint32_t)sizeof(mmq_modality_t); }
uint32_t task_bytes(void) { return (uint32_t)sizeof(mmq_task_t); }
uint32_t decider_bytes(void) { return (uint32_t)sizeof(mmq_decider_t); }
uint32_t decision_bytes(void) { return (uint32_t)sizeof(mmq_decision_t); }
uint32_t display_bytes(void) { return (uint32_t)sizeof(mmq_display_t); }
uint32_t head_bytes(void) { return (uint32_t)sizeof(mmq_head_t); }
uint32_t head_state_bytes(void) { return (uint32_t)sizeof(mmq_head_state_t); }
const float *decider_components(const mmq_decider_t *decider) { return decider->summarised ? decider->u : NULL; }
float decider_logit(const mmq_decider_t *decider) { return decider->logit; }
uint32_t tokens(const mmq_spec_t *spec) { return spec->tokens; }
float token_s(const mmq_spec_t *spec) { return spec->token_s; }

uint32_t tensor_bytes(void) { return (uint32_t)sizeof(mmq_tensor_t); }
uint32_t network_arena_bytes(const mmq_network_t *network) { return network->arena_bytes; }
const mmq_tensor_t *network_input(const mmq_network_t *network, uint32_t i) {
    return i < network->n_inputs ? network->inputs + i : NULL;
}
const mmq_tensor_t *network_output(const mmq_network_t *network, uint32_t i) {
    return i < network->n_outputs ? network->outputs + i : NULL;
}

void begin_display(mmq_display_t *display, double display_s, double *times_s, float *kept, uint32_t rows,
                   uint32_t columns) {
    const mmq_display_t made = {display_s, times_s, kept, rows, columns, 0, 0};
    *display = made;
}
