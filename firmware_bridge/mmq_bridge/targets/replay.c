/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c: see replay.h. Portable C99; the same file on every target. */
#include "replay.h"

#include <string.h>

#include "vectors.h" /* sizes that fit every vector */

#define FNV_START 14695981039346656037u
#define FNV_PRIME 1099511628211u

typedef struct {
    const mmq_spec_t *spec;
    const mmq_head_t *head;
    const mmq_network_t *network;
    const mmq_rules_t *rules;
    mmq_bridge_t *bridge;
    replay_result_t *result;
    enum { RAW, NORMAL, LOADED } pass;
} replay_t;

static uint64_t memory[REPLAY_STATE_BYTES / 8 + 1];
static float samples[REPLAY_SAMPLES], features[REPLAY_FEATURES];
static uint8_t presence[MMQ_MAX_MODALITIES];
static uint16_t reasons[MMQ_MAX_MODALITIES];
static unsigned char state[REPLAY_SAVED_BYTES];
static int8_t window[REPLAY_WINDOW], window_presence[REPLAY_WINDOW_PRESENCE];
static float shown[REPLAY_WINDOW], seen[REPLAY_WINDOW_PRESENCE], scratch[MMQ_HEAD_SCRATCH];
static mmq_head_state_t mine;
static unsigned char marks[MMQ_HEAD_SAVED_BYTES];

/* Little-endian bytes, as a script has them. */
static uint64_t number_at(const unsigned char *at, unsigned bytes) {
    uint64_t value = 0;
    while (bytes--) value = value << 8 | at[bytes];
    return value;
}

static void hash(uint64_t *state, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) {
        *state ^= (value >> (8u * i)) & 0xffu;
        *state *= FNV_PRIME;
    }
}

static void hash_floats(uint64_t *state, const float *values, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, sizeof bits);
        hash(state, bits, 4);
    }
}

/* The wearer marks this window, two and two of a class, eight of a stretch; the model's logit is made up. */
static void hash_head(replay_t *run) {
    const uint32_t number = run->result->windows;
    const float logit = 0.75f * ((float)(number % 9u) - 4.0f);
    uint64_t *head = &run->result->head;
    float corrected;
    if (mmq_bridge_window(run->bridge, shown, seen) != MMQ_OK) return;
    hash(head, (uint64_t)mmq_mark(run->head, &mine, shown, seen, logit, number >> 1 & 1u, number >> 3), 1);
    hash(head, (uint64_t)mmq_adapt(run->head, &mine, scratch), 1);
    corrected = mmq_head_apply(run->head, &mine, shown, seen, logit);
    hash_floats(head, &mine.bias, 1);
    hash_floats(head, mine.weight, run->head->components);
    hash_floats(head, &corrected, 1);
}

static const char *save_head(replay_t *run) {
    const size_t size = mmq_head_size(run->head, &mine);
    if (mmq_head_save(run->head, &mine, marks, sizeof marks) != MMQ_OK) return "the head cannot be saved";
    for (size_t i = 0; i < size; i++) hash(&run->result->head, marks[i], 1);
    mmq_head_reset(&mine);
    if (mmq_head_load(run->head, &mine, marks, size) != MMQ_OK) return "the head refuses its own state";
    if (mmq_head_save(run->head, &mine, marks, sizeof marks) != MMQ_OK) return "the head cannot be saved again";
    for (size_t i = 0; i < size; i++) hash(&run->result->head, marks[i], 1);
    return NULL;
}

static void hash_window(replay_t *run) {
    const size_t f = (size_t)run->spec->tokens * run->spec->n_features;
    const size_t m = (size_t)run->spec->tokens * run->spec->n_modalities;
    if (mmq_bridge_window_i8(run->bridge, window, window_presence) != MMQ_OK) return; /* not full, or enrolling */
    for (size_t i = 0; i < f; i++) hash(&run->result->int8, (uint8_t)window[i], 1);
    for (size_t i = 0; i < m; i++) hash(&run->result->int8, (uint8_t)window_presence[i], 1);
    hash_head(run);
    run->result->windows++;
}

/* A made-up model: two tasks, int8 logits that follow from every number of the window, in three slices. */
static const mmq_task_t tasks[2] = {{2u, -5, 0.05f, 1.7f, 0.6f}, {3u, 7, 0.03f, 0.8f, 0.4f}};
static const mmq_rules_t made_up_rules = {2u, 2u, 0.3f, tasks};
#define OUTPUTS 5u
#define SLICES 3u
#define SHOWN 8u

