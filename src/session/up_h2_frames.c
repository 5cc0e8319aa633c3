/* up_h2_frames: what goes between nghttp2 and an origin, as its callbacks tell. Nobody is told of it before the library
 * has returned: see up_h2_impl.h. */
#include "up_h2_impl.h"
#include "websocket.h"

static struct up_h2_stream *
find(const struct up_h2 *u, int32_t id)
{
    return nghttp2_session_get_stream_user_data(u->ng, id);
}

/* The library stops where the session is to be broken off. */
static int
go_on(const struct up_h2 *u)
{
    return u->broken_by ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* ------------------------------------------------------------------ floods */

static void
count(struct up_h2 *u, enum glitch_kind kind)
{
    if (glitch_too_many(&u->glitches, kind, clock_now()))
        u->broken_by = glitch_complaint(kind);
}

static int
on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
    struct up_h2 *u = arg;

    switch (hd->type) {
    case NGHTTP2_SETTINGS:
        count(u, GLITCH_SETTINGS);
        break;
    case NGHTTP2_PING:
        count(u, GLITCH_PING);
        break;
    case NGHTTP2_CONTINUATION:
        count(u, GLITCH_CONTINUATION);
        break;
    case NGHTTP2_PRIORITY:
        count(u, GLITCH_PRIORITY);
        break;
    case NGHTTP2_PUSH_PROMISE:
        u->broken_by = "it pushes, though it was told not to";
        break;
    default: /* nghttp2 bounds the others, or they take a stream each that weir has opened */
        break;
    }
    return go_on(u);
}

/* ------------------------------------------------------------------ heads */

static int
on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct up_h2_stream *st = find(arg, frame->hd.stream_id);

    if (!st)
        return 0;
    st->s.responded = true;
    if (!st->headed)
        h2_response_begin(&st->head, &st->coming, st->arena);
    return 0;
}

static int
on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_n, const uint8_t *value,
          size_t value_n, uint8_t flags, void *arg)
{
    struct up_h2 *u = arg;
    struct up_h2_stream *st = find(u, frame->hd.stream_id);
    struct slice n = slice_of((const char *)name, name_n), v = slice_of((const char *)value, value_n);

    if (!st || st->failed)
        return 0;
    if (!st->headed)
        h2_response_add(&st->head, &u->b.limits, n, v);
    else if (!st->head.err.text)
        h2_trailer_add(&st->s.trailers, &st->trailer_bytes, &u->b.limits, n, v, &st->head.err);
    if (st->head.bytes > (size_t)u->b.limits.head * H2_HEAD_EXCESS)
        u->broken_by = "a head far beyond the limit";
    return go_on(u);
}

/* A name or a value that nghttp2 would leave out: the whole is refused instead, by the codec's words for it. */
static int
on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                  const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    return on_header(ng, frame, name, name_n, value, value_n, flags, arg);
}

/* The stream is of no use any more; the connection is. */
static void
give_up(struct up_h2_stream *st, enum up_error error, const char *detail)
{
    nghttp2_submit_rst_stream(st->u->ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_PROTOCOL_ERROR);
    up_h2_fail(st, error, detail);
}

static void
give_up_head(struct up_h2_stream *st)
{
    const struct h1_error *err = &st->head.err;

    give_up(st, err->reason == REASON_HEADERS_TOO_LARGE ? UP_HEAD_TOO_LARGE : UP_BAD_RESPONSE, err->text);
}

static void
take_interim(struct up_h2_stream *st)
{
    struct up_h2_interim *i;

    st->head_bytes += st->head.bytes;
    if (++st->n_interims > UP_INTERIM_MAX || st->head_bytes > st->u->b.limits.head) {
        give_up(st, UP_BAD_RESPONSE, "too many interim responses");
        return;
    }
    i = arena_alloc(st->arena, sizeof(*i));
    i->r = st->coming;
    i->next = NULL;
    *st->interims_end = i;
    st->interims_end = &i->next;
    up_h2_note(st, UP_H2_DUE_INTERIM);
}

/* RFC 8441 5: what accepts the extended CONNECT is the 101 of HTTP/1.1, with the proof that its client waits for. */
static void
take_tunnel(struct up_h2_stream *st)
{
    struct http_response *r = &st->s.res;

    r->status = 101;
    r->body = (struct body_framing){ .kind = BODY_NONE };
    fields_set_id(&r->fields, FIELD_UPGRADE, SLICE("websocket"));
    fields_set_id(&r->fields, FIELD_SEC_WEBSOCKET_ACCEPT, websocket_accept(st->arena, st->websocket_key));
}

static void
take_head(struct up_h2_stream *st, bool ends)
{
    if (h2_response_end(&st->head, st->method, ends) == H1_ERROR) {
        give_up_head(st);
        return;
    }
    if (st->coming.status < 200) {
        take_interim(st);
        return;
    }
    st->headed = true;
    st->remote_end = ends;
    st->s.res = st->coming;
    if (st->websocket_key.n && st->s.res.status < 300)
        take_tunnel(st);
    else
        st->s.in_end = ends || st->s.res.body.kind == BODY_NONE;
    up_h2_note(st, UP_H2_DUE_HEAD);
}

