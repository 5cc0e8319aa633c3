#include "up_h1.h"
#include "../base/xalloc.h"
#include "h1_reader.h"
#include "h1_writer.h"
#include "up_impl.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

/* How long a connection is left alone after an answer whose body was told of and must not come, so that a body that
 * comes nevertheless is not taken for the next answer. */
#define REST (100 * NSEC_PER_MSEC)
/* Steps before a session whose both sides are never dry lets the others of its worker have a turn. */
#define STEPS_MAX 8

enum up_state {
    UP_IDLE,   /* no stream */
    UP_HEAD,   /* a response head is awaited; also before `request` */
    UP_SWITCH, /* 101 was announced, `upgraded` is awaited */
    UP_BODY,   /* also the bytes of a tunnel */
    UP_DONE,   /* the response is complete */
    UP_FAILED  /* on_error was called, or the connection is closed */
};

struct up_h1 {
    struct up_session b; /* first */
    struct up_stream s;  /* public. Valid while it is open */
    struct h1_reader in;
    struct h1_writer out;
    struct arena *arena; /* of the stream's owner */
    struct task task;
    struct timer yield;
    unsigned interims;
    enum up_state state;
    enum http_method method; /* of the request */
    bool asked_upgrade;      /* the request offered one */
    bool tunnel;             /* raw bytes both ways */
    bool shut;               /* tunnel: our side was ended */
    bool write_failed;       /* the rest of the request will not go: the origin takes no more, or its head's promise
                                was broken. What the origin says is still read */
    bool released;           /* since the last turn: the owner is to be told */
    bool running, again;     /* inside up_run; one more step is wanted */
    bool ended;              /* freed at the end of the turn */
};

static void up_run(struct up_h1 *u);

static struct up_h1 *
session_of(struct up_stream *s)
{
    return (struct up_h1 *)((char *)s - offsetof(struct up_h1, s));
}

/* ------------------------------------------------------------------ life */

static void
later(struct up_h1 *u)
{
    if (u->running)
        u->again = true;
    else
        loop_at_turn_end(u->b.loop, &u->task);
}

static void
on_task(struct task *t)
{
    up_run((struct up_h1 *)((char *)t - offsetof(struct up_h1, task)));
}

static void
on_yield(struct timer *t)
{
    up_run((struct up_h1 *)((char *)t - offsetof(struct up_h1, yield)));
}

static void
on_ready(struct conn *c, unsigned events)
{
    up_run(c->owner);
}

static void
close_conn(struct up_h1 *u)
{
    if (u->b.c)
        conn_close(u->b.c);
    u->b.c = NULL;
}

static void
close_session(struct up_session *b)
{
    struct up_h1 *u = (struct up_h1 *)b;

    close_conn(u);
    u->ended = true;
    task_cancel(u->b.loop, &u->task);
    timer_fini(&u->yield);
    h1_reader_fini(&u->in);
    h1_writer_fini(&u->out);
    loop_defer_free(u->b.loop, free, u);
}

/* The connection is of no use any more and has no stream. */
static void
gone(struct up_h1 *u)
{
    close_conn(u);
    if (u->b.events)
        u->b.events->on_closed(&u->b, u->b.arg);
    close_session(&u->b);
}

/* ------------------------------------------------------------------ ops */

static void
op_request(struct up_stream *s, const struct http_request *r, struct slice target, struct body_framing body)
{
    struct up_h1 *u = session_of(s);

    if (!u->b.c || u->state != UP_HEAD)
        return;
    u->method = r->method;
    u->asked_upgrade = r->upgrade.n > 0;
    h1_write_request(&u->out.out, r, target, body);
    h1_writer_begin(&u->out, body);
    later(u);
}

static void
note_written(struct up_h1 *u)
{
    u->s.bytes_out = u->out.bytes;
    u->s.wrote = u->out.bytes > 0;
}

static void
op_send(struct up_stream *s, struct iobuf *from, size_t n)
{
    struct up_h1 *u = session_of(s);

    if (!u->b.c || u->write_failed || h1_writer_send(&u->out, from, n) < 0) {
        u->write_failed = true; /* longer than promised: what is there must not pass for a request */
        iobuf_consume(from, n);
    } else if (u->s.wrote && u->out.out.len >= H1_WRITER_LARGE) {
        /* The first bytes wait for the turn of the session: an end that came with this turn's events is heard first. */
        h1_writer_flush(&u->out, u->b.c);
        note_written(u);
    }
    later(u);
}

