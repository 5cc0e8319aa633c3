/* down_h2_stream: the life of a stream, and what its owner is told. */
#include "down_h2_impl.h"

void
down_h2_forget_spares(struct down_sessions *set)
{
    recycle_empty(&set->spare_h2, sizeof(struct h2_stream));
}

struct h2_stream *
h2_stream_new(struct down_h2 *d, int32_t id)
{
    struct h2_stream *st = recycle_get(&d->b.set->spare_h2, sizeof(*st));

    memset(st, 0, sizeof(*st));
    st->d = d;
    st->id = id;
    st->s.ops = &down_h2_ops;
    st->s.is_tls = d->b.is_tls;
    st->s.peer = &d->b.c->peer;
    st->s.local = &d->b.c->local;
    st->s.started = clock_now();
    arena_init(&st->s.arena);
    iobuf_init(&st->s.in, DOWN_IN_CAP);
    fields_init(&st->s.trailers, &st->s.arena);
    h2_body_init(&st->out, &st->s.arena);
    h2_head_begin(&st->head, &st->s.req, &st->s.arena);
    patience_begin(&st->body, d->conf.body_timeout);
    patience_begin(&st->reading, d->conf.write_timeout);
    TAILQ_INSERT_TAIL(&d->streams, st, link);
    if (d->n_streams++ == 0)
        down_tell(&d->b, SESSION_ACTIVE);
    return st;
}

/* ------------------------------------------------------------------ parting */

