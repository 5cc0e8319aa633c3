#include "question.h"
#include "../base/iobuf.h"
#include "../base/xalloc.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX 8

struct asking {
    struct conn *conn; /* NULL: it could not even begin */
    redisReader *reader;
    struct arena arena;
    struct iobuf out;
    struct timer timer;
    size_t read;
    unsigned skip; /* answers before the one that counts */
    char error[256];
    question_done done;
    void *arg;
};

/* ------------------------------------------------------------------ the tree */

static struct answer *
grow(const redisReadTask *t, enum answer_type type)
{
    struct asking *k = t->privdata;
    struct answer *a = arena_zalloc(&k->arena, sizeof(*a)), *parent;

    a->type = type;
    if (t->parent) {
        parent = t->parent->obj;
        parent->at[t->idx] = a;
    }
    return a;
}

static void *
create_string(const redisReadTask *t, char *p, size_t n)
{
    struct answer *a = grow(t, t->type == REDIS_REPLY_ERROR ? ANSWER_ERROR : ANSWER_TEXT);

    a->text = arena_slice(&((struct asking *)t->privdata)->arena, slice_of(p, n));
    return a;
}

#if HIREDIS_MAJOR >= 1
static void *
create_array(const redisReadTask *t, size_t elements)
#else
static void *
create_array(const redisReadTask *t, int elements)
#endif
{
    struct asking *k = t->privdata;
    struct answer *a;

    if (elements > ANSWER_ELEMENTS_MAX || k->arena.used > 8 * ANSWER_BYTES_MAX)
        return NULL;
    a = grow(t, ANSWER_ARRAY);
    a->n = (unsigned)elements;
    a->at = arena_zalloc(&k->arena, (a->n + 1) * sizeof(*a->at));
    return a;
}

static void *
create_integer(const redisReadTask *t, long long value)
{
    struct answer *a = grow(t, ANSWER_INTEGER);

    a->value = value;
    return a;
}

static void *
create_nil(const redisReadTask *t)
{
    return grow(t, ANSWER_NIL);
}

static void
free_object(void *p)
{
}

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
};

/* ------------------------------------------------------------------ asking */

static void
asking_free(struct asking *k)
{
    if (k->conn)
        conn_close(k->conn);
    timer_fini(&k->timer);
    redisReaderFree(k->reader);
    iobuf_fini(&k->out);
    arena_fini(&k->arena);
    free(k);
}

static void
finish(struct asking *k, const struct answer *a, const char *error)
{
    char text[256];

    if (a && a->type == ANSWER_ERROR) {
        snprintf(text, sizeof(text), "%s", a->text.p);
        a = NULL;
        error = text;
    }
    k->done(a, error, k->arg);
    asking_free(k);
}

static void
add_command(struct iobuf *out, int argc, const char *const *argv, const size_t *lengths)
{
    char *command = NULL;
    int len = redisFormatCommandArgv(&command, argc, (const char **)argv, lengths);

    if (len > 0)
        iobuf_add(out, command, (size_t)len);
    redisFreeCommand(command);
}

static void
add_commands(struct asking *k, const struct question *q)
{
    const char *argv[WORDS_MAX] = { "AUTH" };
    size_t lengths[WORDS_MAX] = { 4 };
    int n = 1;

    if (q->password.n) {
        if (q->user.n) {
            argv[n] = q->user.p;
            lengths[n++] = q->user.n;
        }
        argv[n] = q->password.p;
        lengths[n++] = q->password.n;
        add_command(&k->out, n, argv, lengths);
        k->skip = 1;
    }
    for (n = 0; n < WORDS_MAX && q->words[n]; n++)
        lengths[n] = strlen(q->words[n]);
    add_command(&k->out, n, q->words, lengths);
}

/* True when it is over. */
static bool
write_all(struct asking *k)
{
    struct iovec iov[4];
    ssize_t put;

    while (k->out.len) {
        put = conn_writev(k->conn, iov, iobuf_iov(&k->out, iov, 4));
        if (put == CONN_AGAIN)
            return false;
        if (put < 0) {
            finish(k, NULL, conn_error(k->conn));
            return true;
        }
        iobuf_consume(&k->out, (size_t)put);
    }
    return false;
}

/* True when it is over. */
static bool
take(struct asking *k)
{
    void *got = NULL;

    while (redisReaderGetReply(k->reader, &got) == REDIS_OK) {
        if (!got)
            return false;
        if (!k->skip) {
            finish(k, got, NULL);
            return true;
        }
        k->skip--;
    }
    finish(k, NULL, "what came is no answer of Redis");
    return true;
}

static void
read_all(struct asking *k)
{
    char buf[4096];
    ssize_t got;

    while ((got = conn_read(k->conn, buf, sizeof(buf))) != CONN_AGAIN) {
        if (got < 0) {
            finish(k, NULL, got == CONN_EOF ? "the connection was closed" : conn_error(k->conn));
            return;
        }
        k->read += (size_t)got;
        if (k->read > ANSWER_BYTES_MAX) {
            finish(k, NULL, "the answer is too long");
            return;
        }
        if (redisReaderFeed(k->reader, buf, (size_t)got) != REDIS_OK) {
            finish(k, NULL, "what came is no answer of Redis");
            return;
        }
        if (take(k))
            return;
    }
}

static void
on_ready(struct conn *c, unsigned events)
{
    struct asking *k = c->owner;

    if (c->broken)
        finish(k, NULL, conn_error(c));
    else if (!write_all(k))
        read_all(k);
}

static void
on_timer(struct timer *t)
{
    struct asking *k = (struct asking *)((char *)t - offsetof(struct asking, timer));

    finish(k, NULL, k->conn ? "no answer in time" : k->error);
}

struct asking *
question_ask(struct loop *l, const struct question *q, question_done done, void *arg)
{
    struct asking *k = xcalloc(1, sizeof(*k));
    struct err e = { 0 };

    k->done = done;
    k->arg = arg;
    arena_init(&k->arena);
    iobuf_init(&k->out, ANSWER_BYTES_MAX);
    timer_init(&k->timer, l, on_timer);
    k->reader = redisReaderCreateWithFunctions(&functions);
    if (!k->reader) {
        fputs("out of memory\n", stderr);
        abort();
    }
    k->reader->privdata = k;
    add_commands(k, q);
    k->conn = conn_connect(l, q->to, q->tls, q->server_name, &e);
    if (k->conn)
        conn_attach(k->conn, on_ready, k);
    else
        snprintf(k->error, sizeof(k->error), "%s", e.text);
    timer_after(&k->timer, k->conn ? q->timeout : 0);
    return k;
}

void
question_cancel(struct asking *k)
{
    asking_free(k);
}
