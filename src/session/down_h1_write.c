/* down_h1_write: the ops of a stream, and the way of its bytes to the client. No op calls back: what has to be told is
 * told when the session has its turn. */
#include "down_h1_impl.h"
#include "../base/log.h"

/* What the client has taken of this answer, as far as the kernel knows. */
static uint64_t
taken_so_far(const struct down_h1 *d)
{
    size_t left = conn_outstanding(d->b.c);

    /* What is left of an earlier answer counts in it too, so that there may be more of it than was written: the large
     * constant keeps the result above 0. Only differences count. */
    return d->active->out.bytes + SIZE_MAX / 2 - left;
}

void
down_note_reading(struct down_active *a)
{
    uint64_t taken = taken_so_far(a->d);

    patience_gain(&a->reading, clock_now(), taken > a->taken ? taken - a->taken : 0, a->conf.response_rate,
                  a->conf.write_timeout);
    a->taken = taken;
}

/* Writes what it can. The client owes us room from the moment when the socket takes no more to the one when it has
 * taken all. */
static int
flush(struct down_active *a)
{
    int result = h1_writer_flush(&a->out, a->d->b.c);

    a->s.bytes_out = a->out.bytes;
    if (!a->out.out.len) {
        if (a->reading.since) {
            down_note_reading(a);
            patience_rest(&a->reading, clock_now());
        }
    } else if (result == CONN_AGAIN && !a->reading.since) {
        patience_wait(&a->reading, clock_now());
        a->taken = taken_so_far(a->d);
    }
    return result;
}

/* ------------------------------------------------------------------ heads */

/* Another request may follow on this connection. */
static bool
may_keep(const struct down_active *a, bool close)
{
    const struct down_h1 *d = a->d;

    if (close || a->refused || !a->s.req.keep_alive || d->b.set->leaving)
        return false;
    if (a->conf.keepalive_requests && d->b.served >= a->conf.keepalive_requests)
        return false;
    /* A client that was never told to continue may or may not send its body: what comes next cannot be told (RFC
     * 9110 10.1.1). */
    if (a->expects)
        return false;
    return a->in.kind != BODY_LENGTH || a->in.left <= DOWN_DRAIN_MAX;
}

static void
op_interim(struct down_stream *s, const struct http_response *r)
{
    struct down_active *a = down_active_of(s);

    if (a->responded || !a->d->b.c || s->req.version == HTTP_1_0)
        return;
    down_later(a->d);
    if (r->status == 100)
        a->expects = false;
    h1_write_interim(&a->out.out, r);
}

static void
respond_switch(struct down_active *a, const struct http_response *r)
{
    const struct field *f = fields_find(&r->fields, FIELD_UPGRADE);

    h1_write_response(&a->out.out, r, (struct body_framing){ .kind = BODY_NONE }, true, false,
                      f ? f->value : a->s.req.upgrade);
    h1_writer_begin(&a->out, (struct body_framing){ .kind = BODY_UNTIL_CLOSE });
}

static void
op_respond(struct down_stream *s, const struct http_response *r, struct body_framing body, bool close)
{
    struct down_active *a = down_active_of(s);
    bool to_10 = s->req.version == HTTP_1_0;
    struct body_framing wire = h1_response_body(body, r->status, s->req.method, to_10);

    if (a->responded || !a->d->b.c)
        return;
    down_later(a->d);
    a->responded = true;
    a->aborted = false; /* an answer to a broken request: its own end is told again */
    if (r->status == 101) {
        respond_switch(a, r);
        return;
    }
    a->keep = may_keep(a, close) && wire.kind != BODY_UNTIL_CLOSE;
    if (s->req.method == METHOD_HEAD && body.kind != BODY_UNTIL_CLOSE)
        h1_write_response(&a->out.out, r, body, a->keep, to_10, SLICE_NONE);
    else
        h1_write_response(&a->out.out, r, wire, a->keep, to_10, SLICE_NONE);
    h1_writer_begin(&a->out, body.kind == BODY_NONE ? body : wire); /* a length of 0 needs no end */
}

/* ------------------------------------------------------------------ bodies */

