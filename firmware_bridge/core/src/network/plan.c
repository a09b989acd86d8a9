/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c: read a network's plan and check all of it.
 *
 * A plan is a head of 32-bit little-endian words; then tensors, groups and operations as numbers of seven bits a byte, the
 * lowest first, each byte but a number's last with its highest bit set (of signed numbers 0, -1, 1, -2, ... are 0, 1, 2,
 * 3, ...); zeros up to a multiple of 4 bytes; then the data they point into. */
#include "mmq_plan.h"

#include <string.h>

#include "mmq_kernels.h"

#define MAGIC 0x4e514d4du /* "MMQN" */
#define HEAD_WORDS 8u
#define MAX_16 0xffffu
#define MAX_DEPTH (1u << 14)
#define MAX_SHIFT 22u
#define MAX_SOFTMAX 4095u
#define MAX_SUM (1 << 29)

typedef union {
    mmq_dense_t dense;
    mmq_product_t product;
    mmq_pair_t pair;
    mmq_lookup_t lookup;
    mmq_softmax_t softmax;
    mmq_maximum_t maximum;
    mmq_mean_t mean;
    mmq_copy_t copy;
    mmq_outer_t outer;
} parameters_t;

/* Numbers are taken one after the other; `bad` is set by whatever is not as it must be, and stays. */
typedef struct {
    const uint8_t *bytes, *end; /* of what is still to be read */
    const int8_t *data;
    uint32_t data_bytes, arena_bytes;
    uint32_t rows, strip; /* of the group that is read */
    uint64_t work;
    int bad;
} plan_t;

static void want(plan_t *plan, int condition) {
    if (!condition) plan->bad = 1;
}

static uint32_t take(plan_t *plan) {
    uint32_t value = 0;
    for (uint32_t shift = 0; shift < 32u && plan->bytes != plan->end; shift += 7u) {
        const uint32_t byte = *plan->bytes++;
        value |= (byte & 127u) << shift;
        if (byte < 128u) return value;
    }
    plan->bad = 1;
    return 0;
}

static int32_t take_signed(plan_t *plan) {
    const uint32_t value = take(plan);
    return (int32_t)(value >> 1) ^ -(int32_t)(value & 1u);
}

static uint32_t take_up_to(plan_t *plan, uint32_t least, uint32_t most) {
    const uint32_t value = take(plan);
    want(plan, value >= least && value <= most);
    return plan->bad ? least : value;
}

static int32_t take_between(plan_t *plan, int32_t least, int32_t most) {
    const int32_t value = take_signed(plan);
    want(plan, value >= least && value <= most);
    return plan->bad ? least : value;
}

/* Data of so many bytes, aligned to 4. */
static const int8_t *take_data(plan_t *plan, uint64_t bytes) {
    const uint32_t at = take(plan);
    want(plan, at % 4u == 0 && at <= plan->data_bytes && bytes <= plan->data_bytes - at);
    return plan->bad ? NULL : plan->data + at;
}

static void take_rows(plan_t *plan, mmq_rows_t *rows) {
    const uint32_t kind = take_up_to(plan, 0, MMQ_CONSTANT | MMQ_ROLLS);
    const uint32_t at = take_up_to(plan, 0, MMQ_PLAN_MAX_BYTES);
    rows->kind = (uint16_t)kind;
    if (kind & MMQ_CONSTANT) {
        want(plan, at < plan->data_bytes);
        rows->begin.constant = plan->bad ? NULL : plan->data + at;
    } else {
        rows->begin.at = at;
    }
    rows->width = (uint16_t)take_up_to(plan, 0, MAX_16);
}

/* How far behind its begin the last row of rows ends that has so many bytes. */
static uint64_t extent(const plan_t *plan, const mmq_rows_t *rows, uint64_t length) {
    const uint32_t kept = rows->kind & MMQ_ROLLS ? plan->strip : plan->rows;
    return (uint64_t)(kept - 1) * rows->width + length;
}

static void check_input(plan_t *plan, const mmq_rows_t *rows, uint64_t length) {
    uint64_t end;
    if (plan->bad) return;
    end = extent(plan, rows, length);
    if (rows->kind & MMQ_CONSTANT) {
        want(plan, (uint64_t)(rows->begin.constant - plan->data) + end <= plan->data_bytes);
    } else {
        want(plan, rows->begin.at + end <= plan->arena_bytes);
    }
}

