/* SPDX-License-Identifier: Apache-2.0 */
/* spec.c: does a spec hold together? Whatever passes is safe to run, whatever samples come. */
#include "mmq_internal.h"

#include <string.h>

static int are_finite(const float *x, size_t n) {
    if (n && !x) return 0;
    for (size_t i = 0; i < n; i++) {
        if (!mmq_is_finite(x[i])) return 0;
    }
    return 1;
}

static int filters_are_good(const mmq_modality_t *m) {
    if (m->prefilter_sections > 16 || m->bands < 1 || m->bands > MMQ_MAX_BANDS) return 0;
    if (!are_finite(m->prefilter, 5u * m->prefilter_sections) || !are_finite(m->bank, 5u * m->bands)) return 0;
    if (m->decimate > 1 && !m->prefilter_sections && m->kind != MMQ_RESP) return 0;
    return m->baseline_alpha >= 0.0f && m->baseline_alpha <= 1.0f;
}

static int fft_is_good(const mmq_modality_t *m) {
    const uint32_t n = m->fft_size;
    return n >= 8 && n <= MMQ_MAX_FFT && !(n & (n - 1u)) && m->fft_window && m->twiddles;
}

static int bank_is_good(const mmq_modality_t *m) {
    if (!fft_is_good(m) || !m->band_bins) return 0;
    if (m->spatial ? !are_finite(m->spatial, m->outputs * m->channels) : m->outputs != m->channels) return 0;
    if (m->spatial && m->kind != MMQ_EEG) return 0;
    for (uint32_t b = 0; b < m->bands; b++) {
        if (m->band_bins[2 * b] >= m->band_bins[2 * b + 1] || m->band_bins[2 * b + 1] > m->fft_size / 2) return 0;
    }
    return m->psd_scale > 0.0f;
}

static int is_odd(uint32_t n, uint32_t most) { return n >= 3 && n <= most && n % 2u; }

static int pulse_is_good(const mmq_modality_t *m) {
    if (!is_odd(m->beat_window, 1000) || !is_odd(m->peak_window, m->beat_window)) return 0;
    if (m->refractory < 1 || !mmq_is_finite(m->beat_offset)) return 0;
    if (m->kind == MMQ_ECG) return 1;
    if (!fft_is_good(m) || m->spectrum_samples < 8 || m->spectrum_samples > m->fft_size) return 0;
    if (m->lag_low < 1 || m->lag_low > m->lag_high || m->lag_high > m->spectrum_samples / 3u) return 0;
    return m->spectrum_decimate >= 1 && m->spectrum_low >= 3 && m->spectrum_low < m->spectrum_high &&
           m->spectrum_high <= m->fft_size / 2 - 3;
}

/* Of one output. */
static uint32_t features_of(const mmq_modality_t *m) {
    static const uint8_t fixed[MMQ_KINDS] = {[MMQ_ECG] = 7, [MMQ_PPG] = 10, [MMQ_EDA] = 6, [MMQ_TEMP] = 3,
                                             [MMQ_ACC] = 7, [MMQ_EMG] = 2,  [MMQ_RESP] = 4};
    return fixed[m->kind] + (mmq_is_bank(m) ? 2u * m->bands : 0u);
}

static int kind_is_good(const mmq_modality_t *m) {
    if (mmq_is_wave(m) && !filters_are_good(m)) return 0;
    if (m->features != features_of(m) * m->outputs) return 0;
    if (m->kind == MMQ_ACC) return m->channels == 3u * m->outputs && m->decimate == 1;
    if (MMQ_HAS_BANK && mmq_is_bank(m)) return bank_is_good(m);
    if (m->outputs != m->channels || m->spatial || m->context < 2 || m->context > MMQ_MAX_CONTEXT) return 0;
    if (mmq_is_wave(m) && m->bands != 1) return 0;
    return !MMQ_HAS_PULSE || !mmq_is_pulse(m) || pulse_is_good(m);
}

int mmq_counts_evidence(const mmq_spec_t *spec) { return spec->version >= 3u && spec->normaliser == MMQ_ENROLMENT; }

