/*
 * regex: PCRE2 with JIT and bounded matching, so that no pattern can be made to run for long by what a request holds.
 * Patterns match anywhere unless they are anchored; `.` matches every byte, `$` only the very end.
 */
#ifndef PROXY_REGEX_H
#define PROXY_REGEX_H

#include "../base/arena.h"

#include <stdbool.h>

struct regex;

/* Compiled; freed with the arena. NULL with a text that says what is wrong and where. */
struct regex *regex_new(struct slice pattern, struct arena *arena, char *error, size_t error_room);
/* 1: it matches; 0: it does not; -1: the limits ended the attempt, nobody knows. Any thread; each has memory of its own
 * until regex_thread_fini. */
int regex_test(struct regex *r, struct slice subject);
void regex_thread_fini(void);

#endif
