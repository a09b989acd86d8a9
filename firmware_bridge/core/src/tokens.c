/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.c: tokens are finished by each modality, closed together, popped and read as windows. */
#include "mmq_internal.h"

#include <string.h>

/* Features of a token that is kept, and the reasons of its modalities. */
float *mmq_token_at(const mmq_bridge_t *bridge, uint16_t **reasons, int64_t token) {
    const size_t slot = (size_t)(token % (int64_t)bridge->capacity);
    *reasons = bridge->reasons + slot * bridge->spec->n_modalities;
    return bridge->features + slot * bridge->spec->n_features;
}

/* A modality reached the end of its token: write features and reasons into the token's slot. */
void mmq_tokens_finish(mmq_bridge_t *bridge, mmq_state_t *state) {
    const float *out = state->scratch.out;
    uint16_t why = mmq_state_finish(state, bridge->spec->token_s, state->scratch.out);
    if (state->strict && state->rate.off) why |= MMQ_WHY_RATE;
    if (state->token >= bridge->closed) {
        uint16_t *reasons;
        float *features = mmq_token_at(bridge, &reasons, state->token) + state->feature_start;
        reasons[state->index] = why;
        for (uint32_t i = 0; i < state->spec->features; i++) features[i] = why ? 0.0f : out[i];
    }
    state->token++;
    state->end_ns += bridge->token_ns;
}

static void clear_slot(mmq_bridge_t *bridge, int64_t token) {
    uint16_t *reasons;
    float *features = mmq_token_at(bridge, &reasons, token);
    for (uint32_t i = 0; i < bridge->spec->n_features; i++) features[i] = 0.0f;
    for (uint32_t i = 0; i < bridge->spec->n_modalities; i++) reasons[i] = MMQ_WHY_LOST;
}

void mmq_tokens_clear(mmq_bridge_t *bridge) {
    for (uint32_t i = 0; i < bridge->capacity; i++) clear_slot(bridge, (int64_t)i);
}

static void close_until(mmq_bridge_t *bridge, int64_t until) {
    const int64_t ahead = (int64_t)(bridge->capacity - bridge->kept);
    int64_t oldest;
    uint32_t steps = 0;
    while (bridge->closed < until) {
        uint16_t *reasons;
        float *features = mmq_token_at(bridge, &reasons, bridge->closed);
        mmq_normalise(bridge, features, reasons);
        /* The slot that becomes writable held a token now too old to be read. */
        clear_slot(bridge, bridge->closed + ahead);
        bridge->closed++;
        /* After a whole ring of tokens nothing written is left: what lies between is absent. */
        if (++steps == 2u * bridge->capacity && until - bridge->closed > (int64_t)bridge->capacity) {
            bridge->closed = until - (int64_t)bridge->capacity;
        }
    }
    oldest = bridge->closed - (int64_t)bridge->kept; /* what is older is gone */
    if (bridge->popped < oldest) bridge->popped = oldest;
}

/* Close what every modality has finished, and what time has passed by more than the grace. */
void mmq_tokens_settle(mmq_bridge_t *bridge, int64_t now_ns) {
    int64_t until = (now_ns - bridge->grace_ns + 1000) / bridge->token_ns; /* 1 us: times are rounded */
    int64_t slowest = INT64_MAX;
    for (uint32_t m = 0; m < bridge->spec->n_modalities; m++) {
        if (bridge->states[m].token < slowest) slowest = bridge->states[m].token;
    }
    if (slowest > until) until = slowest;
    close_until(bridge, until);
}

mmq_status_t mmq_bridge_token(mmq_bridge_t *bridge, float *features, uint8_t *presence, int64_t *number) {
    uint16_t *reasons;
    const float *token;
    if (!bridge || !features || !presence) return MMQ_NULL;
    if (bridge->popped >= bridge->closed) return MMQ_NO_TOKEN;
    token = mmq_token_at(bridge, &reasons, bridge->popped);
    memcpy(features, token, bridge->spec->n_features * sizeof *features);
    for (uint32_t m = 0; m < bridge->spec->n_modalities; m++) presence[m] = reasons[m] == 0;
    if (number) *number = bridge->popped;
    bridge->popped++;
    return MMQ_OK;
}

mmq_status_t mmq_bridge_reasons(const mmq_bridge_t *bridge, int64_t number, uint16_t *reasons) {
    uint16_t *kept;
    if (!bridge || !reasons) return MMQ_NULL;
    if (number < 0 || number >= bridge->closed || number < bridge->closed - (int64_t)bridge->kept) return MMQ_NO_TOKEN;
    (void)mmq_token_at(bridge, &kept, number);
    memcpy(reasons, kept, bridge->spec->n_modalities * sizeof *reasons);
    return MMQ_OK;
}

/* Whether there is a window once so many tokens are closed. */
static mmq_status_t ready(const mmq_bridge_t *bridge, int64_t closed) {
    const int64_t tokens = (int64_t)bridge->spec->tokens;
    if (bridge->spec->normaliser == MMQ_ENROLMENT && closed - tokens < bridge->enrolment_end) return MMQ_ENROLLING;
    return closed < tokens ? MMQ_NOT_READY : MMQ_OK;
}