static void check_output(plan_t *plan, const mmq_rows_t *rows, uint64_t length) {
    want(plan, !(rows->kind & MMQ_CONSTANT));
    check_input(plan, rows, length);
}

static void do_work(plan_t *plan, uint64_t elements) {
    plan->work += plan->rows * elements;
    want(plan, plan->work <= MMQ_PLAN_MAX_WORK);
}

static int8_t take_byte(plan_t *plan) { return (int8_t)take_between(plan, -128, 127); }

static int16_t take_offset(plan_t *plan) { return (int16_t)take_between(plan, -128, 128); }

static void take_scaling(plan_t *plan, mmq_scaling_t *scaling) {
    scaling->multiplier = take_between(plan, 1 << 30, INT32_MAX);
    scaling->shift = (uint8_t)take_up_to(plan, 1, MAX_SHIFT);
    scaling->zero_point = take_byte(plan);
    scaling->low = (int8_t)((int32_t)take_up_to(plan, 0, 255) - 128);
    scaling->high = (int8_t)(127 - (int32_t)take_up_to(plan, 0, 255));
    want(plan, scaling->low <= scaling->high);
}

static uint32_t take_scratch(plan_t *plan) { return take_up_to(plan, 0, MMQ_PLAN_MAX_ARENA); }

static void check_scratch(plan_t *plan, uint32_t at, uint32_t depth) {
    want(plan, at % 4u == 0 && at + (uint64_t)4 * ((depth + 3u) & ~3u) <= plan->arena_bytes);
}

static void take_bias(plan_t *plan, mmq_dense_t *p) {
    const uint32_t bytes = p->bias_bytes;
    p->bias = take_data(plan, (uint64_t)p->outputs * bytes);
    want(plan, bytes == 0 || bytes == 2u || bytes == 4u);
    for (uint32_t j = 0; bytes == 4u && j < p->outputs && !plan->bad; j++) {
        const int32_t bias = ((const int32_t *)p->bias)[j];
        want(plan, bias > -MAX_SUM && bias < MAX_SUM);
    }
}

static void read_dense(plan_t *plan, mmq_dense_t *p) {
    uint32_t padded;
    take_rows(plan, &p->input);
    take_rows(plan, &p->output);
    p->scratch = take_scratch(plan);
    p->depth = (uint16_t)take_up_to(plan, 1, MAX_DEPTH);
    p->outputs = (uint16_t)take_up_to(plan, 1, MAX_16);
    take_scaling(plan, &p->scaling);
    p->offset = take_offset(plan);
    p->bias_bytes = (uint16_t)take_up_to(plan, 0, 4);
    padded = (p->depth + 3u) & ~3u;
    p->weights = take_data(plan, (uint64_t)p->outputs * padded);
    take_bias(plan, p);
    check_input(plan, &p->input, p->depth);
    check_output(plan, &p->output, p->outputs);
    check_scratch(plan, p->scratch, p->depth);
    do_work(plan, (uint64_t)p->outputs * padded);
}

static void read_product(plan_t *plan, mmq_product_t *p) {
    uint64_t matrix;
    take_rows(plan, &p->left);
    take_rows(plan, &p->right);
    take_rows(plan, &p->output);
    p->scratch = take_scratch(plan);
    p->depth = (uint16_t)take_up_to(plan, 1, MAX_DEPTH / 4u);
    p->outputs = (uint16_t)take_up_to(plan, 1, MAX_16);
    p->left_offset = take_offset(plan);
    p->right_offset = take_offset(plan);
    take_scaling(plan, &p->scaling);
    matrix = (uint64_t)p->depth * p->outputs;
    check_input(plan, &p->left, p->depth);
    want(plan, p->right.width == 0);
    check_input(plan, &p->right, matrix);
    check_output(plan, &p->output, p->outputs);
    check_scratch(plan, p->scratch, p->depth);
    do_work(plan, matrix);
}