static int8_t decided[REPLAY_WINDOW], decided_presence[REPLAY_WINDOW_PRESENCE], logits[MMQ_MAX_OUTPUTS];
static uint32_t arena[REPLAY_ARENA_BYTES / 4];
static double times_s[SHOWN];
static float kept[SHOWN * MMQ_MAX_OUTPUTS];
static uint32_t slice, outputs;
static mmq_network_job_t job;
static mmq_decider_t decider;
static mmq_runner_t runner;
static mmq_display_t display;
static mmq_decision_t said, shown_said;

static int model(void *context, const int8_t *x, const int8_t *seen, int8_t *out) {
    const mmq_spec_t *spec = context;
    const int32_t f = (int32_t)(spec->tokens * spec->n_features), m = (int32_t)(spec->tokens * spec->n_modalities);
    if (++slice % SLICES) return 1;
    for (int32_t k = 0; k < (int32_t)OUTPUTS; k++) {
        int32_t sum = 0;
        for (int32_t i = 0; i < f + m; i++) sum += (i < f ? x[i] : seen[i - f]) * ((5 * i + 3 * k) % 7 - 3);
        out[k] = (int8_t)((sum % 255 + 255) % 255 - 127);
    }
    return 0;
}

static mmq_status_t begin_deciding(const replay_t *run) {
    const mmq_runner_t fresh = {model, (void *)(uintptr_t)run->spec, decided, decided_presence, logits, 0};
    const mmq_network_job_t first = {run->network, (int8_t *)arena, sizeof arena, REPLAY_SLICE, {0, 0, 0}};
    const mmq_display_t empty = {20.0, times_s, kept, SHOWN, MMQ_MAX_OUTPUTS, 0, 0};
    mmq_status_t status = mmq_decider_init(&decider, run->bridge, run->rules);
    runner = fresh;
    job = first;
    display = empty;
    outputs = 0;
    for (uint32_t t = 0; t < run->rules->n_tasks; t++) outputs += run->rules->tasks[t].classes;
    if (run->network) {
        runner.run = mmq_network_job;
        runner.context = &job;
    } else if (status == MMQ_OK) {
        status = mmq_decider_personal(&decider, run->head, &mine, 0);
    }
    return status;
}

static void hash_decisions(replay_t *run) {
    uint64_t *decisions = &run->result->decisions;
    mmq_status_t status;
    while ((status = mmq_step(&decider, &runner, &said)) == MMQ_OK || status == MMQ_BUSY) {
        if (status == MMQ_BUSY) continue;
        hash(decisions, (uint64_t)said.number, 8);
        hash(decisions, said.abstention, 1);
        hash(decisions, said.tokens_left, 4);
        hash(decisions, said.not_enrolled, 4);
        hash(decisions, said.sure, 1);
        hash_floats(decisions, &said.present_share, 1);
        hash_floats(decisions, said.probability, outputs);
        hash(decisions, (uint64_t)mmq_display_show(&display, run->rules, &said, &shown_said), 1);
        hash(decisions, shown_said.abstention, 1);
        hash_floats(decisions, shown_said.probability, outputs);
    }
    hash(decisions, (uint64_t)status, 1);
}

static uint64_t *features_of(replay_t *run) {
    return run->pass == RAW ? &run->result->raw : run->pass == NORMAL ? &run->result->features : &run->result->saved;
}

static void drain(replay_t *run) {
    const uint32_t m = run->spec->n_modalities;
    replay_result_t *result = run->result;
    int64_t number;
    int any = 0;
    while (mmq_bridge_token(run->bridge, features, presence, &number) == MMQ_OK) {
        any = 1;
        hash_floats(features_of(run), features, run->spec->n_features);
        if (run->pass != NORMAL) continue;
        result->tokens++;
        hash(&result->presence, (uint64_t)number, 8);
        for (uint32_t i = 0; i < m; i++) hash(&result->presence, presence[i], 1);
        if (mmq_bridge_reasons(run->bridge, number, reasons) != MMQ_OK) continue;
        for (uint32_t i = 0; i < m; i++) hash(&result->presence, reasons[i], 2);
    }
    if (!any || run->pass != NORMAL) return;
    hash_window(run);
    hash_decisions(run);
}

