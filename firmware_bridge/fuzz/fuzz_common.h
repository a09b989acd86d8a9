/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_common.h: what the fuzz targets share: bytes as numbers, made-up samples, promises about what comes out. */
#ifndef FUZZ_COMMON_H
#define FUZZ_COMMON_H

#include "mmq_bridge.h"

/* Stop with a stack trace where a promise is broken: libFuzzer keeps the input. */
#define PROMISE(x) do { if (!(x)) __builtin_trap(); } while (0)

/* The fuzzer's bytes; past their end everything is 0. */
typedef struct {
    const uint8_t *at;
    size_t left;
} fuzz_input_t;

uint8_t fuzz_u8(fuzz_input_t *in);
uint32_t fuzz_u32(fuzz_input_t *in);
float fuzz_float(fuzz_input_t *in);   /* any bit pattern */
double fuzz_double(fuzz_input_t *in); /* any bit pattern */

/* Exactly `bytes` bytes, so that the address sanitizer sees one read or written beyond; never NULL. */
void *fuzz_exactly(size_t bytes);

/* Fill `samples` [channels][frames] in one of several shapes: raw bit patterns, constant, wave, spikes, noise, and a
 * wave that raw bit patterns hit. `phase` is the number of the first frame since the shape began. */
void fuzz_samples(fuzz_input_t *in, const mmq_modality_t *modality, float *samples, uint32_t frames, uint32_t phase);

/* Look-backs of one modality. */
uint32_t fuzz_look_backs(const mmq_spec_t *spec, const mmq_modality_t *modality);

/* Promises about one token: presence is 0 or 1, features of an absent modality are 0, those of a present one are not
 * infinite and, when normalised, finite and within the clip. */
void fuzz_check_token(const mmq_spec_t *spec, const float *features, const uint8_t *presence);

/* Read the window both ways and check that it is the same window. */
void fuzz_check_window(const mmq_bridge_t *bridge, const mmq_spec_t *spec);

/* Change saved bytes as the input says: their length, words of them, or all; maybe sign them again. */
uint8_t *fuzz_forged(fuzz_input_t *in, const uint8_t *saved, size_t *size);

/* The good specs, generated from front ends (see front_ends.py). */
extern const uint32_t fuzz_specs_count;
extern const mmq_spec_t *(*const fuzz_specs[])(void);

#endif