static void read_pair(plan_t *plan, mmq_pair_t *p, int adds) {
    take_rows(plan, &p->left);
    take_rows(plan, &p->right);
    take_rows(plan, &p->output);
    p->count = take_up_to(plan, 1, MMQ_PLAN_MAX_ARENA);
    take_scaling(plan, &p->scaling);
    p->right_multiplier = take_signed(plan);
    p->left_offset = take_offset(plan);
    p->right_offset = take_offset(plan);
    p->right_shift = (uint8_t)take_up_to(plan, 0, 30);
    p->ways = (uint8_t)take_up_to(plan, 0, MMQ_LEFT_SAME | MMQ_RIGHT_SAME | MMQ_LEFT_MINUS | MMQ_RIGHT_MINUS);
    want(plan, !adds || p->right_multiplier >= (1 << 30));
    check_input(plan, &p->left, p->ways & MMQ_LEFT_SAME ? 1 : p->count);
    check_input(plan, &p->right, p->ways & MMQ_RIGHT_SAME ? 1 : p->count);
    check_output(plan, &p->output, p->count);
    do_work(plan, p->count);
}

/* What lookups, softmax, maxima and means share: rows of `terms` times count elements become rows of count. Terms of
 * NULL: one, and no number of the plan. */
static void take_mapped(plan_t *plan, mmq_rows_t *input, mmq_rows_t *output, uint32_t *terms, uint32_t *count) {
    uint64_t size = 1;
    take_rows(plan, input);
    take_rows(plan, output);
    if (terms != NULL) size = *terms = take_up_to(plan, 1, MMQ_PLAN_MAX_ARENA);
    *count = take_up_to(plan, 1, MMQ_PLAN_MAX_ARENA);
    size *= *count;
    check_input(plan, input, size);
    check_output(plan, output, *count);
    do_work(plan, size);
}
#define MAPPED(terms) &p->input, &p->output, terms, &p->count

static void read_lookup(plan_t *plan, mmq_lookup_t *p) {
    take_mapped(plan, MAPPED(NULL));
    p->table = take_data(plan, 256);
}

static void read_softmax(plan_t *plan, mmq_softmax_t *p) {
    take_mapped(plan, MAPPED(NULL));
    want(plan, p->count <= MAX_SOFTMAX);
    p->exact = (uint16_t)take_up_to(plan, 1, 256);
    p->differences = (uint16_t)take_up_to(plan, p->exact, 256);
    p->exponentials = (const int32_t *)(const void *)take_data(plan, p->exact * 4u);
    p->small = (const uint16_t *)(const void *)take_data(plan, (p->differences - p->exact) * 2u);
    want(plan, plan->bad || p->exponentials[0] == INT32_MAX);
    for (uint32_t d = 1; d < p->exact && !plan->bad; d++) want(plan, p->exponentials[d] >= 0);
}

static void read_maximum(plan_t *plan, mmq_maximum_t *p) { take_mapped(plan, MAPPED(&p->terms)); }

static void read_mean(plan_t *plan, mmq_mean_t *p) {
    take_mapped(plan, MAPPED(&p->terms));
    want(plan, p->terms <= MAX_DEPTH);
    p->start = take_between(plan, -128 * (int32_t)MAX_DEPTH, 128 * (int32_t)MAX_DEPTH);
    p->multiplier = take_between(plan, 1, INT32_MAX);
    p->left = (uint8_t)take_up_to(plan, 0, 6);
    p->shift = (uint8_t)take_up_to(plan, 0, 30);
    p->zero_point = take_byte(plan);
}

static uint64_t reach(uint32_t outer, uint32_t far_outer, uint32_t inner, uint32_t far_inner) {
    return (uint64_t)(outer - 1) * far_outer + (uint64_t)(inner - 1) * far_inner + 1;
}

static void read_copy(plan_t *plan, mmq_copy_t *p) {
    take_rows(plan, &p->input);
    take_rows(plan, &p->output);
    p->outer = take_up_to(plan, 1, MMQ_PLAN_MAX_ARENA);
    p->inner = take_up_to(plan, 1, MMQ_PLAN_MAX_ARENA);
    p->input_outer = take_up_to(plan, 0, MMQ_PLAN_MAX_ARENA);
    p->input_inner = take_up_to(plan, 0, MMQ_PLAN_MAX_ARENA);
    p->output_outer = take_up_to(plan, 0, MMQ_PLAN_MAX_ARENA);
    p->output_inner = take_up_to(plan, 0, MMQ_PLAN_MAX_ARENA);
    check_input(plan, &p->input, reach(p->outer, p->input_outer, p->inner, p->input_inner));
    check_output(plan, &p->output, reach(p->outer, p->output_outer, p->inner, p->output_inner));
    do_work(plan, (uint64_t)p->outer * p->inner);
}

