/* down_h1_read: what comes from the client: heads, bodies, requests that come early, and its leaving. */
#include "down_h1_impl.h"

/* ------------------------------------------------------------------ heads */

static void
open_stream(struct down_h1 *d)
{
    struct down_active *a = d->active;

    a->open = true;
    d->crlf_skipped = false;
    a->handler = d->b.source.handler(d->b.source.arg);
    a->s.bytes_in = a->in.bytes;
    a->s.req.scheme = d->b.is_tls ? SLICE("https") : SLICE("http");
    a->s.client_cert = d->b.is_tls && d->b.c ? conn_client_cert(d->b.c) : NULL;
    d->b.served++;
    d->state = DOWN_REQUEST;
    a->s.draining = d->b.set->leaving;
    if (a->conf.keepalive_requests && d->b.served >= a->conf.keepalive_requests) {
        a->s.draining = true;
        if (!a->s.limit)
            down_exceed(d, LIMIT_REQUESTS, "the last request of its connection");
    }
}

void
down_refuse(struct down_h1 *d, enum reason_id reason, const char *detail)
{
    struct down_active *a = d->active;
    struct http_request seen = a->s.req;

    memset(&a->s.req, 0, sizeof(a->s.req));
    a->s.req.method = seen.method;
    a->s.req.method_text = seen.method_text;
    a->s.req.target = seen.target;
    a->s.req.version = HTTP_1_1;
    a->s.req.port = -1;
    fields_init(&a->s.req.fields, &a->s.arena);
    a->refused = true;
    iobuf_fini(&a->s.in);
    open_stream(d);
    a->s.in_end = true;
    a->handler->on_bad_request(&a->s, reason, detail, a->handler->arg);
    down_later(d);
}

void
down_refuse_error(struct down_h1 *d, const struct h1_error *err)
{
    down_refuse(d, err->reason, err->limit ? down_exceed(d, err->limit, err->text) : err->text);
}

static enum reader_result
take_body(struct down_active *a, struct conn *c, struct h1_error *err)
{
    struct h1_body_target t = { .in = &a->s.in, .trailers = &a->s.trailers, .limits = &a->conf.limits };
    enum reader_result result = h1_reader_body(&a->in, c, &t, err);

    a->s.bytes_in = a->in.bytes;
    return result;
}

/* A head that is well-formed. What came of the body along with it goes with it, so that a small request is whole at
 * once. */
static void
begin_request(struct down_h1 *d)
{
    struct down_active *a = d->active;
    struct http_request *r = &a->s.req;
    enum reader_result result;
    struct h1_error err;

    h1_reader_begin_body(&a->in, r->body);
    result = take_body(a, NULL, &err);
    if (result == READER_BAD) {
        down_refuse_error(d, &err);
        return;
    }
    open_stream(d);
    a->s.in_end = result == READER_END;
    a->expects = r->expect_continue && r->version != HTTP_1_0 && !a->s.in_end && !a->s.in.len && !a->in.raw.len;
    a->handler->on_request(&a->s, a->handler->arg);
    down_later(d);
}

static void
take_head(struct down_h1 *d, struct slice head)
{
    struct down_active *a = d->active;
    struct h1_error err;

    if (h1_parse_request(&a->s.req, head.p, head.n, &a->conf.limits, &a->conf.uri, &a->s.arena, &err) == H1_DONE)
        begin_request(d);
    else
        down_refuse_error(d, &err);
}

/* One empty line before a head is forgiven (RFC 9112 2.2). False: its end has not come. */
static bool
skip_crlf(struct down_h1 *d)
{
    struct down_active *a = d->active;
    struct slice front = iobuf_front(&a->in.raw);

    if (d->crlf_skipped || !front.n || front.p[0] != '\r')
        return true;
    if (a->in.raw.len < 2)
        return false;
    front.p = iobuf_pullup(&a->in.raw, 2);
    if (front.p[1] != '\n')
        return true;
    iobuf_consume(&a->in.raw, 2);
    d->crlf_skipped = true;
    return true;
}

/* Of HTTP/2 with prior knowledge (RFC 9113 3.3). H1_ERROR: it is something else. */
static enum h1_result
find_preface(struct iobuf *raw)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    size_t n = raw->len < sizeof(preface) - 1 ? raw->len : sizeof(preface) - 1;

    if (iobuf_front(raw).p[0] != 'P' || memcmp(iobuf_pullup(raw, n), preface, n) != 0)
        return H1_ERROR;
    return n < sizeof(preface) - 1 ? H1_MORE : H1_DONE;
}

/* Looks for a head in what was read. False: more is needed. */
static bool
try_head(struct down_h1 *d)
{
    struct down_active *a = d->active;
    struct slice head;
    struct h1_error err;
    enum h1_result result;

    if (!d->b.served && d->active->conf.http2 && !d->b.is_tls) {
        result = find_preface(&d->active->in.raw);
        if (result == H1_DONE)
            down_hand_over(d);
        if (result != H1_ERROR)
            return result == H1_DONE;
    }
    if (!skip_crlf(d))
        return false;
    result = h1_reader_head(&a->in, &a->conf.limits, &a->s.arena, &head, &err);
    if (result == H1_DONE)
        take_head(d, head);
    else if (result == H1_ERROR)
        down_refuse_error(d, &err);
    return result != H1_MORE;
}

