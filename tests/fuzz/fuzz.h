/*
 * fuzz: what the targets share. A target defines LLVMFuzzerTestOneInput; with --enable-fuzzers libFuzzer drives it,
 * else replay.c does with the files of its corpus. A target states what must hold for every input: FUZZ_REQUIRE.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "../../src/base/arena.h"
#include "../../src/http/h1.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FUZZ_REQUIRE(holds)                                                                                            \
    do {                                                                                                               \
        if (!(holds))                                                                                                  \
            fuzz_fail(__FILE__, __LINE__, #holds);                                                                     \
    } while (0)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

_Noreturn void fuzz_fail(const char *file, int line, const char *what);

/* Input is taken from the front; what is left ends where the memory of the input ends, so that a read past it is seen.
 */
struct fuzz_input {
    const char *p;
    size_t n;
};

static inline struct fuzz_input
fuzz_input(const uint8_t *data, size_t size)
{
    return (struct fuzz_input){ (const char *)data, size };
}

unsigned fuzz_byte(struct fuzz_input *in);     /* 0 when there is none left */
struct slice fuzz_line(struct fuzz_input *in); /* up to the next line feed, without it */
struct slice fuzz_rest(struct fuzz_input *in);
/* A copy that ends where its memory ends. free() it. */
char *fuzz_exact(struct slice s);
/* A copy in the arena in which every byte that `good` refuses is `instead`. */
struct slice fuzz_only(struct slice s, bool (*good)(char c), char instead, struct arena *arena);

/* How bytes come to a codec: a first piece, then pieces of so many. */
struct fuzz_cut {
    size_t first, step;
};

/* The end of the piece that begins behind `have` of n bytes. */
static inline size_t
fuzz_cut_end(const struct fuzz_cut *cut, size_t have, size_t n)
{
    size_t end = have < cut->first ? cut->first : have + cut->step;

    return end < n ? end : n;
}

/* Where inputs are short enough to try every cut in two, and the bytes one by one: all of those, one after the other.
 * Begin with { 0, 0 }; false: that was the last one. */
#define FUZZ_CUT_ALL_MAX 300

static inline bool
fuzz_next_cut(struct fuzz_cut *cut, size_t n)
{
    if (cut->step == 1 || n < 2 || n > FUZZ_CUT_ALL_MAX)
        return false;
    if (cut->first + 1 < n)
        *cut = (struct fuzz_cut){ cut->first + 1, n };
    else
        *cut = (struct fuzz_cut){ 1, 1 };
    return true;
}

/* A small generator for choices that should not cost the input a byte each. */
struct fuzz_random {
    uint64_t state;
};
unsigned fuzz_random(struct fuzz_random *r, unsigned below); /* 0 <= result < below */

/* What uri.h promises of a canonical path. */
void fuzz_require_path(struct slice path, const struct uri_rules *rules);
/* Names and values that may go out as they are. */
void fuzz_require_fields(const struct fields *f);
/* The rules that one byte stands for. */
struct uri_rules fuzz_uri_rules(unsigned byte);

#endif
