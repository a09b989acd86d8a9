/* main.c: replay the golden samples of this bundle through the bridge and print every bit that comes out.
 *
 * Usage: mmq_example GOLDEN_FOLDER
 *
 * It needs no model runtime. `mmq-tf verify` compiles it, runs it and compares; on a board, do the same with your
 * sensors in place of the files, and hand `features` and `presence` to the model (see README.md).
 *
 * One line a token:   token NUMBER | presence of each modality | features as float32 bits
 * One line a window:  window TOKENS | int8 features | int8 presence
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mmq_bridge.h"
#include "mmq_spec.h"

#include "mmq_golden.h" /* needs the sizes of mmq_spec.h */

#define PATH_BYTES 1024
#define NPY_HEADER_BYTES 10

/* Read the float32 samples of a .npy file (version 1, little endian, C order). NULL on any problem. */
static float *read_samples(const char *path, size_t count)
{
    unsigned char head[NPY_HEADER_BYTES];
    float *samples = NULL;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    if (fread(head, 1, sizeof head, file) == sizeof head && memcmp(head, "\x93NUMPY\x01", 7) == 0 &&
        fseek(file, (long)head[8] + 256L * (long)head[9], SEEK_CUR) == 0) {
        samples = malloc(count * sizeof *samples);
    }
    if (samples != NULL && fread(samples, sizeof *samples, count, file) != count) {
        free(samples);
        samples = NULL;
    }
    (void)fclose(file);
    return samples;
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

/* Push what one sensor measured from `first` to `last`, channel after channel. */
static mmq_status_t push_frames(mmq_bridge_t *bridge, uint32_t modality, const float *samples, uint32_t first,
                                uint32_t last)
{
    static float chunk[MMQ_GOLDEN_MAX_CHUNK];
    const mmq_golden_t *golden = &mmq_golden[modality];
    uint32_t frames = last - first;
    uint32_t channel;
    if (frames == 0) {
        return MMQ_OK;
    }
    for (channel = 0; channel < golden->channels; channel++) {
        memcpy(chunk + (size_t)channel * frames, samples + (size_t)channel * golden->frames + first,
               frames * sizeof *chunk);
    }
    return mmq_bridge_push(bridge, modality, chunk, frames,
                           golden->start_s + (double)first / golden->rate_hz);
}

static void print_token(const mmq_spec_t *spec, int64_t number, const float *features, const uint8_t *presence)
{
    uint32_t i;
    printf("token %ld |", (long)number);
    for (i = 0; i < spec->n_modalities; i++) {
        printf(" %u", (unsigned)presence[i]);
    }
    printf(" |");
    for (i = 0; i < spec->n_features; i++) {
        uint32_t bits;
        memcpy(&bits, &features[i], sizeof bits);
        printf(" %08lx", (unsigned long)bits);
    }
    printf("\n");
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

int main(int argc, char **argv)
{
    static uint64_t memory[MMQ_SPEC_BYTES / 8 + 1];
    static float *samples[MMQ_SPEC_MODALITIES];
    char path[PATH_BYTES];
    mmq_spec_t spec = mmq_spec;
    mmq_bridge_t *bridge;
    uint32_t m, step;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s GOLDEN_FOLDER\n", argv[0]);
        return 2;
    }
    spec.enrolment_tokens = MMQ_GOLDEN_ENROLMENT_TOKENS; /* a shorter enrolment than worn, to keep the files small */
    if (mmq_bridge_init(memory, sizeof memory, &spec, &bridge) != MMQ_OK) {
        (void)fprintf(stderr, "mmq_bridge_init refused the spec or the memory\n");
        return 1;
    }
    for (m = 0; m < MMQ_SPEC_MODALITIES; m++) {
        const mmq_golden_t *golden = &mmq_golden[m];
        if (golden->frames == 0) {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], golden->file);
        samples[m] = read_samples(path, (size_t)golden->frames * golden->channels);
        if (samples[m] == NULL) {
            (void)fprintf(stderr, "cannot read %s\n", path);
            return 1;
        }
    }
    for (step = 0; step < MMQ_GOLDEN_STEPS; step++) {
        for (m = 0; m < MMQ_SPEC_MODALITIES; m++) {
            uint32_t first = frame_at(&mmq_golden[m], (double)step * MMQ_GOLDEN_STEP_S);
            uint32_t last = frame_at(&mmq_golden[m], (double)(step + 1) * MMQ_GOLDEN_STEP_S);
            if (push_frames(bridge, m, samples[m], first, last) != MMQ_OK) {
                (void)fprintf(stderr, "push of modality %u failed at step %u\n", (unsigned)m, (unsigned)step);
                return 1;
            }
            drain(bridge, &spec);
        }
    }
    for (m = 0; m < MMQ_SPEC_MODALITIES; m++) {
        free(samples[m]);
    }
    return 0;
}