static size_t
op_room(const struct up_stream *s)
{
    const struct up_h1 *u = (const struct up_h1 *)((const char *)s - offsetof(struct up_h1, s));

    return iobuf_room(&u->out.out);
}

static void
op_end(struct up_stream *s, const struct fields *trailers)
{
    struct up_h1 *u = session_of(s);

    if (h1_writer_end(&u->out, trailers) < 0)
        u->write_failed = true;
    later(u);
}

static void
op_consumed(struct up_stream *s)
{
    later(session_of(s));
}

static void
op_upgraded(struct up_stream *s)
{
    struct up_h1 *u = session_of(s);
    struct body_framing raw = { .kind = BODY_UNTIL_CLOSE };

    if (u->state != UP_SWITCH)
        return;
    u->tunnel = true;
    u->state = UP_BODY;
    s->in_end = false;
    h1_reader_begin_body(&u->in, raw);
    h1_writer_begin(&u->out, raw);
    later(u);
}

/* Both messages ended well, both sides want to go on, and nothing came that was not asked for (RFC 9112 9.3). */
static bool
reusable(struct up_h1 *u)
{
    if (!u->b.events || u->state != UP_DONE || u->tunnel || u->write_failed || !u->s.res.keep_alive)
        return false;
    if (!u->out.ended || u->out.out.len || u->in.raw.len || u->b.c->broken || u->b.c->eof)
        return false;
    /* The last read filled its room, or an end is in sight: more may be there. */
    return !(u->b.c->ready & CONN_READABLE) || h1_reader_fill(&u->in, u->b.c) == READER_AGAIN;
}

static void
op_release(struct up_stream *s)
{
    struct up_h1 *u = session_of(s);
    bool keep = u->b.c && reusable(u);

    if (u->b.c && u->tunnel && u->out.ended)
        h1_writer_flush(&u->out, u->b.c); /* what came last, with the client's end */
    u->b.streams = 0;
    u->b.served++;
    u->arena = NULL;
    iobuf_fini(&s->in);
    u->b.idle_until = 0;
    if (keep) {
        u->state = UP_IDLE;
        if (s->res.keep_alive_timeout)
            u->b.idle_until = clock_now() + s->res.keep_alive_timeout;
        u->b.rest_until = s->res.body_withheld ? clock_now() + REST : 0;
    } else {
        u->state = UP_FAILED;
        close_conn(u);
    }
    if (!u->b.events) {
        close_session(&u->b); /* there is nobody to tell */
        return;
    }
    u->released = true;
    later(u);
}

static const struct up_ops up_h1_ops = {
    .request = op_request,
    .send = op_send,
    .room = op_room,
    .end = op_end,
    .consumed = op_consumed,
    .upgraded = op_upgraded,
    .release = op_release,
};

/* ------------------------------------------------------------------ sessions */

static struct up_stream *
open_stream(struct up_session *b, struct arena *arena, size_t in_cap)
{
    struct up_h1 *u = (struct up_h1 *)b;
    struct up_stream *s = &u->s;

    assert(!u->b.streams && u->state == UP_IDLE);
    memset(s, 0, sizeof(*s));
    s->ops = &up_h1_ops;
    s->reused = b->served > 0;
    iobuf_init(&s->in, in_cap);
    fields_init(&s->trailers, arena);
    u->arena = arena;
    b->streams = 1;
    u->state = UP_HEAD;
    u->interims = 0;
    u->in.bytes = u->out.bytes = 0;
    u->asked_upgrade = u->tunnel = u->shut = false;
    u->out.ended = u->out.full = false;
    u->out.kind = BODY_NONE;
    return s;
}

static unsigned
room_for_streams(const struct up_session *b)
{
    const struct up_h1 *u = (const struct up_h1 *)b;

    return b->c && u->state == UP_IDLE;
}

static const struct up_kind up_h1_kind = { open_stream, close_session, room_for_streams };

struct up_session *
up_h1_new(struct conn *c, const struct h1_limits *limits, const struct up_session_events *events, void *arg)
{
    struct up_h1 *u = xcalloc(1, sizeof(*u));

    u->b.kind = &up_h1_kind;
    u->b.c = c;
    u->b.loop = c->watch.loop;
    u->b.events = events;
    u->b.arg = arg;
    u->b.limits = *limits;
    u->b.most = 1;
    u->task.run = on_task;
    timer_init(&u->yield, u->b.loop, on_yield);
    h1_reader_init(&u->in);
    h1_writer_init(&u->out);
    conn_attach(c, on_ready, u);
    return &u->b;
}

