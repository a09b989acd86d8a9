/* SPDX-License-Identifier: Apache-2.0 */
/* names.c: statuses, reasons and kinds by name, for logs and screens. A program that asks for none links none. */
#include "mmq_bridge.h"

#define COUNT(names) (sizeof(names) / sizeof(names)[0])

const char *mmq_status_name(uint32_t status) {
    static const char *const names[] = {
        "ok",         "null",          "bad_spec",      "too_small",     "bad_modality", "bad_time",
        "late",       "no_token",      "not_ready",     "enrolling",     "not_quantised", "newer_spec",
        "state_short", "state_damaged", "state_foreign", "state_newer",   "state_late",   "bad_mark",
        "busy",       "no_network",    "unaligned",     "bad_state",     "bad_plan",     "unhelpful"};
    return status < COUNT(names) ? names[status] : "";
}

const char *mmq_reason_name(uint32_t reasons) {
    static const char *const names[] = {"lost",   "range",    "lead_off", "saturated", "flat",   "step",     "weak",
                                        "strong", "kurtosis", "band",     "irregular", "skewed", "unjudged", "rate"};
    for (uint32_t bit = 0; bit < COUNT(names); bit++) {
        if (reasons >> bit & 1u) return names[bit];
    }
    return "";
}

const char *mmq_kind_name(uint32_t kind) {
    static const char *const names[MMQ_KINDS] = {"eeg", "ecg", "ppg", "eda", "temp", "acc", "eog", "emg", "resp"};
    return kind < MMQ_KINDS ? names[kind] : "";
}
