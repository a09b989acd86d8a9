/* SPDX-License-Identifier: Apache-2.0 */
/* offline.c: whole recordings at once, by the same arithmetic: for training and checks. No device needs it. */
#include "mmq_internal.h"

#include <string.h>

mmq_status_t mmq_normalise_stream(const mmq_spec_t *spec, float *features, const uint8_t *presence, uint32_t n,
                                  float *scratch) {
    mmq_bridge_t bridge = {0};
    uint32_t measured[MMQ_MAX_MODALITIES] = {0};
    if (!spec || !features || !presence || !scratch) return MMQ_NULL;
    if (mmq_bridge_size(spec) == 0) return MMQ_BAD_SPEC;
    bridge.spec = spec;
    mmq_enrolment_begin(&bridge);
    if (mmq_counts_evidence(spec)) bridge.measured = measured;
    bridge.running = (mmq_running_t *)(void *)scratch;
    memset(scratch, 0, mmq_learnt_bytes(spec));
    mmq_learnt_place(&bridge);
    for (uint32_t k = 0; k < n; k++) {
        uint16_t reasons[MMQ_MAX_MODALITIES];
        for (uint32_t m = 0; m < spec->n_modalities; m++) {
            reasons[m] = presence[(size_t)k * spec->n_modalities + m] ? 0 : MMQ_WHY_LOST;
        }
        mmq_normalise(&bridge, features + (size_t)k * spec->n_features, reasons);
        bridge.closed++;
    }
    return MMQ_OK;
}

mmq_status_t mmq_spatial(const mmq_modality_t *modality, const float *samples, uint32_t frames, float *out) {
    if (!modality || !samples || !out) return MMQ_NULL;
    for (uint32_t o = 0; o < modality->outputs; o++) {
        for (uint32_t i = 0; i < frames; i++) {
            float sum = modality->spatial ? 0.0f : samples[(size_t)o * frames + i];
            for (uint32_t c = 0; modality->spatial && c < modality->channels; c++) {
                sum += modality->spatial[(size_t)o * modality->channels + c] * samples[(size_t)c * frames + i];
            }
            out[(size_t)o * frames + i] = sum;
        }
    }
    return MMQ_OK;
}
