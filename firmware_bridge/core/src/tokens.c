/* tokens.c: tokens are finished by each modality, closed together, popped and read as windows. */
#include "mmq_internal.h"

static uint32_t slot_of(const mmq_bridge_t *bridge, int64_t token) {
    return (uint32_t)(token % (int64_t)bridge->capacity);
}

/* A modality reached the end of its token: write features and reasons into the token's slot. */
void mmq_tokens_finish(mmq_bridge_t *bridge, mmq_state_t *state) {
    const mmq_spec_t *spec = bridge->spec;
    const float *out = bridge->scratch.out;
    const uint16_t why = mmq_state_finish(state, spec->token_s, bridge->scratch.out);
    if (state->token >= bridge->closed) {
        const uint32_t slot = slot_of(bridge, state->token);
        float *features = bridge->features + (size_t)slot * spec->n_features + state->feature_start;
        bridge->reasons[(size_t)slot * spec->n_modalities + state->index] = why;
        for (uint32_t i = 0; i < state->spec->features; i++) features[i] = why ? 0.0f : out[i];
    }
    state->token++;
    state->end_ns += bridge->token_ns;
}

static void clear_slot(mmq_bridge_t *bridge, int64_t token) {
    const mmq_spec_t *spec = bridge->spec;
    const uint32_t slot = slot_of(bridge, token);
    for (uint32_t i = 0; i < spec->n_features; i++) bridge->features[(size_t)slot * spec->n_features + i] = 0.0f;
    for (uint32_t i = 0; i < spec->n_modalities; i++) {
        bridge->reasons[(size_t)slot * spec->n_modalities + i] = MMQ_WHY_LOST;
    }
}

void mmq_tokens_clear(mmq_bridge_t *bridge) {
    for (uint32_t i = 0; i < bridge->capacity; i++) clear_slot(bridge, (int64_t)i);
}

void mmq_tokens_close(mmq_bridge_t *bridge, int64_t until) {
    const mmq_spec_t *spec = bridge->spec;
    const int64_t ahead = (int64_t)(bridge->capacity - bridge->kept);
    int64_t steps = 0;
    while (bridge->closed < until) {
        const uint32_t slot = slot_of(bridge, bridge->closed);
        mmq_normalise(bridge, bridge->closed, bridge->features + (size_t)slot * spec->n_features,
                      bridge->reasons + (size_t)slot * spec->n_modalities);
        bridge->closed++;
        /* The slot that becomes writable held a token now too old to be read. */
        clear_slot(bridge, bridge->closed + ahead - 1);
        /* After a whole ring of tokens nothing written is left: what lies between is absent. */
        if (++steps == 2 * (int64_t)bridge->capacity && until - bridge->closed > (int64_t)bridge->capacity) {
            bridge->closed = until - (int64_t)bridge->capacity;
        }
    }
    steps = bridge->closed - (int64_t)bridge->kept; /* what is older is gone */
    if (bridge->popped < steps) bridge->popped = steps;
}

/* Close what every modality has finished, and what time has passed by more than the grace. */
void mmq_tokens_settle(mmq_bridge_t *bridge, int64_t now_ns) {
    int64_t until = (now_ns - bridge->grace_ns + 1000) / bridge->token_ns; /* 1 us: times are rounded */
    int64_t slowest = INT64_MAX;
    for (uint32_t m = 0; m < bridge->spec->n_modalities; m++) {
        if (bridge->states[m].token < slowest) slowest = bridge->states[m].token;
    }
    if (slowest > until) until = slowest;
    mmq_tokens_close(bridge, until);
}

mmq_status_t mmq_bridge_token(mmq_bridge_t *bridge, float *features, uint8_t *presence, int64_t *number) {
    const mmq_spec_t *spec;
    uint32_t slot;
    if (!bridge || !features || !presence) return MMQ_NULL;
    if (bridge->popped >= bridge->closed) return MMQ_NO_TOKEN;
    spec = bridge->spec;
    slot = slot_of(bridge, bridge->popped);
    for (uint32_t i = 0; i < spec->n_features; i++) features[i] = bridge->features[(size_t)slot * spec->n_features + i];
    for (uint32_t m = 0; m < spec->n_modalities; m++) {
        presence[m] = bridge->reasons[(size_t)slot * spec->n_modalities + m] == 0;
    }
    if (number) *number = bridge->popped;
    bridge->popped++;
    return MMQ_OK;
}

