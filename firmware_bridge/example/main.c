/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: replay the golden samples of this bundle: init, push, step. Prints every bit that comes out.
 *
 * Usage: mmq_example GOLDEN_FOLDER
 *
 * It needs no other runtime: the network is mmq_network.c. Samples are read from their files as they are needed.
 * `mmq-tf verify` compiles it, runs it and compares; on a board, do the same with your sensors in place of the files
 * (wearable.c is the shortest such program; see README.md). Where there is no command line (bare metal),
 * MMQ_GOLDEN_FOLDER says at compile time where the files are.
 *
 * A line for each token:     token NUMBER | presence of each modality | features as float32 bits
 * A line for each window:    window TOKENS | int8 features | int8 presence
 * A line for each decision:  decision NUMBER | abstention, tokens left, likeliest class of each task | probabilities as
 *                            float32 bits, 0 where the network was not run
 *
 * A bundle whose network the C kernels do not know prints no decisions: take TFLite Micro or LiteRT (README.md).
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "mmq_bridge.h"
#include "mmq_spec.h"

#include "mmq_golden.h" /* needs the sizes of mmq_spec.h */
#if MMQ_GOLDEN_NETWORK
#include "mmq_network.h"
#include "mmq_rules.h"
#endif

#define PATH_BYTES 1024
#define NPY_HEADER_BYTES 10
#define SLICE 20000u /* instructions, roughly, after which a control loop may do something else */

/* A .npy file of float32 samples [channels][frames], and where its numbers begin. */
typedef struct {
    FILE *file;
    long start;
} samples_t;

/* Open a .npy file (version 1, little endian, C order). Returns 0 on any problem. */
static int open_samples(samples_t *samples, const char *path)
{
    unsigned char head[NPY_HEADER_BYTES];
    samples->file = fopen(path, "rb");
    if (samples->file == NULL || fread(head, 1, sizeof head, samples->file) != sizeof head) {
        return 0;
    }
    samples->start = NPY_HEADER_BYTES + (long)head[8] + 256L * (long)head[9];
    return memcmp(head, "\x93NUMPY\x01", 7) == 0;
}

/* Index of the first frame at or after a time. */
static uint32_t frame_at(const mmq_golden_t *golden, double time_s)
{
    double index = ceil((time_s - golden->start_s) * golden->rate_hz - 1e-6);
    if (index <= 0.0) {
        return 0;
    }
    return index >= (double)golden->frames ? golden->frames : (uint32_t)index;
}

/* Read frames `first` to `last` of every channel, channel after channel. Returns 0 when the file is too short. */
static int read_frames(const samples_t *samples, const mmq_golden_t *golden, uint32_t first, uint32_t last,
                       float *chunk)
{
    const uint32_t frames = last - first;
    uint32_t channel;
    for (channel = 0; channel < golden->channels; channel++) {
        const long at = (long)channel * (long)golden->frames + (long)first;
        if (fseek(samples->file, samples->start + at * (long)sizeof *chunk, SEEK_SET) != 0 ||
            fread(chunk + (size_t)channel * frames, sizeof *chunk, frames, samples->file) != frames) {
            return 0;
        }
    }
    return 1;
}

/* Push what one sensor measured in one step. Returns 0 on any problem. */
static int push_step(mmq_bridge_t *bridge, uint32_t modality, const samples_t *samples, uint32_t step)
{
    static float chunk[MMQ_GOLDEN_MAX_CHUNK];
    const mmq_golden_t *golden = &mmq_golden[modality];
    const uint32_t first = frame_at(golden, (double)step * MMQ_GOLDEN_STEP_S);
    const uint32_t last = frame_at(golden, (double)(step + 1) * MMQ_GOLDEN_STEP_S);
    const double time_s = golden->start_s + (double)first / golden->rate_hz;
    if (first == last) {
        return 1;
    }
    return read_frames(samples, golden, first, last, chunk) &&
           mmq_bridge_push(bridge, modality, chunk, last - first, time_s) == MMQ_OK;
}

static void print_bits(const float *values, uint32_t count)
{
    uint32_t i;
    for (i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        printf(" %08lx", (unsigned long)bits);
    }
    printf("\n");
}

static void print_token(const mmq_spec_t *spec, int64_t number, const float *features, const uint8_t *presence)
{
    uint32_t i;
    printf("token %ld |", (long)number);
    for (i = 0; i < spec->n_modalities; i++) {
        printf(" %u", (unsigned)presence[i]);
    }
    printf(" |");
    print_bits(features, spec->n_features);
}

static void print_window(const mmq_bridge_t *bridge, const mmq_spec_t *spec)
{
    static int8_t features[MMQ_SPEC_TOKENS * MMQ_SPEC_FEATURES];
    static int8_t presence[MMQ_SPEC_TOKENS * MMQ_SPEC_MODALITIES];
    size_t i;
    if (mmq_bridge_window_i8(bridge, features, presence) != MMQ_OK) {
        return; /* no window yet, or still enrolling */
    }
    printf("window %ld |", (long)mmq_bridge_closed(bridge));
    for (i = 0; i < (size_t)spec->tokens * spec->n_features; i++) {
        printf(" %d", (int)features[i]);
    }
    printf(" |");
    for (i = 0; i < (size_t)spec->tokens * spec->n_modalities; i++) {
        printf(" %d", (int)presence[i]);
    }
    printf("\n");
}