/* One operation, its head already read. */
static const char *operate(replay_t *run, const unsigned char *head, replay_read_t read, void *stream) {
    uint32_t what, frames, modality;
    uint64_t mask;
    double time_s;
    mmq_status_t status;
    what = (uint32_t)number_at(head, 4);
    frames = (uint32_t)number_at(head + 4, 4);
    mask = number_at(head + 8, 8);
    memcpy(&time_s, &mask, sizeof time_s);
    modality = what & 0xffffffu;
    if (modality >= run->spec->n_modalities) return "the script names a modality the spec does not have";
    if (what >> 24 == REPLAY_LEAD_OFF) {
        status = mmq_bridge_lead_off(run->bridge, modality, mask);
    } else if (what >> 24 == REPLAY_ADVANCE) {
        status = mmq_bridge_advance(run->bridge, time_s);
    } else {
        const size_t n = (size_t)run->spec->modalities[modality].channels * frames;
        if (n > REPLAY_SAMPLES) return "a push is longer than REPLAY_SAMPLES";
        if (read(stream, samples, n * sizeof *samples) != n * sizeof *samples) return "the script is cut short";
        for (size_t i = 0; i < n; i++) {
            const uint32_t bits = (uint32_t)number_at((const unsigned char *)(samples + i), sizeof bits);
            memcpy(samples + i, &bits, sizeof bits);
        }
        status = what >> 24 == REPLAY_COUNTED
                     ? mmq_bridge_push_counted(run->bridge, modality, samples, frames, (uint32_t)mask)
                     : mmq_bridge_push(run->bridge, modality, samples, frames, time_s);
    }
    if (run->pass == NORMAL) hash(&run->result->presence, (uint64_t)status, 1);
    drain(run);
    return NULL;
}

static const char *save(replay_t *run) {
    const size_t size = mmq_state_size(run->spec);
    if (mmq_state_save(run->bridge, state, sizeof state) != MMQ_OK) return "the state is longer than REPLAY_SAVED_BYTES";
    for (size_t i = 0; i < size; i++) hash(&run->result->saved, state[i], 1);
    return NULL;
}

static const char *once(replay_t *run, replay_read_t read, void *stream) {
    unsigned char head[16];
    const char *problem = NULL;
    const mmq_status_t status = mmq_bridge_init(memory, sizeof memory, run->spec, &run->bridge);
    if (status == MMQ_TOO_SMALL) return "the memory is too small";
    if (status != MMQ_OK) return "the core refuses the spec";
    if (run->pass == NORMAL && begin_deciding(run) != MMQ_OK) return "the core refuses the rules";
    if (run->pass == LOADED && mmq_state_load(run->bridge, state, mmq_state_size(run->spec)) != MMQ_OK) {
        return "the core refuses its own state";
    }
    while (!problem && read(stream, head, sizeof head) == sizeof head) problem = operate(run, head, read, stream);
    return problem;
}

const char *replay(const replay_vector_t *vector, replay_read_t read, void (*again)(void *stream), void *stream,
                   replay_result_t *result) {
    const mmq_spec_t *spec = vector->spec();
    mmq_spec_t raw = *spec;
    replay_t run = {&raw, vector->head(), vector->network, vector->rules, NULL, result, RAW};
    const char *problem;
    if (!run.network) run.rules = &made_up_rules;
    memset(result, 0, sizeof *result);
    result->raw = result->features = result->presence = result->int8 = result->saved = result->head = FNV_START;
    result->decisions = FNV_START;
    result->state_bytes = (uint32_t)mmq_bridge_size(spec);
    raw.normaliser = MMQ_RAW; /* and without look-backs */
    raw.look_back_tokens = raw.n_features = 0;
    for (uint32_t m = 0; m < raw.n_modalities; m++) raw.n_features += raw.modalities[m].features;
    if (mmq_head_init(run.head, &mine) != MMQ_OK) return "the core refuses the head";
    if ((problem = once(&run, read, stream)) != NULL) return problem;
    run.spec = spec;
    for (run.pass = NORMAL; run.pass <= LOADED; run.pass++) {
        again(stream);
        if ((problem = once(&run, read, stream)) != NULL || (problem = save(&run)) != NULL) return problem;
    }
    return save_head(&run);
}

static char *put(char *at, const char *text) {
    while (*text) *at++ = *text++;
    return at;
}

static char *put_hex(char *at, const char *label, uint64_t value) {
    at = put(at, label);
    for (int shift = 60; shift >= 0; shift -= 4) *at++ = "0123456789abcdef"[(value >> shift) & 15u];
    return at;
}

static char *put_count(char *at, const char *label, uint32_t value) {
    char digits[10];
    unsigned n = 0;
    at = put(at, label);
    do digits[n++] = (char)('0' + value % 10u);
    while ((value /= 10u) != 0);
    while (n) *at++ = digits[--n];
    return at;
}

void replay_line(const char *name, const replay_result_t *result, char line[REPLAY_LINE]) {
    char *at = put(line, name);
    at = put_count(at, " tokens=", result->tokens);
    at = put_count(at, " windows=", result->windows);
    at = put_hex(at, " raw=", result->raw);
    at = put_hex(at, " features=", result->features);
    at = put_hex(at, " presence=", result->presence);
    at = put_hex(at, " int8=", result->int8);
    at = put_hex(at, " saved=", result->saved);
    at = put_hex(at, " head=", result->head);
    at = put_hex(at, " decisions=", result->decisions);
    at = put_count(at, " bytes=", result->state_bytes);
    *at = '\0';
}
