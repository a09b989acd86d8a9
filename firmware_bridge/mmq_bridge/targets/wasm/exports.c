/* SPDX-License-Identifier: Apache-2.0 */
/* exports.c: the replay as a WebAssembly module without imports: the page or node writes the script into memory. */
#include <string.h>

#include "replay.h"
#include "vectors.h"

#define EXPORT(name) __attribute__((export_name(#name)))

static unsigned char script[REPLAY_SCRIPT_BYTES];
static uint32_t script_bytes, at;
static char line[REPLAY_LINE];

static size_t read_script(void *stream, void *to, size_t bytes) {
    const size_t left = script_bytes - at, n = bytes < left ? bytes : left;
    (void)stream;
    memcpy(to, script + at, n);
    at += (uint32_t)n;
    return n;
}

static void rewind_script(void *stream) {
    (void)stream;
    at = 0;
}

EXPORT(vector_count) uint32_t vector_count(void);
EXPORT(vector_name) const char *vector_name(uint32_t i);
EXPORT(script_room) unsigned char *script_room(uint32_t bytes);
EXPORT(replay_vector) const char *replay_vector(uint32_t i);

uint32_t vector_count(void) { return REPLAY_VECTORS; }
const char *vector_name(uint32_t i) { return replay_vectors[i].name; }

/* Where to write a script of so many bytes; NULL when it is too long. */
unsigned char *script_room(uint32_t bytes) {
    at = 0;
    script_bytes = bytes;
    return bytes <= sizeof script ? script : NULL;
}

/* Replay the script that was written: a line of hashes, or what went wrong. */
const char *replay_vector(uint32_t i) {
    replay_result_t result;
    const char *problem = replay(replay_vectors + i, read_script, rewind_script, NULL, &result);
    if (problem) return problem;
    replay_line(replay_vectors[i].name, &result, line);
    return line;
}