static void read_outer(plan_t *plan, mmq_outer_t *p) {
    take_rows(plan, &p->output);
    p->count = (uint16_t)take_up_to(plan, 1, MAX_16);
    p->period = (uint16_t)take_up_to(plan, 1, MAX_16);
    p->slow = (const int16_t *)(const void *)take_data(plan, (uint64_t)((plan->rows - 1) / p->period + 1) * p->count * 2u);
    p->fast = (const int16_t *)(const void *)take_data(plan, (uint64_t)p->period * p->count * 2u);
    check_output(plan, &p->output, p->count);
    do_work(plan, p->count);
}

static void read_operation(plan_t *plan, mmq_operation_t *operation, parameters_t *p) {
    static const mmq_kernel_t kernels[] = {NULL, mmq_dense, mmq_product_by_rows, mmq_product_by_columns, mmq_add,
                                           mmq_multiply, mmq_lookup, mmq_softmax, mmq_maximum, mmq_mean, mmq_copy,
                                           mmq_outer};
    const uint32_t kernel = take_up_to(plan, 1, sizeof kernels / sizeof *kernels - 1);
    operation->run = kernels[kernel];
    operation->parameters = p;
    if (plan->bad) return;
    switch (kernel) {
    case 1: read_dense(plan, &p->dense); break;
    case 2:
    case 3: read_product(plan, &p->product); break;
    case 4: read_pair(plan, &p->pair, 1); break;
    case 5: read_pair(plan, &p->pair, 0); break;
    case 6: read_lookup(plan, &p->lookup); break;
    case 7: read_softmax(plan, &p->softmax); break;
    case 8: read_maximum(plan, &p->maximum); break;
    case 9: read_mean(plan, &p->mean); break;
    case 10: read_copy(plan, &p->copy); break;
    default: read_outer(plan, &p->outer); break;
    }
}

static void read_tensor(plan_t *plan, mmq_tensor_t *tensor) {
    const uint32_t name = take_up_to(plan, 0, MMQ_PLAN_MAX_BYTES);
    uint32_t bits, end = name;
    tensor->at = take_up_to(plan, 0, MMQ_PLAN_MAX_ARENA);
    tensor->count = take_up_to(plan, 1, MMQ_PLAN_MAX_ARENA);
    bits = take(plan);
    memcpy(&tensor->scale, &bits, sizeof bits);
    tensor->zero_point = take_between(plan, -128, 127);
    want(plan, tensor->scale > 0 && tensor->scale < 1e30f && (uint64_t)tensor->at + tensor->count <= plan->arena_bytes);
    while (end < plan->data_bytes && plan->data[end] != 0) end++;
    want(plan, end < plan->data_bytes);
    tensor->name = plan->bad ? "" : (const char *)plan->data + name;
}

/* How many of each the head says there are; 0 when it is none. */
typedef struct {
    uint32_t arena_bytes, inputs, outputs, groups, operations, words;
} head_t;

static int read_head(const uint32_t *words, size_t size, head_t *head) {
    static const uint32_t one = 1;
    uint8_t little;
    memcpy(&little, &one, 1);
    if (!little || size < HEAD_WORDS * 4u || size > MMQ_PLAN_MAX_BYTES) return 0;
    if (words[0] != MAGIC || words[1] != MMQ_PLAN_VERSION) return 0;
    head->arena_bytes = words[2];
    head->inputs = words[3];
    head->outputs = words[4];
    head->groups = words[5];
    head->operations = words[6];
    head->words = words[7]; /* of everything before the data, in words */
    if (head->arena_bytes > MMQ_PLAN_MAX_ARENA || head->words > size / 4u || head->words < HEAD_WORDS) return 0;
    if (head->inputs == 0 || head->inputs > MMQ_NETWORK_MAX_TENSORS) return 0;
    if (head->outputs == 0 || head->outputs > MMQ_NETWORK_MAX_TENSORS) return 0;
    return head->groups <= head->operations && head->operations > 0 && head->operations <= head->words * 4u;
}

