/* SPDX-License-Identifier: Apache-2.0 */
/* lanes1.c: the operations of lanes.h on one channel: all a microcontroller needs. */
#include "mmq_internal.h"

#define V float
#define LOAD(rows, stride, i) ((void)(stride), (rows)[i])
#define LANE(name) name##_1
#include "lanes.h"

void mmq_transform(float *z, uint32_t n, const float *twiddles) { transform_1(z, n, twiddles); }
