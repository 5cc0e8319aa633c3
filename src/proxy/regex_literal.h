/*
 * regex_literal: texts that every subject of a regular expression must hold, read from the pattern without compiling
 * it. Cautious: where the pattern has something that is not understood, less is said, or nothing.
 */
#ifndef PROXY_REGEX_LITERAL_H
#define PROXY_REGEX_LITERAL_H

#include "../base/arena.h"
#include "../base/slice.h"

#include <stdbool.h>

#define REGEX_LITERALS_MAX 8

struct regex_literal {
    struct slice text;
    bool at_start; /* the subject begins with it */
};

/* Those of at least `least` bytes, at most REGEX_LITERALS_MAX; how many. The texts are in the arena. */
unsigned regex_literals(struct slice pattern, size_t least, struct regex_literal out[REGEX_LITERALS_MAX],
                        struct arena *arena);

#endif