mmq_status_t mmq_bridge_reasons(const mmq_bridge_t *bridge, int64_t number, uint16_t *reasons) {
    if (!bridge || !reasons) return MMQ_NULL;
    if (number < 0 || number >= bridge->closed || number < bridge->closed - (int64_t)bridge->kept) return MMQ_NO_TOKEN;
    for (uint32_t m = 0; m < bridge->spec->n_modalities; m++) {
        reasons[m] = bridge->reasons[(size_t)slot_of(bridge, number) * bridge->spec->n_modalities + m];
    }
    return MMQ_OK;
}

static mmq_status_t ready(const mmq_bridge_t *bridge) {
    const int64_t tokens = (int64_t)bridge->spec->tokens;
    if (bridge->spec->normaliser == MMQ_ENROLMENT &&
        bridge->closed - tokens < (int64_t)bridge->spec->enrolment_tokens) {
        return MMQ_ENROLLING;
    }
    return bridge->closed < tokens ? MMQ_NOT_READY : MMQ_OK;
}

static int8_t quantised(float x, const mmq_spec_t *spec) {
    float q = mmq_is_finite(x) ? x / spec->scale : 0.0f;
    int32_t whole;
    if (q > 1000.0f) q = 1000.0f;
    if (q < -1000.0f) q = -1000.0f;
    whole = (int32_t)(q < 0.0f ? q - 0.5f : q + 0.5f) + spec->zero_point;
    return (int8_t)(whole > 127 ? 127 : whole < -128 ? -128 : whole);
}

/* Token t of the window: its features and reasons. */
static const float *token_of_window(const mmq_bridge_t *bridge, uint32_t t, const uint16_t **reasons) {
    const uint32_t slot = slot_of(bridge, bridge->closed - (int64_t)bridge->spec->tokens + (int64_t)t);
    *reasons = bridge->reasons + (size_t)slot * bridge->spec->n_modalities;
    return bridge->features + (size_t)slot * bridge->spec->n_features;
}

mmq_status_t mmq_bridge_window(const mmq_bridge_t *bridge, float *features, float *presence) {
    mmq_status_t status;
    const uint16_t *reasons;
    if (!bridge || !features || !presence) return MMQ_NULL;
    if ((status = ready(bridge)) != MMQ_OK) return status;
    for (uint32_t t = 0; t < bridge->spec->tokens; t++) {
        const float *token = token_of_window(bridge, t, &reasons);
        for (uint32_t i = 0; i < bridge->spec->n_features; i++) *features++ = token[i];
        for (uint32_t i = 0; i < bridge->spec->n_modalities; i++) *presence++ = reasons[i] ? 0.0f : 1.0f;
    }
    return MMQ_OK;
}

mmq_status_t mmq_bridge_window_i8(const mmq_bridge_t *bridge, int8_t *features, int8_t *presence) {
    mmq_status_t status;
    const uint16_t *reasons;
    if (!bridge || !features || !presence) return MMQ_NULL;
    if (!bridge->spec->quantised) return MMQ_NOT_QUANTISED;
    if ((status = ready(bridge)) != MMQ_OK) return status;
    for (uint32_t t = 0; t < bridge->spec->tokens; t++) {
        const float *token = token_of_window(bridge, t, &reasons);
        for (uint32_t i = 0; i < bridge->spec->n_features; i++) *features++ = quantised(token[i], bridge->spec);
        for (uint32_t i = 0; i < bridge->spec->n_modalities; i++) *presence++ = reasons[i] ? -128 : 127;
    }
    return MMQ_OK;
}

int64_t mmq_bridge_closed(const mmq_bridge_t *bridge) { return bridge ? bridge->closed : -1; }
