/*
 * reply: one answer of Redis, read by hiredis without allocating: what a script may return (integers), an error, a
 * short text. All else is REPLY_OTHER: it is read to its end, so that the answers behind it keep their places, and
 * forgotten.
 */
#ifndef STORE_REPLY_H
#define STORE_REPLY_H

#include "../base/slice.h"

#include <stdint.h>

#define REPLY_INTS_MAX 64
#define REPLY_TEXT_MAX 256
#define REPLY_ELEMENTS_MAX 4096       /* of one array; more is taken for a broken server */
#define REPLY_PENDING_MAX (64 * 1024) /* bytes of an answer that is not complete */

enum reply_kind { REPLY_INTS, REPLY_STATUS, REPLY_STRING, REPLY_NIL, REPLY_ERROR, REPLY_OTHER };

struct reply {
    enum reply_kind kind;
    unsigned n;
    int64_t ints[REPLY_INTS_MAX];
    char text[REPLY_TEXT_MAX]; /* of an error (the first one, inside of arrays too), status or string; for OTHER its
                                  first string. Cut */
};

struct reader;

struct reader *reader_new(void);
void reader_free(struct reader *r); /* NULL is fine */
/* 0, or -1: what came is no answer of Redis, or too large. */
int reader_feed(struct reader *r, const char *p, size_t n);
/* The next complete answer, valid until the next call; NULL: none yet. *bad: as reader_feed's -1. */
const struct reply *reader_next(struct reader *r, bool *bad);

#endif
