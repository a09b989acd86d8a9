/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: replay every vector from NAME.bin in the working folder, a line each. Host and bare metal. */
#include <stdio.h>

#include "replay.h"
#include "vectors.h"

static size_t read_file(void *stream, void *to, size_t bytes) { return fread(to, 1, bytes, stream); }
static void rewind_file(void *stream) { rewind(stream); }

int main(void) {
    int failed = 0;
    for (size_t i = 0; i < REPLAY_VECTORS; i++) {
        const replay_vector_t *vector = replay_vectors + i;
        replay_result_t result;
        char line[REPLAY_LINE];
        const char *problem = "its script cannot be opened";
        FILE *file;
        (void)snprintf(line, sizeof line, "%s.bin", vector->name);
        if ((file = fopen(line, "rb")) != NULL) {
            problem = replay(vector, read_file, rewind_file, file, &result);
            (void)fclose(file);
        }
        if (problem) {
            printf("%s: %s\n", vector->name, problem);
            failed = 1;
        } else {
            replay_line(vector->name, &result, line);
            puts(line);
        }
    }
    return failed;
}