/* What is laid out in the memory, all aligned as pointers are. */
typedef struct {
    mmq_network_t network;
    mmq_tensor_t tensors[2 * MMQ_NETWORK_MAX_TENSORS];
} fixed_t;

static size_t memory_of(const head_t *head) {
    const size_t parts = sizeof(parameters_t) + sizeof(mmq_operation_t);
    return sizeof(fixed_t) + head->operations * parts + head->groups * sizeof(mmq_group_t);
}

size_t mmq_plan_size(const void *bytes, size_t size) {
    head_t head;
    if (bytes == NULL || (uintptr_t)bytes % 4u != 0 || !read_head((const uint32_t *)bytes, size, &head)) return 0;
    return memory_of(&head);
}

static void read_groups(plan_t *plan, const head_t *head, mmq_group_t *groups, mmq_operation_t *operations,
                        parameters_t *parameters) {
    uint32_t left = head->operations;
    for (uint32_t g = 0; g < head->groups && !plan->bad; g++) {
        mmq_group_t *group = groups + g;
        group->operations = (uint16_t)take_up_to(plan, 1, left < MAX_16 ? left : MAX_16);
        group->rows = (uint16_t)(plan->rows = take_up_to(plan, 1, MAX_16));
        group->strip = (uint16_t)(plan->strip = take_up_to(plan, 1, group->rows));
        group->cost = take(plan);
        for (uint32_t i = 0; i < group->operations && !plan->bad; i++) {
            read_operation(plan, operations++, parameters++);
            left--;
        }
    }
    want(plan, left == 0);
}

static void read_all(plan_t *plan, const head_t *head, fixed_t *fixed) {
    parameters_t *parameters = (parameters_t *)(void *)(fixed + 1);
    mmq_operation_t *operations = (mmq_operation_t *)(void *)(parameters + head->operations);
    mmq_group_t *groups = (mmq_group_t *)(void *)(operations + head->operations);
    mmq_network_t *network = &fixed->network;
    network->arena_bytes = head->arena_bytes;
    network->n_inputs = head->inputs;
    network->n_outputs = head->outputs;
    network->n_groups = head->groups;
    network->inputs = fixed->tensors;
    network->outputs = fixed->tensors + head->inputs;
    network->groups = groups;
    network->operations = operations;
    for (uint32_t i = 0; i < head->inputs + head->outputs; i++) read_tensor(plan, fixed->tensors + i);
    read_groups(plan, head, groups, operations, parameters);
    for (; plan->bytes != plan->end && plan->bytes + 4 > plan->end; plan->bytes++) want(plan, *plan->bytes == 0);
    want(plan, plan->bytes == plan->end);
}

mmq_status_t mmq_plan_load(const void *bytes, size_t size, void *memory, size_t memory_size,
                           const mmq_network_t **network) {
    const uint32_t *words = (const uint32_t *)bytes;
    head_t head;
    plan_t plan;
    if (network == NULL) return MMQ_NULL;
    *network = NULL;
    if (bytes == NULL || memory == NULL) return MMQ_NULL;
    if ((uintptr_t)bytes % 4u != 0 || (uintptr_t)memory % sizeof(void *) != 0) return MMQ_UNALIGNED;
    if (!read_head(words, size, &head)) return MMQ_BAD_PLAN;
    if (memory_size < memory_of(&head)) return MMQ_TOO_SMALL;
    memset(&plan, 0, sizeof plan);
    plan.bytes = (const uint8_t *)(words + HEAD_WORDS);
    plan.end = (const uint8_t *)(words + head.words);
    plan.data = (const int8_t *)(const void *)plan.end;
    plan.data_bytes = (uint32_t)(size - (size_t)head.words * 4u);
    plan.arena_bytes = head.arena_bytes;
    plan.rows = plan.strip = 1;
    read_all(&plan, &head, (fixed_t *)memory);
    if (plan.bad) return MMQ_BAD_PLAN;
    *network = &((const fixed_t *)memory)->network;
    return MMQ_OK;
}
