/* up_h2_stream: the ops of a stream to an origin, its life, and what its owner is told. No op calls back. */
#include "up_h2_impl.h"

#define SPARE_MAX 16u
/* :method :scheme :authority :path */
#define PSEUDO_FIELDS 4

/* ------------------------------------------------------------------ life */

/* nghttp2 forgets whose stream it is. */
static void
detach(struct up_h2_stream *st)
{
    if (st->id)
        nghttp2_session_set_stream_user_data(st->u->ng, st->id, NULL);
    st->id = 0;
}

void
up_h2_stream_free(struct up_h2_stream *st)
{
    struct up_h2 *u = st->u;

    detach(st);
    if (st->queued)
        TAILQ_REMOVE(&u->due, st, due_link);
    TAILQ_REMOVE(&u->streams, st, link);
    h2_body_fini(&st->out);
    recycle_put(&u->spare, st, sizeof(*st), SPARE_MAX);
}

/* ------------------------------------------------------------------ what the owner is told */

void
up_h2_note(struct up_h2_stream *st, enum up_h2_due due)
{
    struct up_h2 *u = st->u;

    st->due |= (unsigned char)due;
    if (!st->queued) {
        st->queued = true;
        TAILQ_INSERT_TAIL(&u->due, st, due_link);
    }
    if (!u->running)
        up_h2_later(u);
}

/* Has all come that the origin can have to say? That its owner may still send into a tunnel is no matter: it goes
 * nowhere then, as it does behind the end of any answer. */
static bool
is_complete(const struct up_h2_stream *st)
{
    return st->headed && (st->s.in_end || st->remote_end);
}

void
up_h2_fail(struct up_h2_stream *st, enum up_error error, const char *detail)
{
    detach(st);
    if (st->failed || is_complete(st))
        return;
    st->failed = true;
    st->ending.error = error;
    st->ending.detail = detail;
    up_h2_note(st, UP_H2_DUE_ERROR);
}

void
up_h2_refused(struct up_h2_stream *st, const char *detail)
{
    st->s.wrote = false;
    st->s.reused = true;
    up_h2_fail(st, UP_CLOSED_EARLY, detail);
}

void
up_h2_left_out(struct up_h2_stream *st)
{
    st->s.left_out = true;
    up_h2_refused(st, "the origin is leaving, and has not begun with the request");
}

static void
tell_interims(struct up_h2_stream *st)
{
    struct up_h2_interim *i;

    while (st->open && (i = st->interims)) {
        st->interims = i->next;
        if (st->s.events->on_interim)
            st->s.events->on_interim(&st->s, &i->r);
    }
    st->interims_end = &st->interims;
}

/* A failure comes before what is not told yet: as long as nobody knows of an answer that is broken, there can be a
 * better one. */
static void
tell(struct up_h2_stream *st)
{
    unsigned due = st->due;

    st->due = 0;
    if (due & UP_H2_DUE_ERROR) {
        if (st->open)
            st->s.events->on_error(&st->s, st->ending.error, st->ending.detail);
        return;
    }
    if (due & UP_H2_DUE_INTERIM)
        tell_interims(st);
    if (due & UP_H2_DUE_HEAD && st->open) {
        due &= ~(unsigned)UP_H2_DUE_BODY;
        st->told_head = true;
        st->s.events->on_head(&st->s);
    }
    if (due & UP_H2_DUE_BODY && st->open && !st->failed)
        st->s.events->on_body(&st->s);
    if (due & UP_H2_DUE_WRITABLE && st->open && !st->failed)
        st->s.events->on_writable(&st->s);
}

void
up_h2_tell_all(struct up_h2 *u)
{
    struct up_h2_stream *st;

    while ((st = TAILQ_FIRST(&u->due))) {
        TAILQ_REMOVE(&u->due, st, due_link);
        st->queued = false;
        tell(st);
        if (!st->open)
            up_h2_stream_free(st);
    }
}

/* ------------------------------------------------------------------ heads */

static struct slice
authority_of(const struct http_request *r)
{
    const struct field *host = fields_find(&r->fields, FIELD_HOST);

    return host ? host->value : r->authority;
}