/* Bytes on the way are worth a system call now. An error is found again, and told, in the session's turn. */
static void
flush_large(struct down_active *a)
{
    if (a->out.out.len >= H1_WRITER_LARGE)
        flush(a);
}

static void
violate(struct down_active *a, const char *what)
{
    log_warning(conn_subject(a->d->b.c), "%s", what);
    a->violated = true;
    down_later(a->d);
}

static void
op_send(struct down_stream *s, struct iobuf *from, size_t n)
{
    struct down_active *a = down_active_of(s);

    if (!a->d->b.c || !a->responded || a->violated) {
        iobuf_consume(from, n);
        return;
    }
    down_later(a->d);
    if (h1_writer_send(&a->out, from, n) == 0) {
        flush_large(a);
        return;
    }
    violate(a, "a response longer than its head promised: cut off");
    iobuf_consume(from, n);
}

static size_t
op_room(const struct down_stream *s)
{
    return iobuf_room(&((const struct down_active *)s)->out.out);
}

static void
op_end(struct down_stream *s, const struct fields *trailers)
{
    struct down_active *a = down_active_of(s);

    if (!a->d->b.c || !a->responded || a->violated || a->out.ended)
        return;
    down_later(a->d);
    if (h1_writer_end(&a->out, trailers) < 0)
        violate(a, "a response shorter than its head promised: cut off");
}

/* ------------------------------------------------------------------ the request's body */

static void
op_want_body(struct down_stream *s)
{
    struct down_active *a = down_active_of(s);

    if (!a->expects || a->responded || !a->d->b.c)
        return;
    down_later(a->d);
    a->expects = false;
    h1_write_continue(&a->out.out);
}

static void
op_consumed(struct down_stream *s)
{
    op_want_body(s);
    if (!s->in_end)
        down_later(down_active_of(s)->d);
}

static void
op_upgraded(struct down_stream *s)
{
    struct down_active *a = down_active_of(s);

    if (!a->d->b.c || a->tunnel)
        return;
    if (!h1_reader_done(&a->in)) {
        violate(a, "an upgrade before the end of the request's body");
        return;
    }
    a->tunnel = true;
    s->in_end = false;
    h1_reader_begin_body(&a->in, (struct body_framing){ .kind = BODY_UNTIL_CLOSE });
    down_later(a->d);
}

/* ------------------------------------------------------------------ ends */

static void
op_reset(struct down_stream *s)
{
    struct down_active *a = down_active_of(s);

    a->aborted = true;
    down_break(a->d);
    down_later(a->d);
}

static void
op_release(struct down_stream *s)
{
    struct down_active *a = down_active_of(s);

    a->open = false;
    if (!a->sent)
        down_break(a->d);
    arena_fini(&s->arena);
    iobuf_fini(&s->in);
    down_later(a->d);
}

const struct down_ops down_h1_ops = {
    .interim = op_interim,
    .respond = op_respond,
    .send = op_send,
    .room = op_room,
    .end = op_end,
    .consumed = op_consumed,
    .want_body = op_want_body,
    .upgraded = op_upgraded,
    .reset = op_reset,
    .release = op_release,
};

/* Everything is with the kernel. A tunnel is over when the client has ended its side too. */
static void
written(struct down_h1 *d)
{
    struct down_active *a = d->active;

    if (a->tunnel) {
        if (!a->shut)
            conn_shutdown(d->b.c);
        a->shut = true;
        if (!a->s.in_end)
            return;
    }
    a->sent = true;
    a->s.events->on_sent(&a->s);
}

void
down_write(struct down_h1 *d)
{
    struct down_active *a = d->active;
    int result;

    if (a->sent)
        return;
    if (a->violated) {
        down_abort(d, REASON_BODY_ABORTED, "the response has not the length that its head promised");
        return;
    }
    result = flush(a);
    if (result == CONN_ERROR)
        down_abort(d, REASON_CLIENT_CLOSED, "the client closed the connection");
    else if (result == 0 && a->out.ended)
        written(d);
    else if (h1_writer_eased(&a->out))
        a->s.events->on_writable(&a->s);
}