static void
end_body(struct up_h2_stream *st)
{
    st->remote_end = true;
    if (st->s.res.status == 101 && !st->tunnel)
        return; /* op_upgraded sees to it */
    st->s.in_end = true;
    up_h2_note(st, UP_H2_DUE_BODY);
}

static void
take_trailers(struct up_h2_stream *st)
{
    if (st->head.err.text)
        give_up_head(st);
    else
        end_body(st);
}

/* ------------------------------------------------------------------ bodies */

static int
on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
    struct up_h2_stream *st = find(arg, id);

    nghttp2_session_consume_connection(ng, n);
    if (!st || st->failed || st->s.in_end)
        return 0; /* its stream's window is not given back: that is all that comes */
    iobuf_add(&st->s.in, p, n);
    st->unacked += n;
    up_h2_note(st, UP_H2_DUE_BODY);
    return 0;
}

static void
take_data_frame(struct up_h2 *u, struct up_h2_stream *st, const nghttp2_frame *frame)
{
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

    if (!ends && frame->hd.length <= frame->data.padlen)
        count(u, GLITCH_EMPTY);
    if (st && ends && !st->s.in_end)
        end_body(st);
}

static void
take_settings(struct up_h2 *u)
{
    u->settings_seen = true;
    u->b.most = nghttp2_session_get_remote_settings(u->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    up_h2_admit(u);
}

static int
on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct up_h2 *u = arg;
    struct up_h2_stream *st = frame->hd.stream_id ? find(u, frame->hd.stream_id) : NULL;

    if (st)
        st->s.bytes_in += H2_FRAME_HEAD + frame->hd.length;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (!st || st->failed)
            break;
        if (!st->headed)
            take_head(st, frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
        else
            take_trailers(st);
        break;
    case NGHTTP2_DATA:
        take_data_frame(u, st, frame);
        break;
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
            take_settings(u);
        break;
    case NGHTTP2_GOAWAY:
        u->leaving = true;
        up_h2_admit(u);
        break;
    case NGHTTP2_RST_STREAM:
        if (st)
            st->reset = true;
        break;
    default:
        break;
    }
    return go_on(u);
}

/* ------------------------------------------------------------------ ends */

/* nghttp2 answers what breaks the protocol within a stream with RST_STREAM by itself. */
static int
on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *arg)
{
    struct up_h2 *u = arg;
    struct up_h2_stream *st = frame->hd.stream_id ? find(u, frame->hd.stream_id) : NULL;

    if (!st)
        return go_on(u);
    if (st->head.err.text)
        give_up_head(st);
    else
        up_h2_fail(st, UP_BAD_RESPONSE, nghttp2_strerror(error));
    return go_on(u);
}

static int
on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
    struct up_h2_stream *st = find(arg, id);

    if (!st)
        return 0;
    if (code == NGHTTP2_REFUSED_STREAM && !st->s.responded && st->reset)
        up_h2_refused(st, "the origin refused the stream");
    else if (code == NGHTTP2_REFUSED_STREAM && !st->s.responded)
        up_h2_left_out(st);
    else if (st->reset)
        up_h2_fail(st, UP_RESET, "the origin reset the stream");
    else
        up_h2_fail(st, UP_BAD_RESPONSE, "the response breaks HTTP/2, or is not as long as Content-Length says");
    return 0;
}

/* ------------------------------------------------------------------ what goes */

static int
send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t n, nghttp2_data_source *source,
          void *arg)
{
    struct up_h2 *u = arg;
    struct up_h2_stream *st = find(u, frame->hd.stream_id);

    if (!st)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (!h2_frames_data(&u->frames, head, &st->out.writer.out, n))
        return NGHTTP2_ERR_WOULDBLOCK;
    if (h1_writer_eased(&st->out.writer))
        up_h2_note(st, UP_H2_DUE_WRITABLE);
    return 0;
}

/* From here on the origin may get it: a large head is in frames long before the last of them is told of. */
static int
before_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct up_h2_stream *st = frame->hd.type == NGHTTP2_HEADERS ? find(arg, frame->hd.stream_id) : NULL;

    if (st)
        st->sent = st->s.wrote = true;
    return 0;
}

static int
on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct up_h2 *u = arg;
    struct up_h2_stream *st;

    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR && !u->broken_by)
        u->broken_by = "what it sends is not HTTP/2";
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    st = find(u, frame->hd.stream_id);
    if (!st)
        return 0;
    st->s.bytes_out += H2_FRAME_HEAD + frame->hd.length;
    return 0;
}

/* The request's head could not go: the origin had left before. */
static int
on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *arg)
{
    struct up_h2_stream *st = frame->hd.type == NGHTTP2_HEADERS ? find(arg, frame->hd.stream_id) : NULL;

    if (st && !st->sent)
        up_h2_left_out(st);
    return 0;
}

void
up_h2_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, before_frame_send);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
}
