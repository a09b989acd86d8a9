/* kinds.h: what the files of the single kinds share. */
#ifndef MMQ_KINDS_H
#define MMQ_KINDS_H

#include "mmq_internal.h"

/* moments.c: mean and deviation of some numbers, kept as sums of differences from the first. Starts as zeros. */
typedef struct {
    float n, first, sum, square;
} mmq_spread_t;
void mmq_spread_add(mmq_spread_t *spread, float x);
float mmq_spread_mean(const mmq_spread_t *spread);      /* n > 0 */
float mmq_spread_deviation(const mmq_spread_t *spread); /* population; n > 0 */

/* moments.c: MMQ_WHY_* of the rules that ecg, ppg and resp have in common. */
uint16_t mmq_moments_reasons(const mmq_modality_t *spec, const mmq_moments_t *whole, const mmq_moments_t *band);

/* spectrum.c: place of the vertex of the parabola through three values, from the middle one, -0.5 to 0.5. */
float mmq_vertex(float before, float middle, float after);

/* slow.c: of the token the mean, of the context the slope (a minute) and the deviation from that line. Also prepares
 * the next token. Returns how many minutes the context holds; 0 when it is too short for slope and deviation. The
 * mean is NaN without a sample, and 0 is returned. */
float mmq_slow_line(mmq_state_t *state, uint32_t output, float *mean, float *slope, float *deviation);

#endif
