/* SPDX-License-Identifier: Apache-2.0 */
/* display.c: what a display shows of decisions: the average of the last seconds. */
#include "mmq_decision.h"
#include "mmq_internal.h"

#include <string.h>

#define ROUNDING_S 1e-6

static uint32_t row_at(const mmq_display_t *display, uint32_t i) { return (display->first + i) % display->rows; }

static void drop_oldest(mmq_display_t *display) {
    display->first = row_at(display, 1);
    display->count--;
}

static void keep(mmq_display_t *display, const mmq_decision_t *decision) {
    uint32_t row;
    while (display->count &&
           !(decision->time_s - display->times_s[display->first] < display->display_s - ROUNDING_S)) {
        drop_oldest(display);
    }
    if (display->count == display->rows) drop_oldest(display);
    row = row_at(display, display->count++);
    display->times_s[row] = decision->time_s;
    memcpy(display->kept + (size_t)row * display->columns, decision->probability,
           decision->n_probabilities * sizeof(float));
}

mmq_status_t mmq_display_show(mmq_display_t *display, const mmq_rules_t *rules, const mmq_decision_t *decision,
                              mmq_decision_t *shown) {
    if (!display || !rules || !decision || !shown || !display->times_s || !display->kept) return MMQ_NULL;
    if (!display->rows || display->columns < decision->n_probabilities) return MMQ_TOO_SMALL;
    if (shown != decision) *shown = *decision;
    if (!decision->n_probabilities) return MMQ_OK;
    keep(display, decision);
    for (uint32_t k = 0; k < decision->n_probabilities; k++) {
        float mean = 0.0f;
        for (uint32_t i = 0; i < display->count; i++) {
            const float p = display->kept[(size_t)row_at(display, i) * display->columns + k];
            mean += (p - mean) / (float)(i + 1u);
        }
        shown->probability[k] = mean;
    }
    mmq_judge(rules, shown);
    return MMQ_OK;
}