#if MMQ_GOLDEN_NETWORK
static uint32_t arena[MMQ_NETWORK_ARENA_BYTES / 4 + 1];
static int8_t logits[MMQ_RULES_OUTPUTS];
static mmq_network_job_t job = {&mmq_network, (int8_t *)arena, sizeof arena, SLICE, {0, 0, 0}};
static mmq_runner_t runner = {mmq_network_job, &job, (int8_t *)arena + MMQ_NETWORK_FEATURES_AT,
                              (int8_t *)arena + MMQ_NETWORK_PRESENCE_AT, logits, 0};
static mmq_decider_t decider;

static int begin_deciding(mmq_bridge_t *bridge) { return mmq_decider_init(&decider, bridge, &mmq_rules) == MMQ_OK; }

static void print_decision(const mmq_decision_t *decision)
{
    uint32_t i;
    printf("decision %ld | %lu %lu", (long)decision->number, (unsigned long)decision->abstention,
           (unsigned long)decision->tokens_left);
    for (i = 0; i < MMQ_RULES_TASKS; i++) {
        printf(" %u", (unsigned)decision->best[i]);
    }
    printf(" |");
    print_bits(decision->probability, MMQ_RULES_OUTPUTS);
}

/* Make every decision that is due, slice by slice. Returns 0 on any problem. */
static int decide(void)
{
    static mmq_decision_t decision;
    mmq_status_t status;
    while ((status = mmq_step(&decider, &runner, &decision)) == MMQ_OK || status == MMQ_BUSY) {
        if (status == MMQ_OK) {
            print_decision(&decision);
        } /* MMQ_BUSY: here a control loop does its other work, and may push samples */
    }
    return status == MMQ_NO_TOKEN;
}
#else
static int begin_deciding(mmq_bridge_t *bridge) { return bridge != NULL; }
static int decide(void) { return 1; }
#endif

/* Print every token that closed, then the window they end. */
static void drain(mmq_bridge_t *bridge, const mmq_spec_t *spec)
{
    static float features[MMQ_SPEC_FEATURES];
    static uint8_t presence[MMQ_SPEC_MODALITIES];
    int64_t number;
    int closed = 0;
    while (mmq_bridge_token(bridge, features, presence, &number) == MMQ_OK) {
        print_token(spec, number, features, presence);
        closed = 1;
    }
    if (closed) {
        print_window(bridge, spec);
    }
}

static int open_all(samples_t *samples, const char *folder)
{
    char path[PATH_BYTES];
    uint32_t m;
    for (m = 0; m < MMQ_SPEC_MODALITIES; m++) {
        if (mmq_golden[m].frames == 0) {
            continue; /* no such sensor in the golden recording */
        }
        (void)snprintf(path, sizeof path, "%s/%s", folder, mmq_golden[m].file);
        if (!open_samples(&samples[m], path)) {
            (void)fprintf(stderr, "cannot read %s\n", path);
            return 0;
        }
    }
    return 1;
}

/* Returns what the program shall return: 0 when everything was replayed. */
static int replay(const char *folder)
{
    static uint64_t memory[MMQ_SPEC_BYTES / 8 + 1];
    static samples_t samples[MMQ_SPEC_MODALITIES];
    static mmq_spec_t spec;
    mmq_bridge_t *bridge;
    uint32_t m, step;

    spec = mmq_spec;
    spec.enrolment_tokens = MMQ_GOLDEN_ENROLMENT_TOKENS; /* a shorter enrolment than worn, to keep the files small */
    spec.look_back_tokens = MMQ_GOLDEN_LOOK_BACK_TOKENS; /* and a shorter past */
    if (mmq_bridge_init(memory, sizeof memory, &spec, &bridge) != MMQ_OK || !begin_deciding(bridge)) {
        (void)fprintf(stderr, "mmq_bridge_init refused the spec or the memory, or mmq_decider_init the rules\n");
        return 1;
    }
    if (!open_all(samples, folder)) {
        return 1;
    }
    for (step = 0; step < MMQ_GOLDEN_STEPS; step++) {
        for (m = 0; m < MMQ_SPEC_MODALITIES; m++) {
            if (!push_step(bridge, m, &samples[m], step)) {
                (void)fprintf(stderr, "push of modality %u failed at step %u\n", (unsigned)m, (unsigned)step);
                return 1;
            }
            drain(bridge, &spec);
            if (!decide()) {
                (void)fprintf(stderr, "the network failed at step %u\n", (unsigned)step);
                return 1;
            }
        }
    }
    return 0;
}

#ifdef MMQ_GOLDEN_FOLDER
int main(void) { return replay(MMQ_GOLDEN_FOLDER); }
#else
int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s GOLDEN_FOLDER\n", argv[0]);
        return 2;
    }
    return replay(argv[1]);
}
#endif
