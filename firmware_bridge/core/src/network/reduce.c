/* SPDX-License-Identifier: Apache-2.0 */
/* reduce.c: the largest of several, and their mean, and copies from one layout to another. */
#include "network_math.h"

void mmq_maximum(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_maximum_t *p = (const mmq_maximum_t *)parameters;
    const int8_t *input = constant_rows_at(&p->input, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
    for (uint32_t r = 0; r < count; r++, input += p->input.width, output += p->output.width) {
        for (uint32_t j = 0; j < p->count; j++) {
            int8_t largest = input[j];
            for (uint32_t k = 1; k < p->terms; k++) {
                const int8_t value = input[k * p->count + j];
                if (value > largest) largest = value;
            }
            output[j] = largest;
        }
    }
}

void mmq_mean(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_mean_t *p = (const mmq_mean_t *)parameters;
    const int8_t *input = constant_rows_at(&p->input, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
    for (uint32_t r = 0; r < count; r++, input += p->input.width, output += p->output.width) {
        for (uint32_t j = 0; j < p->count; j++) {
            int32_t sum = p->start;
            for (uint32_t k = 0; k < p->terms; k++) sum += input[k * p->count + j];
            sum = high_product(sum * (int32_t)(1u << p->left), p->multiplier);
            if (p->shift > 0) sum = rounded_shift(sum, (int32_t)((1u << p->shift) >> 1), p->shift);
            output[j] = clamped(sum + p->zero_point, -128, 127);
        }
    }
}

void mmq_copy(const void *parameters, int8_t *arena, uint32_t first, uint32_t count) {
    const mmq_copy_t *p = (const mmq_copy_t *)parameters;
    const int8_t *input = constant_rows_at(&p->input, arena, first);
    int8_t *output = rows_at(&p->output, arena, first);
    for (uint32_t r = 0; r < count; r++, input += p->input.width, output += p->output.width) {
        for (uint32_t i = 0; i < p->outer; i++) {
            const int8_t *from = input + i * p->input_outer;
            int8_t *to = output + i * p->output_outer;
            for (uint32_t j = 0; j < p->inner; j++, from += p->input_inner, to += p->output_inner) *to = *from;
        }
    }
}
