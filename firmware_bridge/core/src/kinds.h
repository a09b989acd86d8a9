/* SPDX-License-Identifier: Apache-2.0 */
/* kinds.h: what the files of the single kinds share. */
#ifndef MMQ_KINDS_H
#define MMQ_KINDS_H

#include "mmq_internal.h"

/* moments.c: MMQ_WHY_* of a lower limit (0: none): `why` under it, MMQ_WHY_UNJUDGED where the value is no number. */
static inline int mmq_judges_skewness(const mmq_modality_t *spec) { return spec->min_skewness > -1e9f; }
uint32_t mmq_under(float value, float limit, uint32_t why);
/* Whether any rule of the wave is on. */
int mmq_has_rules(const mmq_modality_t *spec);
/* MMQ_WHY_* of the rules that ecg, ppg and resp have in common; next_token: forgets the moments. */
float mmq_band_share(const mmq_filter_t *filter); /* of the power; 0 without any */
uint32_t mmq_filter_reasons(const mmq_filter_t *filter, const mmq_state_t *state);
void mmq_filter_next_token(mmq_filter_t *filter);

/* spectrum.c: place of the vertex of the parabola through three values, from the middle one, -0.5 to 0.5. */
float mmq_vertex(float before, float middle, float after);

/* slow.c: line[0]: mean of the token, line[1], line[2]: slope (a minute) of the context and the deviation from it. Also
 * prepares the next token. Returns how many minutes the context holds; 0 when it is too short for slope and deviation.
 * The mean is NaN without a sample, and 0 is returned. */
float mmq_slow_line(mmq_state_t *state, uint32_t output, float *line);

#endif
