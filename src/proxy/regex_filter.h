/*
 * regex_filter: which of many regular expressions a path can match at all, so that finding a route does not try them
 * one by one. Each is entered under four bytes in a row that its subjects must hold, the rarest there are; those
 * without are candidates always.
 */
#ifndef PROXY_REGEX_FILTER_H
#define PROXY_REGEX_FILTER_H

#include "../base/arena.h"
#include "../base/slice.h"

#include <stdint.h>

struct regex_filter;

/* Of n patterns; owned by the caller: regex_filter_free. The arena keeps what it reads in them. */
struct regex_filter *regex_filter_new(const struct slice *patterns, unsigned n, struct arena *arena);
void regex_filter_free(struct regex_filter *f); /* NULL is allowed */

#define REGEX_CANDIDATES_MAX 128

/* Numbers of those that may match, ascending, none that may is missing. -1: more than REGEX_CANDIDATES_MAX, so try them
 * all. */
int regex_filter_find(const struct regex_filter *f, struct slice path, uint32_t out[REGEX_CANDIDATES_MAX]);

#endif
