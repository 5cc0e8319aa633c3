/* down_h2_write: the ops of a stream, and the way of its bytes to the client. No op calls back. */
#include "down_h2_impl.h"
#include "../base/log.h"
#include "../http/date.h"
#include "h2_fields.h"

/* What a client makes us send in smaller pieces than this, while more is there, is counted. */
#define TINY 256u
#define WINDOW_CREDIT_MAX 100000u

/* ------------------------------------------------------------------ frames */

/* How much may wait on one stream: all of its cap while few wait, its share of that always. */
static size_t
out_cap(const struct down_h2 *d)
{
    return d->waiting < H2_OUT_TOTAL ? H2_OUT_CAP : H2_OUT_SHARE;
}

/* Some of `out` is no longer there. */
static void
out_shrunk(struct h2_stream *st, size_t n)
{
    struct down_h2 *d = st->d;

    d->waiting -= n;
    if (!st->out.writer.out.len)
        TAILQ_REMOVE(&d->holding, st, holding_link);
    if (st->d->conf.write_timeout) {
        patience_gain(&st->reading, clock_now(), n, d->conf.response_rate, d->conf.write_timeout);
        patience_rest(&st->reading, clock_now());
    }
    st->out.writer.out.cap = out_cap(d);
    if (h1_writer_eased(&st->out.writer))
        h2_note(st, H2_DUE_WRITABLE);
}

static ssize_t
read_body(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t max, uint32_t *flags, nghttp2_data_source *source,
          void *arg)
{
    struct down_h2 *d = arg;
    struct h2_stream *st = nghttp2_session_get_stream_user_data(ng, id);

    if (!st)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (max < TINY && st->out.writer.out.len > max)
        h2_glitch(d, GLITCH_TINY);
    return h2_body_read(&st->out, ng, id, max, flags);
}

static int
send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t n, nghttp2_data_source *source,
          void *arg)
{
    struct down_h2 *d = arg;
    struct h2_stream *st = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);

    if (!st)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (!h2_frames_data(&d->frames, head, &st->out.writer.out, n))
        return NGHTTP2_ERR_WOULDBLOCK;
    if (n)
        out_shrunk(st, n);
    if (d->window_credit < WINDOW_CREDIT_MAX)
        d->window_credit += 2;
    return 0;
}

/* The last frame of an answer is made: it is sent once all up to it is written. */
static void
answer_framed(struct h2_stream *st)
{
    struct down_h2 *d = st->d;

    st->framed = true;
    st->ended_at = d->frames.produced;
    st->ending_queued = true;
    TAILQ_INSERT_TAIL(&d->ending, st, ending_link);
}

/* nghttp2 gives up a stream for what came on it; weir's own reasons have other codes. */
static void
count_reset(struct down_h2 *d, uint32_t code)
{
    switch (code) {
    case NGHTTP2_REFUSED_STREAM:
        h2_glitch(d, GLITCH_RESET);
        break;
    case NGHTTP2_PROTOCOL_ERROR:
    case NGHTTP2_FLOW_CONTROL_ERROR:
    case NGHTTP2_STREAM_CLOSED:
    case NGHTTP2_FRAME_SIZE_ERROR:
        h2_glitch(d, GLITCH_MALFORMED);
        break;
    default:
        break;
    }
}

static int
on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct down_h2 *d = arg;
    struct h2_stream *st;

    if (frame->hd.type == NGHTTP2_RST_STREAM)
        count_reset(d, frame->rst_stream.error_code);
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
        log_info(conn_subject(d->b.c), "HTTP/2: the client breaks the protocol: GOAWAY with %s",
                 nghttp2_http2_strerror(frame->goaway.error_code));
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    st = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
    if (!st)
        return 0;
    st->s.bytes_out += H2_FRAME_HEAD + frame->hd.length;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        answer_framed(st);
    return 0;
}

void
h2_set_write_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
}

/* ------------------------------------------------------------------ the socket */

/* What the client has taken, as far as the kernel knows; only differences count. */
static uint64_t
taken_so_far(const struct down_h2 *d)
{
    return h2_frames_written(&d->frames) + SIZE_MAX / 2 - conn_outstanding(d->b.c);
}

void
h2_note_reading(struct down_h2 *d)
{
    uint64_t taken = taken_so_far(d);

    patience_gain(&d->writing, clock_now(), taken > d->taken ? taken - d->taken : 0, d->conf.response_rate,
                  d->conf.write_timeout);
    d->taken = taken;
}

