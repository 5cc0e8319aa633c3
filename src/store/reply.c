#include "reply.h"
#include "../base/xalloc.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

struct reader {
    redisReader *redis;
    struct reply reply; /* under construction */
};

static struct reply *
reply_of(const redisReadTask *t)
{
    return &((struct reader *)t->privdata)->reply;
}

/* The beginning of an answer, or something inside of one. */
static struct reply *
begin(const redisReadTask *t, enum reply_kind kind)
{
    struct reply *r = reply_of(t);

    if (!t->parent) {
        r->kind = kind;
        r->n = 0;
        r->text[0] = '\0';
    } else if (r->kind == REPLY_INTS) {
        r->kind = REPLY_OTHER; /* create_integer has its own way */
    }
    return r;
}

static void *
create_string(const redisReadTask *t, char *p, size_t n)
{
    bool error = t->type == REDIS_REPLY_ERROR;
    struct reply *r = begin(t, error ? REPLY_ERROR : t->type == REDIS_REPLY_STATUS ? REPLY_STATUS : REPLY_STRING);

    if (t->parent && error && r->kind != REPLY_ERROR) {
        r->kind = REPLY_ERROR;
        r->text[0] = '\0';
    }
    if (!r->text[0] && (r->kind != REPLY_ERROR || error))
        snprintf(r->text, sizeof(r->text), "%.*s", n > sizeof(r->text) ? (int)sizeof(r->text) : (int)n, p);
    return r;
}

#if HIREDIS_MAJOR >= 1
static void *
create_array(const redisReadTask *t, size_t elements)
#else
static void *
create_array(const redisReadTask *t, int elements)
#endif
{
    return elements > REPLY_ELEMENTS_MAX ? NULL : begin(t, REPLY_INTS);
}

static void *
create_integer(const redisReadTask *t, long long value)
{
    struct reply *r;

    if (t->parent && !t->parent->parent && reply_of(t)->kind == REPLY_INTS)
        r = reply_of(t);
    else
        r = begin(t, REPLY_INTS);
    if (r->kind != REPLY_INTS)
        return r;
    if (r->n == REPLY_INTS_MAX)
        r->kind = REPLY_OTHER;
    else
        r->ints[r->n++] = value;
    return r;
}

static void *
create_nil(const redisReadTask *t)
{
    return begin(t, REPLY_NIL);
}

static void
free_object(void *p)
{
}

#if HIREDIS_MAJOR >= 1
/* Of RESP 3, which is never asked for. */
static void *
create_double(const redisReadTask *t, double value, char *p, size_t n)
{
    return begin(t, REPLY_OTHER);
}

static void *
create_bool(const redisReadTask *t, int value)
{
    return begin(t, REPLY_OTHER);
}
#endif

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
#if HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
    .createNil = create_nil,
    .freeObject = free_object,
};

struct reader *
reader_new(void)
{
    struct reader *r = xcalloc(1, sizeof(*r));

    r->redis = redisReaderCreateWithFunctions(&functions);
    if (!r->redis) {
        fputs("out of memory\n", stderr);
        abort();
    }
    r->redis->privdata = r;
    r->redis->maxbuf = REPLY_PENDING_MAX; /* smaller ones are kept when they are empty, for the next batch of answers */
    return r;
}

void
reader_free(struct reader *r)
{
    if (!r)
        return;
    redisReaderFree(r->redis);
    free(r);
}

int
reader_feed(struct reader *r, const char *p, size_t n)
{
    return redisReaderFeed(r->redis, p, n) == REDIS_OK ? 0 : -1;
}

const struct reply *
reader_next(struct reader *r, bool *bad)
{
    void *got = NULL;

    *bad = redisReaderGetReply(r->redis, &got) != REDIS_OK;
    if (*bad)
        return NULL;
    if (!got)
        *bad = r->redis->len - r->redis->pos > REPLY_PENDING_MAX;
    return got;
}