/* ------------------------------------------------------------------ the response */

static void
fail(struct up_h1 *u, enum up_error error, const char *detail)
{
    u->state = UP_FAILED;
    close_conn(u);
    u->s.events->on_error(&u->s, error, detail);
}

static void
fail_lost(struct up_h1 *u, enum reader_result result)
{
    const char *detail = result == READER_EOF ? "the origin closed the connection" : "the origin reset the connection";

    if (u->b.c && conn_error_kind(u->b.c) == ERR_TLS) /* an alert: it says what the origin did not like */
        detail = conn_error(u->b.c);                  /* until the end of the turn */
    fail(u, u->s.responded ? UP_RESET : UP_CLOSED_EARLY, detail);
}

/* All of them lie in the arena until the stream ends: together they may be as large as one head. */
static void
take_interim(struct up_h1 *u, const struct http_response *r)
{
    if (++u->interims > UP_INTERIM_MAX || u->in.bytes > u->b.limits.head)
        fail(u, UP_BAD_RESPONSE, "too many interim responses");
    else if (u->s.events->on_interim)
        u->s.events->on_interim(&u->s, r);
}

/* What has come of the body by now. */
static enum reader_result
decode_body(struct up_h1 *u, struct h1_error *err)
{
    struct up_stream *s = &u->s;
    struct h1_body_target t = { .in = &s->in, .trailers = &s->trailers, .limits = &u->b.limits };
    bool until_close = u->in.kind == BODY_UNTIL_CLOSE;
    enum reader_result result = h1_reader_body(&u->in, u->b.c, &t, err);

    /* The failed write was told of the reset, and reading is not told again: this end is none. */
    if (result == READER_END && until_close && u->write_failed)
        result = READER_BROKEN;
    s->bytes_in = u->in.bytes;
    s->in_end = result == READER_END;
    if (s->in_end)
        u->state = UP_DONE;
    return result;
}

/* A body that cannot be gone on with. */
static void
fail_body(struct up_h1 *u, enum reader_result result, const struct h1_error *err)
{
    if (result == READER_BAD)
        fail(u, UP_BAD_RESPONSE, err->text);
    else if (result == READER_EOF || result == READER_BROKEN)
        fail_lost(u, result);
}

/* What came of the body along with the head is looked at first: as long as nobody was told of an answer that is broken,
 * there can be a better one. */
static void
take_final(struct up_h1 *u, const struct http_response *r)
{
    struct up_stream *s = &u->s;
    enum reader_result result;
    struct h1_error err;

    s->res = *r;
    if (r->status == 101) {
        if (!u->asked_upgrade) {
            fail(u, UP_BAD_RESPONSE, "101 to a request that asked for no upgrade");
            return;
        }
        u->state = UP_SWITCH;
    } else {
        u->state = UP_BODY;
        h1_reader_begin_body(&u->in, r->body);
        result = decode_body(u, &err);
        fail_body(u, result, &err);
        if (u->state == UP_FAILED)
            return;
    }
    s->events->on_head(s);
    later(u);
}

static void
take_head(struct up_h1 *u, struct slice head)
{
    struct http_response r = { 0 };
    struct h1_error err;

    if (h1_parse_response(&r, head.p, head.n, &u->b.limits, u->method, u->arena, &err) != H1_DONE)
        fail(u, UP_BAD_RESPONSE, err.text);
    else if (r.status < 200 && r.status != 101)
        take_interim(u, &r);
    else
        take_final(u, &r);
}

/* Looks for a head in what was read. False: more is needed. */
static bool
try_head(struct up_h1 *u)
{
    struct slice head;
    struct h1_error err;
    enum h1_result result;

    if (u->in.raw.len && !u->s.wrote) {
        /* It was meant for nobody, as the 408 with which some end an idle connection. */
        fail(u, UP_CLOSED_EARLY, "the origin spoke before it was asked");
        return true;
    }
    result = h1_reader_head(&u->in, &u->b.limits, u->arena, &head, &err);
    u->s.responded |= u->in.raw.len > 0 || result == H1_DONE;
    if (result == H1_MORE)
        return false;
    u->s.bytes_in = u->in.bytes;
    if (result == H1_DONE)
        take_head(u, head);
    else if (err.reason == REASON_URI_TOO_LONG)
        fail(u, UP_HEAD_TOO_LARGE, "a status line longer than the limit");
    else if (err.reason == REASON_HEADERS_TOO_LARGE)
        fail(u, UP_HEAD_TOO_LARGE, err.text);
    else
        fail(u, UP_BAD_RESPONSE, err.text);
    return true;
}