/* Between two requests the connection's bit is enough: a reset that it does not show is found by the next write. */
static bool
nothing_may_have_come(const struct down_h1 *d)
{
    return !(d->active && d->active->in.raw.len) && !d->b.c->broken && !d->b.c->eof &&
           !(d->b.c->ready & CONN_READABLE);
}

void
down_read_head(struct down_h1 *d)
{
    enum reader_result result;

    if (!d->active) {
        if (nothing_may_have_come(d))
            return; /* it became idle in this turn */
        down_activate(d);
    }
    for (;;) {
        if (d->active->in.raw.len) {
            down_begin_head(d);
            if (try_head(d))
                return;
        }
        if (nothing_may_have_come(d)) {
            result = READER_AGAIN;
            break;
        }
        result = h1_reader_fill(&d->active->in, d->b.c);
        if (result != READER_OK)
            break;
    }
    if (result != READER_AGAIN)
        down_end(d);
    else if (!d->active->in.raw.len)
        down_idle(d);
}

/* ------------------------------------------------------------------ while a stream is open */

/* The client owes us bytes: not while we do not read, or it waits for 100 Continue. Nor once it is being answered: it
 * may stop sending then (RFC 9112 9.6), or send as the answer asks for, and the answer must not be cut for that. */
static void
mark_progress(struct down_active *a, enum reader_result result, uint64_t came)
{
    nsec_t now = clock_now();

    patience_gain(&a->body, now, came, a->conf.body_rate, a->conf.body_timeout);
    if (result != READER_AGAIN || a->tunnel || a->expects || a->responded)
        patience_rest(&a->body, now);
    else
        patience_wait(&a->body, now);
}

static void
read_body(struct down_h1 *d)
{
    struct down_active *a = d->active;
    size_t held = a->s.in.len;
    uint64_t bytes = a->in.bytes;
    struct h1_error err;
    enum reader_result result = take_body(a, d->b.c, &err);

    if (a->in.bytes != bytes)
        a->expects = false; /* it did not wait */
    mark_progress(a, result, a->in.bytes - bytes);
    a->s.in_end = result == READER_END;
    if (a->s.in.len > held || a->s.in_end)
        a->s.events->on_body(&a->s);
    if (!a->open || !d->b.c)
        return;
    if (result == READER_END)
        down_later(d); /* a tunnel may be over; the connection is read on */
    else if (result == READER_EOF)
        down_abort(d, REASON_CLIENT_CLOSED, "the client closed in the middle of its body");
    else if (result == READER_BROKEN)
        down_abort(d, REASON_CLIENT_CLOSED, "the client reset the connection");
    else if (result == READER_BAD)
        down_abort(d, err.reason, err.limit ? down_exceed(d, err.limit, err.text) : err.text);
}

/* The request is complete: what comes now is the next one, or the client's leaving. The connection's bit is enough: a
 * reset that it does not show is found by writing. */
static void
read_early(struct down_h1 *d)
{
    struct down_active *a = d->active;
    size_t max = a->conf.limits.head + DOWN_EARLY_MAX;
    enum reader_result result = READER_OK;

    if (d->b.c->eof || !(d->b.c->ready & CONN_READABLE))
        return;
    while (result == READER_OK && a->in.raw.len < max)
        result = h1_reader_fill(&a->in, d->b.c);
    if (result == READER_BROKEN)
        down_abort(d, REASON_CLIENT_CLOSED, "the client reset the connection");
    else if (result == READER_EOF && !a->in.raw.len && !a->out.ended)
        down_abort(d, REASON_CLIENT_CLOSED, "the client closed the connection");
}

void
down_read_request(struct down_h1 *d)
{
    struct down_active *a = d->active;

    if (a->refused || a->sent)
        return;
    if (!a->s.in_end)
        read_body(d);
    else if (!a->tunnel)
        read_early(d);
}

/* ------------------------------------------------------------------ between two requests */

static void
next_request(struct down_h1 *d)
{
    struct down_active *a = d->active;

    if (a->in.raw.len) {
        down_prepare(a);
        a->s.started = clock_now();
        d->state = DOWN_HEAD;
        down_later(d);
    } else if (d->b.c->eof) {
        down_end(d);
    } else if (d->b.set->draining) {
        down_linger(d);
    } else {
        down_idle(d);
        if (d->b.c->ready & CONN_READABLE)
            down_later(d);
    }
}

void
down_read_drain(struct down_h1 *d)
{
    struct down_active *a = d->active;
    struct arena arena;
    struct iobuf sink;
    struct fields trailers;
    struct h1_body_target t = { .in = &sink, .trailers = &trailers, .limits = &a->conf.limits };
    struct h1_error err;
    uint64_t bytes = a->in.bytes;
    enum reader_result result;

    arena_init(&arena);
    fields_init(&trailers, &arena);
    iobuf_init(&sink, DOWN_DRAIN_MAX + 1 - a->drained);
    result = h1_reader_body(&a->in, d->b.c, &t, &err);
    a->drained += sink.len;
    iobuf_fini(&sink);
    arena_fini(&arena);
    /* No write follows this read: a reset that came together with these bytes would be found by nobody. */
    if (result == READER_END && a->in.bytes != bytes)
        d->b.c->ready |= CONN_READABLE;
    if (result == READER_END)
        next_request(d);
    else if (result == READER_FULL)
        down_linger(d);
    else if (result != READER_AGAIN)
        down_end(d);
}