static int8_t quantised(float x, const mmq_spec_t *spec) {
    float q = mmq_is_finite(x) ? x / spec->scale : 0.0f;
    int32_t whole;
    if (q > 1000.0f) q = 1000.0f;
    if (q < -1000.0f) q = -1000.0f;
    whole = (int32_t)(q < 0.0f ? q - 0.5f : q + 0.5f) + spec->zero_point;
    return (int8_t)(whole > 127 ? 127 : whole < -128 ? -128 : whole);
}

/* The window that ends with a token, as float, or, where those are NULL, as int8. */
static mmq_status_t window(const mmq_bridge_t *bridge, int64_t last, float *features, float *presence,
                           int8_t *features_i8, int8_t *presence_i8) {
    const mmq_spec_t *spec = bridge->spec;
    mmq_status_t status;
    if (last < -1 || last >= bridge->closed) return MMQ_NO_TOKEN;
    status = ready(bridge, last + 1);
    if (status != MMQ_OK) return status;
    if (last + 1 < bridge->closed - (int64_t)MMQ_BEHIND) return MMQ_NO_TOKEN;
    for (int64_t number = last + 1 - (int64_t)spec->tokens; number <= last; number++) {
        uint16_t *reasons;
        const float *token = mmq_token_at(bridge, &reasons, number);
        for (uint32_t i = 0; i < spec->n_features; i++) {
            if (features) *features++ = token[i];
            else *features_i8++ = quantised(token[i], spec);
        }
        for (uint32_t m = 0; m < spec->n_modalities; m++) {
            if (presence) *presence++ = reasons[m] ? 0.0f : 1.0f;
            else *presence_i8++ = reasons[m] ? -128 : 127;
        }
    }
    return MMQ_OK;
}

mmq_status_t mmq_bridge_window_at(const mmq_bridge_t *bridge, int64_t number, float *features, float *presence) {
    if (!bridge || !features || !presence) return MMQ_NULL;
    return window(bridge, number, features, presence, NULL, NULL);
}

mmq_status_t mmq_bridge_window_i8_at(const mmq_bridge_t *bridge, int64_t number, int8_t *features, int8_t *presence) {
    if (!bridge || !features || !presence) return MMQ_NULL;
    if (!bridge->spec->quantised) return MMQ_NOT_QUANTISED;
    return window(bridge, number, NULL, NULL, features, presence);
}

mmq_status_t mmq_bridge_window(const mmq_bridge_t *bridge, float *features, float *presence) {
    return mmq_bridge_window_at(bridge, mmq_bridge_closed(bridge) - 1, features, presence);
}

mmq_status_t mmq_bridge_window_i8(const mmq_bridge_t *bridge, int8_t *features, int8_t *presence) {
    return mmq_bridge_window_i8_at(bridge, mmq_bridge_closed(bridge) - 1, features, presence);
}

int64_t mmq_bridge_enrolment_left(const mmq_bridge_t *bridge) {
    if (!bridge) return -1;
    if (bridge->spec->normaliser != MMQ_ENROLMENT || bridge->closed >= bridge->enrolment_end) return 0;
    if (bridge->measured) return (int64_t)mmq_enrolment_lacks(bridge->spec, bridge->measured);
    return bridge->enrolment_end - bridge->closed;
}

/* Present tokens of a modality up to a closed token that is kept. */
static uint32_t measured_until(const mmq_bridge_t *bridge, uint32_t m, int64_t number) {
    uint32_t count = bridge->measured[m];
    for (int64_t later = number + 1; later < bridge->closed; later++) {
        uint16_t *reasons;
        (void)mmq_token_at(bridge, &reasons, later);
        count -= reasons[m] == 0;
    }
    return count;
}

mmq_status_t mmq_bridge_enrolment(const mmq_bridge_t *bridge, int64_t number, uint32_t *measured, uint32_t *left,
                                  int64_t *end) {
    uint32_t counts[MMQ_MAX_MODALITIES], lacks = 0;
    const mmq_spec_t *spec;
    int over;
    if (!bridge) return MMQ_NULL;
    if (number < 0 || number >= bridge->closed || number < bridge->closed - (int64_t)bridge->kept) return MMQ_NO_TOKEN;
    spec = bridge->spec;
    over = spec->normaliser != MMQ_ENROLMENT || number + 1 >= bridge->enrolment_end;
    if (!over && !bridge->measured) lacks = (uint32_t)(bridge->enrolment_end - number - 1);
    for (uint32_t m = 0; m < spec->n_modalities; m++) {
        if (bridge->measured) counts[m] = measured_until(bridge, m, number);
        else counts[m] = spec->normaliser == MMQ_ENROLMENT ? spec->enrolment_tokens - lacks : 0u;
    }
    if (!over && bridge->measured) lacks = mmq_enrolment_lacks(spec, counts);
    if (measured) memcpy(measured, counts, spec->n_modalities * sizeof *measured);
    if (left) *left = lacks;
    if (end) *end = spec->normaliser != MMQ_ENROLMENT ? 0 : !over && bridge->measured ? -1 : bridge->enrolment_end;
    return MMQ_OK;
}

int64_t mmq_bridge_closed(const mmq_bridge_t *bridge) { return bridge ? bridge->closed : -1; }