uint32_t mmq_look_backs(const mmq_spec_t *spec, const mmq_modality_t *m) {
    uint32_t count = 0;
    for (uint32_t bits = spec->look_back_tokens ? m->look_back : 0u; bits; bits &= bits - 1u) count += m->outputs;
    return count;
}

uint32_t mmq_all_features(const mmq_spec_t *spec) {
    uint32_t count = 0;
    for (uint32_t m = 0; m < spec->n_modalities; m++) count += spec->modalities[m].features;
    return count;
}

static int look_back_is_good(const mmq_spec_t *spec) {
    const uint32_t tokens = spec->look_back_tokens;
    if (!tokens) return 1;
    return mmq_counts_evidence(spec) && tokens % MMQ_SUMS == 0 && tokens <= MMQ_MAX_LOOK_BACK;
}

static int rules_are_good(const mmq_modality_t *m) {
#define PLACE(member) offsetof(mmq_modality_t, member)
    static const uint8_t limits[] = {
        PLACE(max_lost_share), PLACE(max_saturated_share), PLACE(max_bad_share),
        PLACE(max_step),       PLACE(min_deviation),       PLACE(max_deviation),
        PLACE(min_kurtosis),   PLACE(min_band_share),      PLACE(min_regularity)};
    for (uint32_t i = 0; i < sizeof limits; i++) {
        float limit;
        memcpy(&limit, (const unsigned char *)m + limits[i], sizeof limit);
        if (!(limit >= 0.0f) || !mmq_is_finite(limit)) return 0;
    }
    if (!(m->minimum >= -1e9f && m->minimum < m->maximum && m->maximum <= 1e9f)) return 0;
    return m->rail_low < m->rail_high && m->hold_frames <= 4000 && m->min_skewness <= 1e9f;
}

static int modality_is_good(const mmq_modality_t *m, float token_s) {
    if (m->kind >= MMQ_KINDS || !MMQ_HAS(m->kind)) return 0;
    if (m->channels < 1 || m->channels > MMQ_MAX_CHANNELS || m->outputs < 1 || m->outputs > MMQ_MAX_CHANNELS) return 0;
    if (m->decimate < 1 || m->decimate > 64) return 0;
    if (!(m->rate_hz > 0.0f && m->rate_hz <= 4000.0f) || !(token_s * m->rate_hz >= 2.0f)) return 0;
    return rules_are_good(m) && kind_is_good(m);
}

static int statistics_are_good(const mmq_spec_t *spec) {
    const uint32_t features = mmq_all_features(spec);
    if (spec->normaliser == MMQ_RAW) return 1;
    if (spec->normaliser > MMQ_RUNNING || !(spec->prior_tokens > 0.0f) || !(spec->clip > 0.0f)) return 0;
    if (!are_finite(spec->mean, features) || !are_finite(spec->std, features)) return 0;
    for (uint32_t i = 0; i < features; i++) {
        if (!(spec->std[i] > 0.0f)) return 0;
    }
    return 1;
}

int mmq_spec_is_good(const mmq_spec_t *spec) {
    uint32_t features = 0;
    if (spec->version < 1 || spec->version > MMQ_FRONTEND_VERSION || !spec->modalities) return 0;
    if (spec->tokens < 1 || spec->tokens > MMQ_MAX_TOKENS) return 0;
    if (spec->n_modalities < 1 || spec->n_modalities > MMQ_MAX_MODALITIES) return 0;
    if (!(spec->token_s >= 0.1f && spec->token_s <= 3600.0f)) return 0;
    if (!(spec->grace_s >= 0.0f && spec->grace_s <= 3600.0f)) return 0;
    if (spec->quantised && (!(spec->scale > 0.0f) || spec->zero_point < -128 || spec->zero_point > 127)) return 0;
    for (uint32_t m = 0; m < spec->n_modalities; m++) {
        if (!modality_is_good(spec->modalities + m, spec->token_s)) return 0;
        if (spec->look_back_tokens && spec->modalities[m].look_back >> features_of(spec->modalities + m)) return 0;
        features += spec->modalities[m].features + mmq_look_backs(spec, spec->modalities + m);
    }
    return features == spec->n_features && look_back_is_good(spec) && statistics_are_good(spec);
}