/* What HTTP/1.1 says in the request line and in Host; a client of HTTP/1.0 may have had none. */
static void
add_pseudo(struct h2_nv *nv, const struct http_request *r, struct slice target, bool tls)
{
    struct slice authority = authority_of(r);

    h2_nv_add(nv, SLICE(":method"), r->method_text);
    h2_nv_add(nv, SLICE(":scheme"), tls ? SLICE("https") : SLICE("http"));
    if (authority.n)
        h2_nv_add(nv, SLICE(":authority"), authority);
    h2_nv_add(nv, SLICE(":path"), target);
}

/* Where HTTP/2 has other words, or none: Host is :authority, and RFC 8441 5 has no key. */
static bool
is_left_out(enum field_id id)
{
    return h2_connection_specific(id) || id == FIELD_HOST || id == FIELD_CONTENT_LENGTH ||
           id == FIELD_SEC_WEBSOCKET_KEY;
}

static void
add_fields(struct h2_nv *nv, const struct fields *f)
{
    for (unsigned i = 0; i < f->n; i++)
        if (!is_left_out((enum field_id)f->v[i].id))
            h2_nv_add_field(nv, &f->v[i]);
}

/* What nghttp2 asks for when the windows have room. */
static ssize_t
read_body(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t max, uint32_t *flags, nghttp2_data_source *source,
          void *arg)
{
    struct up_h2_stream *st = nghttp2_session_get_stream_user_data(ng, id);

    return st ? h2_body_read(&st->out, ng, id, max, flags) : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void
submit(struct up_h2_stream *st, struct h2_nv nv)
{
    struct up_h2 *u = st->u;
    nghttp2_data_provider body = { .read_callback = read_body };
    int32_t id = nghttp2_submit_request(u->ng, NULL, nv.v, nv.n, st->out.writer.ended ? NULL : &body, st);

    if (id > 0)
        st->id = id;
    else
        up_h2_left_out(st);
    up_h2_later(u);
}

/* Of a request that waits to know whether the origin takes an extended CONNECT (RFC 8441 4). */
static void
submit_waiting(struct up_h2_stream *st)
{
    struct h2_nv nv = st->waiting, first = { .v = nv.v }, fifth = { .v = nv.v + PSEUDO_FIELDS };

    st->waiting.n = 0;
    if (nghttp2_session_get_remote_settings(st->u->ng, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1) {
        h2_nv_add(&first, SLICE(":method"), SLICE("CONNECT"));
        h2_nv_add(&fifth, SLICE(":protocol"), SLICE("websocket"));
        h1_writer_begin(&st->out.writer, (struct body_framing){ .kind = BODY_UNTIL_CLOSE });
    } else {
        st->websocket_key = SLICE_NONE;
        nv.n--;
        memmove(fifth.v, fifth.v + 1, (nv.n - PSEUDO_FIELDS) * sizeof(*nv.v));
    }
    submit(st, nv);
}

static void
turn_away(struct up_h2_stream *st)
{
    st->waiting.n = 0;
    if (st->id) /* nghttp2 drops the head, which it has kept back */
        nghttp2_submit_rst_stream(st->u->ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_CANCEL);
    if (st->u->leaving)
        up_h2_left_out(st);
    else
        up_h2_refused(st, "the origin takes no more requests at a time");
}

void
up_h2_admit(struct up_h2 *u)
{
    unsigned most = u->leaving ? 0 : u->b.most, known = 0;
    struct up_h2_stream *st;

    TAILQ_FOREACH(st, &u->streams, link)
    known += st->id && st->sent;
    TAILQ_FOREACH(st, &u->streams, link)
    {
        if (!st->open || st->failed || st->sent || (!st->id && !st->waiting.n))
            continue;
        if (known++ >= most)
            turn_away(st);
        else if (st->waiting.n && u->settings_seen)
            submit_waiting(st);
    }
}

/* A body would come out of the tunnel. */
static bool
wants_websocket(const struct http_request *r, struct body_framing body)
{
    return slice_ieq(r->upgrade, SLICE("websocket")) && r->method == METHOD_GET && body.kind == BODY_NONE &&
           authority_of(r).n;
}

static void
op_request(struct up_stream *s, const struct http_request *r, struct slice target, struct body_framing body)
{
    struct up_h2_stream *st = up_h2_stream_of(s);
    struct up_h2 *u = st->u;
    struct h2_nv nv;

    if (!u->b.c || st->id || st->failed)
        return;
    st->method = r->method;
    st->asked_at = clock_now();
    nv = h2_nv_new(st->arena, &r->fields, PSEUDO_FIELDS + 2);
    add_pseudo(&nv, r, target, u->b.c->tls != NULL);
    if (wants_websocket(r, body))
        st->websocket_key = fields_value(&r->fields, FIELD_SEC_WEBSOCKET_KEY);
    if (st->websocket_key.n)
        nv.n++; /* for :protocol, if it comes to that */
    add_fields(&nv, &r->fields);
    if (body.kind == BODY_LENGTH)
        h2_nv_add_length(&nv, st->arena, body.length);
    if (body.kind == BODY_CHUNKED)
        body.kind = BODY_UNTIL_CLOSE; /* no framing within the frames */
    h1_writer_begin(&st->out.writer, body);
    if (st->websocket_key.n) {
        st->waiting = nv;
        if (u->settings_seen)
            submit_waiting(st);
    } else {
        submit(st, nv);
    }
}

/* ------------------------------------------------------------------ the request's body */

static void
resume(struct up_h2_stream *st)
{
    h2_body_resume(&st->out, st->u->ng, st->id);
    up_h2_later(st->u);
}

/* The origin must not take for whole what is longer or shorter than its head says. */
static void
break_promise(struct up_h2_stream *st)
{
    if (st->id)
        nghttp2_submit_rst_stream(st->u->ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_INTERNAL_ERROR);
    up_h2_fail(st, UP_RESET, "the request has not the length that its head promised");
    up_h2_later(st->u);
}

static void
op_send(struct up_stream *s, struct iobuf *from, size_t n)
{
    struct up_h2_stream *st = up_h2_stream_of(s);

    if ((!st->id && !st->waiting.n) || st->failed) {
        iobuf_consume(from, n);
    } else if (h1_writer_send(&st->out.writer, from, n) < 0) {
        iobuf_consume(from, n);
        break_promise(st);
    } else if (n) {
        resume(st);
    }
}

static size_t
op_room(const struct up_stream *s)
{
    return iobuf_room(&((const struct up_h2_stream *)s)->out.writer.out);
}

static void
op_end(struct up_stream *s, const struct fields *trailers)
{
    struct up_h2_stream *st = up_h2_stream_of(s);

    if (st->out.writer.ended || st->failed)
        return;
    if (h2_body_end(&st->out, trailers) < 0)
        break_promise(st);
    else
        resume(st);
}

/* ------------------------------------------------------------------ the response's body */

static void
op_consumed(struct up_stream *s)
{
    struct up_h2_stream *st = up_h2_stream_of(s);

    if (st->unacked > s->in.len && st->id) {
        nghttp2_session_consume_stream(st->u->ng, st->id, st->unacked - s->in.len);
        up_h2_later(st->u);
    }
    st->unacked = s->in.len;
}

static void
op_upgraded(struct up_stream *s)
{
    struct up_h2_stream *st = up_h2_stream_of(s);

    if (st->tunnel || !st->websocket_key.n || s->res.status != 101)
        return;
    st->tunnel = true;
    s->in_end = st->remote_end;
    if (s->in.len || s->in_end)
        up_h2_note(st, UP_H2_DUE_BODY);
}

/* ------------------------------------------------------------------ ends */

static void
op_release(struct up_stream *s)
{
    struct up_h2_stream *st = up_h2_stream_of(s);

    up_h2_reset(st);
    st->open = false;
    detach(st);
    iobuf_fini(&s->in);
    up_h2_released(st);
}

static const struct up_ops up_h2_ops = {
    .request = op_request,
    .send = op_send,
    .room = op_room,
    .end = op_end,
    .consumed = op_consumed,
    .upgraded = op_upgraded,
    .release = op_release,
};

/* in_cap is not looked at: the window of a stream bounds what waits. */
struct up_stream *
up_h2_open(struct up_session *b, struct arena *arena, size_t in_cap)
{
    struct up_h2 *u = (struct up_h2 *)b;
    struct up_h2_stream *st = recycle_get(&u->spare, sizeof(*st));

    memset(st, 0, sizeof(*st));
    st->u = u;
    st->arena = arena;
    st->open = true;
    st->s.ops = &up_h2_ops;
    st->s.reused = b->served > 0;
    st->s.refusable = true;
    iobuf_init(&st->s.in, UP_H2_WINDOW);
    fields_init(&st->s.trailers, arena);
    h2_body_init(&st->out, arena);
    st->interims_end = &st->interims;
    TAILQ_INSERT_TAIL(&u->streams, st, link);
    b->streams++;
    return &st->s;
}