/* Whatever nghttp2 could not put in frames waits for its stream's window, or for the connection's. */
static void
note_withheld(struct down_h2 *d)
{
    struct h2_stream *st;

    if (!d->conf.write_timeout)
        return;
    TAILQ_FOREACH(st, &d->holding, holding_link)
    {
        if (st->reading.since)
            continue;
        patience_wait(&st->reading, clock_now());
        h2_look_at(d, patience_end(&st->reading));
    }
}

static void
note_written(struct down_h2 *d)
{
    uint64_t written = h2_frames_written(&d->frames);
    struct h2_stream *st;

    while ((st = TAILQ_FIRST(&d->ending)) && st->ended_at <= written) {
        TAILQ_REMOVE(&d->ending, st, ending_link);
        st->ending_queued = false;
        st->written = true;
        h2_maybe_sent(st);
    }
}

/* The client owes room from the moment when the socket takes no more to the one when it has taken all. */
static void
mark_progress(struct down_h2 *d, int result)
{
    if (!d->conf.write_timeout)
        return;
    if (!d->frames.out.len) {
        if (d->writing.since) {
            h2_note_reading(d);
            patience_rest(&d->writing, clock_now());
        }
    } else if (result == CONN_AGAIN && !d->writing.since) {
        patience_wait(&d->writing, clock_now());
        d->taken = taken_so_far(d);
        h2_look_at(d, patience_end(&d->writing));
    }
}

int
h2_write(struct down_h2 *d)
{
    int result;

    do {
        if (h2_frames_make(&d->frames, d->ng) < 0)
            return CONN_ERROR;
        if (!d->frames.stopped)
            note_withheld(d);
        result = h2_frames_flush(&d->frames, d->b.c);
    } while (result == 0 && d->frames.stopped);
    mark_progress(d, result);
    note_written(d);
    return result;
}

/* ------------------------------------------------------------------ heads */

static void
op_interim(struct down_stream *s, const struct http_response *r)
{
    struct h2_stream *st = h2_stream_of(s);
    struct h2_nv nv;

    if (st->responded || !st->id)
        return;
    if (r->status == 100)
        st->expects = false;
    nv = h2_nv_new(&s->arena, &r->fields, 1);
    h2_nv_add_status(&nv, &s->arena, r->status);
    h2_nv_add_fields(&nv, &r->fields, false);
    nghttp2_submit_headers(st->d->ng, NGHTTP2_FLAG_NONE, st->id, NULL, nv.v, nv.n, NULL);
    h2_later(st->d);
}

/* Nobody is there to get it: it is over at once. */
static void
answer_nobody(struct h2_stream *st)
{
    h1_writer_begin(&st->out.writer, (struct body_framing){ .kind = BODY_NONE });
    st->sent = true;
    h2_note(st, H2_DUE_SENT);
}

static void
submit_head(struct h2_stream *st, const struct http_response *r, int status, struct body_framing framing)
{
    struct arena *a = &st->s.arena;
    struct h2_nv nv = h2_nv_new(a, &r->fields, 3);
    nghttp2_data_provider body = { .read_callback = read_body };
    bool bare = framing.kind == BODY_NONE && status >= 200 && status != 204;

    h2_nv_add_status(&nv, a, status);
    h2_nv_add_fields(&nv, &r->fields, bare);
    if (framing.kind == BODY_LENGTH)
        h2_nv_add_length(&nv, a, framing.length);
    if (!fields_find(&r->fields, FIELD_DATE))
        h2_nv_add_id(&nv, FIELD_DATE, http_date_now());
    nghttp2_submit_response(st->d->ng, st->id, nv.v, nv.n, st->out.writer.ended ? NULL : &body);
}

/* RFC 8441 5: what is 101 to HTTP/1.1 is 200 here; a 200 that was no 101 would be taken for one. */
static void
respond_tunnel(struct h2_stream *st, const struct http_response *r)
{
    struct http_response ok = *r;

    if (r->status != 101) {
        h2_reset(st, NGHTTP2_CONNECT_ERROR);
        answer_nobody(st);
        return;
    }
    fields_remove(&ok.fields, FIELD_SEC_WEBSOCKET_ACCEPT);
    h1_writer_begin(&st->out.writer, (struct body_framing){ .kind = BODY_UNTIL_CLOSE });
    submit_head(st, &ok, 200, (struct body_framing){ .kind = BODY_CHUNKED });
}

