/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_bits.h: refuses what cannot give the same bits as every other target. Every file of the core includes it. */
#ifndef MMQ_BITS_H
#define MMQ_BITS_H

#include <float.h>

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0) || \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__)
#error "mmq: fast-math changes bits and takes NaN for impossible; compile without -ffast-math and -Ofast"
#endif
#if !defined(FLT_EVAL_METHOD) || FLT_EVAL_METHOD != 0
#error "mmq: float must be evaluated as float: on i686 add -msse2 -mfpmath=sse, on s390x -fexcess-precision=fast"
#endif
#if FLT_RADIX != 2 || FLT_MANT_DIG != 24 || FLT_MAX_EXP != 128 || DBL_MANT_DIG != 53
#error "mmq: float and double must be IEEE 754's"
#endif

#endif