/*
 * What an origin says unasked is nobody's answer as long as it is here before the request is written. It came along
 * with the answer before: then the connection was not kept (reusable); or while the connection was idle: then it was
 * closed (watch_idle); or with the events of the turn in which the request came: then they are heard before anything is
 * written (step). What comes between the last look at the events and the moment at which the origin has read the
 * request cannot be told from the answer, as HTTP/1.1 does not number its messages. The true answer comes behind it,
 * and ends the connection unless it too falls into that time of the next request.
 */

/* The read that would only say that the origin has not answered yet can be saved. */
static bool
nothing_may_have_come(const struct up_h1 *u)
{
    return !u->in.raw.len && !u->b.c->broken && !u->b.c->eof && !u->write_failed && !(u->b.c->ready & CONN_READABLE);
}

static void
read_head(struct up_h1 *u)
{
    enum reader_result result;

    if (nothing_may_have_come(u))
        return;
    while (u->b.streams && u->state == UP_HEAD) {
        if (try_head(u))
            continue;
        result = h1_reader_fill(&u->in, u->b.c);
        if (result == READER_OK)
            continue;
        if (result != READER_AGAIN || u->write_failed)
            fail_lost(u, result);
        return;
    }
}

static void
read_body(struct up_h1 *u)
{
    struct up_stream *s = &u->s;
    size_t held = s->in.len;
    struct h1_error err;
    enum reader_result result = decode_body(u, &err);

    if (s->in.len > held || s->in_end)
        s->events->on_body(s);
    if (u->b.streams && u->b.c)
        fail_body(u, result, &err);
}

/* ------------------------------------------------------------------ the turn of a session */

static void
write_out(struct up_h1 *u)
{
    int result = 0;

    if (!u->write_failed)
        result = h1_writer_flush(&u->out, u->b.c);
    note_written(u);
    if (result == CONN_ERROR)
        u->write_failed = true;
    if (u->write_failed) {
        /* The origin may have answered before it closed: what it said is still to be read. */
        iobuf_fini(&u->out.out);
    } else if (result == 0 && u->tunnel && u->out.ended && !u->shut) {
        u->shut = true;
        conn_shutdown(u->b.c);
    }
    if (h1_writer_eased(&u->out))
        u->s.events->on_writable(&u->s);
}

/* Nothing may come while no request is under way: an end, or bytes that would be taken for the next answer. */
static void
watch_idle(struct up_h1 *u)
{
    if (h1_reader_fill(&u->in, u->b.c) != READER_AGAIN)
        gone(u);
}

/* The stream was released in this turn. */
static void
after_release(struct up_h1 *u)
{
    u->released = false;
    u->b.events->on_released(&u->b, 1, u->b.arg);
    if (!u->b.c && !u->ended)
        gone(u);
}

static void
step(struct up_h1 *u)
{
    if (u->released) {
        after_release(u);
        return;
    }
    if (!u->b.streams) {
        watch_idle(u);
        return;
    }
    /* An end that came while the connection was idle is seen before anything is written: the request may then go
     * elsewhere. */
    if (u->b.c && !u->s.wrote) {
        conn_look(u->b.c);
        if (u->b.c->ready & CONN_READABLE)
            read_head(u);
    }
    if (u->b.streams && u->b.c)
        write_out(u);
    if (!u->b.streams || !u->b.c)
        return;
    if (u->state == UP_HEAD)
        read_head(u);
    else if (u->state == UP_BODY)
        read_body(u);
}

static void
up_run(struct up_h1 *u)
{
    int steps = 0;

    if (u->running)
        return;
    u->running = true;
    do {
        u->again = false;
        step(u);
    } while (u->again && !u->ended && ++steps < STEPS_MAX);
    u->running = false;
    if (u->again && !u->ended)
        timer_set(&u->yield, clock_now());
}