static void
op_respond(struct down_stream *s, const struct http_response *r, struct body_framing body, bool close)
{
    struct h2_stream *st = h2_stream_of(s);
    struct body_framing wire = h1_response_body(body, r->status, s->req.method, false);

    if (st->responded)
        return;
    h2_later(st->d);
    st->responded = true;
    h2_body_waits(st);
    st->aborted = false; /* an answer to a broken request: its own end is told again */
    if (!st->id) {
        answer_nobody(st);
        return;
    }
    if (st->head.tunnel && (r->status == 101 || r->status / 100 == 2)) {
        respond_tunnel(st, r);
        return;
    }
    if (body.kind == BODY_NONE)
        wire.kind = BODY_NONE; /* the head's frame is the last one */
    if (wire.kind == BODY_CHUNKED)
        wire.kind = BODY_UNTIL_CLOSE; /* no framing within the frames */
    h1_writer_begin(&st->out.writer, wire);
    if (s->req.method == METHOD_HEAD && !status_has_no_body(r->status))
        submit_head(st, r, r->status, body);
    else
        submit_head(st, r, r->status, wire);
}

/* ------------------------------------------------------------------ bodies */

static void
resume(struct h2_stream *st)
{
    h2_body_resume(&st->out, st->d->ng, st->id);
    h2_later(st->d);
}

static void
violate(struct h2_stream *st, const char *what)
{
    log_warning(conn_subject(st->d->b.c), "%s", what);
    st->violated = true;
    h2_abort(st, REASON_BODY_ABORTED, "the response has not the length that its head promised");
}

static void
op_send(struct down_stream *s, struct iobuf *from, size_t n)
{
    struct h2_stream *st = h2_stream_of(s);
    struct down_h2 *d = st->d;
    size_t had = st->out.writer.out.len, grown;

    if (!st->id || !st->responded || st->violated) {
        iobuf_consume(from, n);
        return;
    }
    st->out.writer.out.cap = out_cap(d);
    if (h1_writer_send(&st->out.writer, from, n) < 0) {
        violate(st, "a response longer than its head promised: cut off");
        iobuf_consume(from, n);
        return;
    }
    grown = st->out.writer.out.len - had;
    d->waiting += grown;
    if (!had && grown)
        TAILQ_INSERT_TAIL(&d->holding, st, holding_link);
    if (grown)
        resume(st);
}

static size_t
op_room(const struct down_stream *s)
{
    const struct h2_stream *st = (const struct h2_stream *)s;
    size_t cap = out_cap(st->d);

    if (st->out.writer.out.len < cap)
        return cap - st->out.writer.out.len;
    ((struct h2_stream *)(uintptr_t)st)->out.writer.full = true; /* the caps of others may have left it without room */
    return 0;
}

static void
op_end(struct down_stream *s, const struct fields *trailers)
{
    struct h2_stream *st = h2_stream_of(s);

    if (!st->id || !st->responded || st->violated || st->out.writer.ended)
        return;
    if (h2_body_end(&st->out, trailers) < 0)
        violate(st, "a response shorter than its head promised: cut off");
    else
        resume(st);
}

/* ------------------------------------------------------------------ the request's body */

static void
op_want_body(struct down_stream *s)
{
    struct h2_stream *st = h2_stream_of(s);
    struct http_response go = { .status = 100 };

    if (!st->expects || st->responded)
        return;
    fields_init(&go.fields, &s->arena);
    op_interim(s, &go);
    h2_body_waits(st);
}

static void
op_consumed(struct down_stream *s)
{
    struct h2_stream *st = h2_stream_of(s);

    op_want_body(s);
    if (st->unacked > s->in.len && st->id) {
        nghttp2_session_consume_stream(st->d->ng, st->id, st->unacked - s->in.len);
        h2_later(st->d);
    }
    st->unacked = s->in.len;
    if (st->begun && !s->in_end)
        h2_body_waits(st);
}

static void
op_upgraded(struct down_stream *s)
{
    struct h2_stream *st = h2_stream_of(s);

    if (!st->id || st->tunnel || !st->head.tunnel)
        return;
    st->tunnel = true;
    s->in_end = st->remote_end;
    if (s->in.len || s->in_end)
        h2_note(st, H2_DUE_BODY);
}

/* ------------------------------------------------------------------ ends */

static void
op_reset(struct down_stream *s)
{
    struct h2_stream *st = h2_stream_of(s);

    st->aborted = true;
    h2_reset(st, NGHTTP2_INTERNAL_ERROR);
}

static void
op_release(struct down_stream *s)
{
    struct h2_stream *st = h2_stream_of(s);

    st->open = false;
    if (!st->framed)
        h2_reset(st, NGHTTP2_INTERNAL_ERROR);
    h2_note(st, 0);
}

const struct down_ops down_h2_ops = {
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