static void
part_first(struct down_h2 *d)
{
    int32_t id = d->parting[d->first_parting].id;

    d->first_parting = (d->first_parting + 1) % H2_PARTING;
    d->n_parting--;
    if (nghttp2_session_find_stream(d->ng, id))
        nghttp2_submit_rst_stream(d->ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

void
h2_part(struct down_h2 *d, bool all)
{
    while (d->n_parting && (all || d->parting[d->first_parting].until <= clock_now())) {
        part_first(d);
        h2_later(d);
    }
    if (d->n_parting)
        h2_look_at(d, d->parting[d->first_parting].until);
}

/* RFC 9113 8.1: the answer did not need the whole request. Where the rest of that is on its way, which it is as a rule,
 * a reset (which some clients take for a failure) is not needed. */
static void
part_later(struct h2_stream *st)
{
    struct down_h2 *d = st->d;
    unsigned at;

    if (!st->id || d->ended)
        return;
    nghttp2_session_set_stream_user_data(d->ng, st->id, NULL);
    if (d->n_parting == H2_PARTING)
        part_first(d);
    at = (d->first_parting + d->n_parting++) % H2_PARTING;
    d->parting[at].id = st->id;
    d->parting[at].until = clock_now() + H2_PARTING_TIME;
    st->id = 0;
    h2_part(d, d->leaving);
}

static void
stream_free(struct h2_stream *st)
{
    struct down_h2 *d = st->d;

    part_later(st);
    if (d->head == st)
        d->head = NULL;
    if (st->queued)
        TAILQ_REMOVE(&d->due, st, due_link);
    if (st->ending_queued)
        TAILQ_REMOVE(&d->ending, st, ending_link);
    if (st->out.writer.out.len) {
        TAILQ_REMOVE(&d->holding, st, holding_link);
        d->waiting -= st->out.writer.out.len;
    }
    arena_fini(&st->s.arena);
    iobuf_fini(&st->s.in);
    h2_body_fini(&st->out);
    TAILQ_REMOVE(&d->streams, st, link);
    if (--d->n_streams == 0) {
        down_tell(&d->b, SESSION_IDLE);
        d->idle_since = clock_now();
        if (d->conf.idle_timeout)
            h2_look_at(d, d->idle_since + d->conf.idle_timeout);
    }
    recycle_put(&d->b.set->spare_h2, st, sizeof(*st), DOWN_SPARE_MAX);
}

const char *
h2_exceed(struct h2_stream *st, enum limit_id limit, const char *what)
{
    return down_limit_hit(&st->d->b, &st->s, &st->d->conf, limit, what);
}

/* ------------------------------------------------------------------ ends */

void
h2_reset(struct h2_stream *st, uint32_t code)
{
    struct down_h2 *d = st->d;

    if (!st->id || d->ended)
        return;
    nghttp2_session_set_stream_user_data(d->ng, st->id, NULL);
    nghttp2_submit_rst_stream(d->ng, NGHTTP2_FLAG_NONE, st->id, code);
    st->id = 0;
    h2_later(d);
}

void
h2_abort(struct h2_stream *st, enum reason_id reason, const char *detail)
{
    if (st->aborted || st->sent)
        return;
    if (down_answerable(reason) && !st->responded)
        st->refused = true;
    else
        h2_reset(st, reason == REASON_BODY_ABORTED ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL);
    patience_begin(&st->body, 0);
    st->aborted = true;
    st->ending.reason = reason;
    st->ending.detail = detail;
    h2_note(st, H2_DUE_ABORT);
}

/* ------------------------------------------------------------------ what the owner is told */

void
h2_note(struct h2_stream *st, enum h2_due due)
{
    struct down_h2 *d = st->d;

    st->due |= (unsigned char)due;
    if (!st->queued) {
        st->queued = true;
        TAILQ_INSERT_TAIL(&d->due, st, due_link);
    }
    if (!d->running)
        h2_later(d);
}

/* The client owes bytes: not while its window is used up, it waits for 100 Continue, or it is being answered. */
void
h2_body_waits(struct h2_stream *st)
{
    nsec_t now = clock_now();

    if (!st->d->conf.body_timeout)
        return;
    if (st->s.in_end || st->remote_end || st->responded || st->expects || st->refused ||
        st->s.in.len >= DOWN_IN_CAP / 2) {
        patience_rest(&st->body, now);
        return;
    }
    patience_wait(&st->body, now);
    h2_look_at(st->d, patience_end(&st->body));
}

/* Of a head that is not accepted only what on_bad_request promises is left. */
static void
keep_what_is_sound(struct h2_stream *st)
{
    struct http_request seen = st->s.req;

    memset(&st->s.req, 0, sizeof(st->s.req));
    st->s.req.method = seen.method;
    st->s.req.method_text = seen.method_text;
    st->s.req.target = seen.target;
    st->s.req.version = HTTP_2;
    st->s.req.port = -1;
    fields_init(&st->s.req.fields, &st->s.arena);
    iobuf_fini(&st->s.in);
    st->refused = true;
}

static void
begin(struct h2_stream *st)
{
    struct down_h2 *d = st->d;
    const struct h1_error *err = &st->refusal;
    const struct down_handler *h = st->handler = d->b.source.handler(d->b.source.arg);

    st->begun = st->open = true;
    d->b.served++;
    if (d->conf.keepalive_requests && d->b.served >= d->conf.keepalive_requests) {
        h2_exceed(st, LIMIT_REQUESTS, "the last request of its connection");
        h2_last_call(d);
    }
    if (d->b.set->leaving)
        h2_leave(d);
    st->s.draining = d->leaving || st->s.limit == LIMIT_REQUESTS;
    if (err->text)
        keep_what_is_sound(st);
    st->s.req.scheme = d->b.is_tls ? SLICE("https") : SLICE("http");
    st->s.client_cert = d->b.is_tls && d->b.c ? conn_client_cert(d->b.c) : NULL;
    st->s.in_end = st->remote_end || st->refused || st->head.tunnel;
    st->due &= (unsigned char)~H2_DUE_BODY;
    if (!err->text) {
        st->expects = st->s.req.expect_continue && !st->s.in_end && !st->s.in.len;
        h2_body_waits(st);
        h->on_request(&st->s, h->arg);
    } else {
        h->on_bad_request(&st->s, err->reason, err->limit ? h2_exceed(st, err->limit, err->text) : err->text, h->arg);
    }
}

void
h2_maybe_sent(struct h2_stream *st)
{
    if (!st->written || st->aborted || st->sent || (st->tunnel && !st->remote_end))
        return;
    st->sent = true;
    h2_note(st, H2_DUE_SENT);
}

static bool
is_due(struct h2_stream *st, enum h2_due due)
{
    bool is = st->due & due;

    st->due &= (unsigned char)~due;
    return is;
}

/* Is the owner there, and was not told of an end yet? */
static bool
listens(const struct h2_stream *st)
{
    return st->open && (!st->aborted || st->due & H2_DUE_ABORT) && (!st->sent || st->due & H2_DUE_SENT);
}

static void
tell(struct h2_stream *st)
{
    if (is_due(st, H2_DUE_REQUEST)) {
        if (st->id || st->refusal.text)
            begin(st);
    }
    if (is_due(st, H2_DUE_BODY) && listens(st))
        st->s.events->on_body(&st->s);
    if (is_due(st, H2_DUE_WRITABLE) && listens(st))
        st->s.events->on_writable(&st->s);
    if (is_due(st, H2_DUE_ABORT) && st->open)
        st->s.events->on_abort(&st->s, st->ending.reason, st->ending.detail);
    if (is_due(st, H2_DUE_SENT) && st->open)
        st->s.events->on_sent(&st->s);
}

void
h2_tell_all(struct down_h2 *d)
{
    struct h2_stream *st;

    while ((st = TAILQ_FIRST(&d->due))) {
        TAILQ_REMOVE(&d->due, st, due_link);
        st->queued = false;
        tell(st);
        /* Whose head has not come to its end is nobody's yet, but the client's. */
        if (!st->open && (st->begun || !st->id))
            stream_free(st);
    }
}
