/* spec.c: does a spec hold together? Whatever passes is safe to run, whatever samples come. */
#include "mmq_internal.h"

static int is_power_of_two(uint32_t n) { return n && !(n & (n - 1u)); }

static int are_finite(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!mmq_is_finite(x[i])) return 0;
    }
    return 1;
}

static int decimation_is_good(const mmq_modality_t *m) { return m->decimate >= 1 && m->decimate <= 64; }

static int filters_are_good(const mmq_modality_t *m) {
    if (!decimation_is_good(m) || m->prefilter_sections > 16) return 0;
    if (m->prefilter_sections && (!m->prefilter || !are_finite(m->prefilter, 5u * m->prefilter_sections))) return 0;
    if (!m->bank || m->bands < 1 || m->bands > MMQ_MAX_BANDS || !are_finite(m->bank, 5u * m->bands)) return 0;
    return m->baseline_alpha >= 0.0f && m->baseline_alpha <= 1.0f;
}

static int fft_is_good(const mmq_modality_t *m) {
    return is_power_of_two(m->fft_size) && m->fft_size >= 8 && m->fft_size <= MMQ_MAX_FFT && m->fft_window &&
           m->twiddles;
}

static int bank_is_good(const mmq_modality_t *m) {
    const uint32_t size = 2u * m->bands + (m->kind == MMQ_EMG ? 2u : 0u);
    if (!filters_are_good(m) || !fft_is_good(m) || !m->band_bins) return 0;
    if (m->decimate > 1 && !m->prefilter_sections) return 0;
    if (m->outputs < 1 || m->outputs > MMQ_MAX_CHANNELS || m->features != size * m->outputs) return 0;
    if (m->spatial ? !are_finite(m->spatial, (size_t)m->outputs * m->channels) : m->outputs != m->channels) return 0;
    if (m->spatial && m->kind != MMQ_EEG) return 0;
    for (uint32_t b = 0; b < m->bands; b++) {
        if (m->band_bins[2 * b] >= m->band_bins[2 * b + 1] || m->band_bins[2 * b + 1] > m->fft_size / 2) return 0;
    }
    return m->psd_scale > 0.0f;
}

static int context_is_good(const mmq_modality_t *m) { return m->context >= 2 && m->context <= MMQ_MAX_CONTEXT; }

static int pulse_is_good(const mmq_modality_t *m) {
    if (!filters_are_good(m) || m->bands != 1 || !context_is_good(m) || m->refractory < 1) return 0;
    if (m->decimate > 1 && !m->prefilter_sections) return 0;
    if (m->beat_window < 3 || m->beat_window > 1000 || m->beat_window % 2 == 0) return 0;
    if (m->peak_window < 3 || m->peak_window > m->beat_window || m->peak_window % 2 == 0) return 0;
    if (!mmq_is_finite(m->beat_offset)) return 0;
    if (m->kind == MMQ_ECG) return m->features == 7u * m->outputs;
    if (m->features != 10u * m->outputs || !fft_is_good(m)) return 0;
    if (m->lag_low < 1 || m->lag_low > m->lag_high || 3u * (uint64_t)m->lag_high > m->spectrum_samples) return 0;
    return m->spectrum_decimate >= 1 && m->spectrum_samples >= 8 && m->spectrum_samples <= m->fft_size &&
           m->spectrum_low >= 3 && m->spectrum_low < m->spectrum_high && m->spectrum_high <= m->fft_size / 2 - 3;
}

static int breath_is_good(const mmq_modality_t *m) {
    return filters_are_good(m) && m->bands == 1 && context_is_good(m) && m->features == 4u * m->outputs;
}

static int slow_is_good(const mmq_modality_t *m, uint32_t features) {
    return decimation_is_good(m) && context_is_good(m) && m->features == features * m->outputs;
}

static int kind_is_good(const mmq_modality_t *m) {
    if (MMQ_HAS_BANK && mmq_is_bank(m)) return bank_is_good(m);
    if (m->kind == MMQ_ACC) return m->channels == 3u * m->outputs && m->features == 7u * m->outputs && m->decimate == 1;
    if (m->outputs != m->channels || m->spatial) return 0;
    switch (m->kind) {
    case MMQ_ECG:
    case MMQ_PPG: return MMQ_HAS_PULSE && pulse_is_good(m);
    case MMQ_RESP: return MMQ_HAS(MMQ_RESP) && breath_is_good(m);
    default: return slow_is_good(m, m->kind == MMQ_EDA ? 6 : 3);
    }
}

/* A float that is 0 or more, and finite. */
static int is_limit(float x) { return x >= 0.0f && mmq_is_finite(x); }

static int rules_are_good(const mmq_modality_t *m) {
    const float limits[] = {m->max_lost_share, m->max_saturated_share, m->max_bad_share, m->max_step,
                            m->min_deviation, m->max_deviation, m->min_kurtosis, m->min_band_share, m->min_regularity};
    for (uint32_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (!is_limit(limits[i])) return 0;
    }
    if (!(m->minimum >= -1e9f && m->minimum < m->maximum && m->maximum <= 1e9f)) return 0;
    return m->rail_low < m->rail_high && m->hold_frames <= 4000 && m->min_skewness <= 1e9f;
}

static int modality_is_good(const mmq_modality_t *m, float token_s) {
    if (m->kind >= MMQ_KINDS || !MMQ_HAS(m->kind)) return 0;
    if (m->channels < 1 || m->channels > MMQ_MAX_CHANNELS || m->outputs < 1) return 0;
    if (!(m->rate_hz > 0.0f && m->rate_hz <= 4000.0f) || !(token_s * m->rate_hz >= 2.0f)) return 0;
    return rules_are_good(m) && kind_is_good(m);
}

static int statistics_are_good(const mmq_spec_t *spec) {
    if (spec->normaliser == MMQ_RAW) return 1;
    if (spec->normaliser > MMQ_RUNNING || !spec->mean || !spec->std) return 0;
    if (!(spec->prior_tokens > 0.0f) || !(spec->clip > 0.0f)) return 0;
    for (uint32_t i = 0; i < spec->n_features; i++) {
        if (!(spec->std[i] > 0.0f)) return 0;
    }
    return are_finite(spec->mean, spec->n_features) && are_finite(spec->std, spec->n_features);
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
        features += spec->modalities[m].features;
    }
    return features == spec->n_features && statistics_are_good(spec);
}
