/* tokens.c: tokens are finished by each modality, closed together, popped and read as windows. */
#include "mmq_internal.h"

static uint32_t slot_of(const mmq_bridge_t *bridge, int64_t token) {
    return (uint32_t)(token % (int64_t)bridge->capacity);
}

/* A modality reached the end of its token: write features and presence into the token's slot. */
void mmq_tokens_finish(mmq_bridge_t *bridge, mmq_state_t *state) {
    const mmq_spec_t *spec = bridge->spec;
    const int present = mmq_quality_present(state, spec->token_s);
    mmq_state_features(state, state->out); /* always: it also prepares the next token */
    if (state->token >= bridge->closed) {
        const uint32_t slot = slot_of(bridge, state->token);
        float *features = bridge->features + (size_t)slot * spec->n_features + state->feature_start;
        bridge->presence[(size_t)slot * spec->n_modalities + state->index] = (uint8_t)present;
        for (uint32_t i = 0; i < state->spec->features; i++) features[i] = present ? state->out[i] : 0.0f;
    }
    mmq_quality_next_token(state);
    state->token++;
}

static void clear_slot(mmq_bridge_t *bridge, int64_t token) {
    const mmq_spec_t *spec = bridge->spec;
    const uint32_t slot = slot_of(bridge, token);
    for (uint32_t i = 0; i < spec->n_features; i++) bridge->features[(size_t)slot * spec->n_features + i] = 0.0f;
    for (uint32_t i = 0; i < spec->n_modalities; i++) bridge->presence[(size_t)slot * spec->n_modalities + i] = 0;
}

void mmq_tokens_close(mmq_bridge_t *bridge, int64_t until) {
    const mmq_spec_t *spec = bridge->spec;
    const int64_t ahead = (int64_t)(bridge->capacity - bridge->kept);
    int64_t steps = 0;
    while (bridge->closed < until) {
        const uint32_t slot = slot_of(bridge, bridge->closed);
        mmq_normalise(bridge, bridge->closed, bridge->features + (size_t)slot * spec->n_features,
                      bridge->presence + (size_t)slot * spec->n_modalities);
        bridge->closed++;
        /* The slot that becomes writable held a token now too old to be read. */
        clear_slot(bridge, bridge->closed + ahead - 1);
        /* After a whole ring of tokens nothing written is left: what lies between is absent. */
        if (++steps == 2 * (int64_t)bridge->capacity && until - bridge->closed > (int64_t)bridge->capacity) {
            bridge->closed = until - (int64_t)bridge->capacity;
        }
    }
    if (bridge->popped < bridge->closed - (int64_t)bridge->kept) bridge->popped = bridge->closed - (int64_t)bridge->kept;
}

/* Close what every modality has finished, and what time has passed by more than the grace. */
void mmq_tokens_settle(mmq_bridge_t *bridge, double now_s) {
    const mmq_spec_t *spec = bridge->spec;
    int64_t slowest = INT64_MAX;
    const double late = (now_s - (double)spec->grace_s) / (double)spec->token_s + 1e-6;
    for (uint32_t m = 0; m < spec->n_modalities; m++) {
        if (bridge->states[m].token < slowest) slowest = bridge->states[m].token;
    }
    if (late > 0.0 && (int64_t)late > slowest) slowest = (int64_t)late;
    mmq_tokens_close(bridge, slowest);
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
        presence[m] = bridge->presence[(size_t)slot * spec->n_modalities + m];
    }
    if (number) *number = bridge->popped;
    bridge->popped++;
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

mmq_status_t mmq_bridge_window(const mmq_bridge_t *bridge, float *features, float *presence) {
    mmq_status_t status;
    if (!bridge || !features || !presence) return MMQ_NULL;
    if ((status = ready(bridge)) != MMQ_OK) return status;
    for (uint32_t t = 0; t < bridge->spec->tokens; t++) {
        const uint32_t slot = slot_of(bridge, bridge->closed - (int64_t)bridge->spec->tokens + (int64_t)t);
        const uint32_t f = bridge->spec->n_features, m = bridge->spec->n_modalities;
        for (uint32_t i = 0; i < f; i++) *features++ = bridge->features[(size_t)slot * f + i];
        for (uint32_t i = 0; i < m; i++) *presence++ = (float)bridge->presence[(size_t)slot * m + i];
    }
    return MMQ_OK;
}

static int8_t quantised(float x, float scale, int32_t zero_point) {
    float q = mmq_is_finite(x) ? x / scale : 0.0f;
    int32_t whole;
    if (q > 1000.0f) q = 1000.0f;
    if (q < -1000.0f) q = -1000.0f;
    whole = (int32_t)(q < 0.0f ? q - 0.5f : q + 0.5f) + zero_point;
    return (int8_t)(whole > 127 ? 127 : whole < -128 ? -128 : whole);
}

mmq_status_t mmq_bridge_window_i8(const mmq_bridge_t *bridge, int8_t *features, int8_t *presence) {
    mmq_status_t status;
    if (!bridge || !features || !presence) return MMQ_NULL;
    if (!bridge->spec->quantised) return MMQ_NOT_QUANTISED;
    if ((status = ready(bridge)) != MMQ_OK) return status;
    for (uint32_t t = 0; t < bridge->spec->tokens; t++) {
        const uint32_t slot = slot_of(bridge, bridge->closed - (int64_t)bridge->spec->tokens + (int64_t)t);
        const uint32_t f = bridge->spec->n_features, m = bridge->spec->n_modalities;
        for (uint32_t i = 0; i < f; i++) {
            *features++ = quantised(bridge->features[(size_t)slot * f + i], bridge->spec->scale, bridge->spec->zero_point);
        }
        for (uint32_t i = 0; i < m; i++) *presence++ = bridge->presence[(size_t)slot * m + i] ? 127 : -128;
    }
    return MMQ_OK;
}

int64_t mmq_bridge_closed(const mmq_bridge_t *bridge) { return bridge ? bridge->closed : -1; }
