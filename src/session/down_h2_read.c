/* down_h2_read: what comes from the client, as nghttp2 tells it. Nobody is told of it before the library has returned:
 * see down_h2_impl.h. */
#include "down_h2_impl.h"
#include "h2_fields.h"

static struct h2_stream *
find(struct down_h2 *d, int32_t id)
{
    return nghttp2_session_get_stream_user_data(d->ng, id);
}

/* The library stops where the session has been cut. */
static int
go_on(const struct down_h2 *d)
{
    return d->tripped ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* ------------------------------------------------------------------ frames */

static void
count_window_update(struct down_h2 *d)
{
    if (d->window_credit)
        d->window_credit--;
    else
        h2_glitch(d, GLITCH_WINDOW_UPDATE);
}

/* NULL: too old, not there yet, or not the client's. */
static unsigned char *
past_of(struct down_h2 *d, int32_t id)
{
    return id & 1 && id <= d->last_id && id > d->last_id - 2 * H2_PAST ? &d->past[id / 2 % H2_PAST] : NULL;
}

static void
note_past(struct down_h2 *d, int32_t id, enum h2_past what)
{
    unsigned char *past = past_of(d, id);

    if (past)
        *past = (unsigned char)what;
}

/* Streams from behind `last_id` to this one have no past. */
static void
forget_past(struct down_h2 *d, int32_t id)
{
    unsigned last = (unsigned)id / 2, n = last - (unsigned)d->last_id / 2;

    for (unsigned i = 0; i < n && i < H2_PAST; i++)
        d->past[(last - i) % H2_PAST] = H2_PAST_OPEN;
}

/* RFC 9113 5.1, "closed": nghttp2 passes over what comes on a stream that is over, as it must where the stream was
 * reset from here and the client could not know. Who has ended or reset it itself breaks the protocol. */
static void
check_past(struct down_h2 *d, int32_t id)
{
    const unsigned char *past = past_of(d, id);

    if (!past || *past == H2_PAST_OPEN || nghttp2_session_find_stream(d->ng, id))
        return;
    if (*past == H2_PAST_RESET)
        nghttp2_submit_rst_stream(d->ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_STREAM_CLOSED);
    else
        h2_break(d, NGHTTP2_STREAM_CLOSED);
}

/* RFC 9113 5.1.1: a stream that the client has skipped is closed. nghttp2 would pass over what comes on it, as it does
 * for streams that were there. */
static void
count_stream(struct down_h2 *d, int32_t id)
{
    if (id > d->last_id) {
        if (id - d->last_id > 2) {
            d->skipped_from = d->last_id + 2;
            d->skipped_to = id;
        }
        forget_past(d, id);
        d->last_id = id;
    } else if (id >= d->skipped_from && id < d->skipped_to) {
        h2_break(d, NGHTTP2_PROTOCOL_ERROR);
    } else {
        check_past(d, id);
    }
}

/* Priorities of RFC 7540 are passed over by nghttp2 without a look; what RFC 9113 6.3 says of the frame holds. */
static void
check_priority(struct down_h2 *d, const nghttp2_frame_hd *hd)
{
    if (!hd->stream_id)
        h2_break(d, NGHTTP2_PROTOCOL_ERROR);
    else if (hd->length != 5)
        nghttp2_submit_rst_stream(d->ng, NGHTTP2_FLAG_NONE, hd->stream_id, NGHTTP2_FRAME_SIZE_ERROR);
    h2_glitch(d, GLITCH_PRIORITY);
}

void
h2_check_sight(struct down_h2 *d)
{
    if (d->watch.sight == H2_SIGHT_SELF)
        h2_break(d, NGHTTP2_PROTOCOL_ERROR);
    else if (d->watch.sight == H2_SIGHT_DATA && !d->data_begun)
        check_past(d, d->watch.stream);
}

static int
on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
    struct down_h2 *d = arg;

    switch (hd->type) {
    case NGHTTP2_GOAWAY:
        break;
    case NGHTTP2_DATA:
        d->data_begun = true;
        break;
    case NGHTTP2_HEADERS:
        count_stream(d, hd->stream_id);
        break;
    case NGHTTP2_PRIORITY:
        check_priority(d, hd);
        break;
    case NGHTTP2_RST_STREAM:
        h2_glitch(d, GLITCH_RESET);
        break;
    case NGHTTP2_SETTINGS:
        h2_glitch(d, GLITCH_SETTINGS);
        break;
    case NGHTTP2_PING:
        h2_glitch(d, GLITCH_PING);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        count_window_update(d);
        break;
    case NGHTTP2_CONTINUATION:
        h2_glitch(d, GLITCH_CONTINUATION);
        break;
    default:
        h2_glitch(d, GLITCH_PRIORITY);
        break;
    }
    return go_on(d);
}

/* ------------------------------------------------------------------ heads */

static int
on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct down_h2 *d = arg;

    d->head_since = clock_now();
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        d->conf = *d->b.source.conf(d->b.source.arg);
        d->head = h2_stream_new(d, frame->hd.stream_id);
        nghttp2_session_set_stream_user_data(ng, frame->hd.stream_id, d->head);
    } else {
        d->head = find(d, frame->hd.stream_id);
    }
    if (d->conf.head_timeout)
        h2_look_at(d, d->head_since + d->conf.head_timeout);
    return 0;
}

static void
take_field(struct down_h2 *d, struct h2_stream *st, bool trailer, struct slice name, struct slice value)
{
    const struct h1_limits *limits = &d->conf.limits;

    if (!trailer)
        h2_head_add(&st->head, limits, name, value);
    else if (!st->refusal.text)
        h2_trailer_add(&st->s.trailers, &st->trailer_bytes, limits, name, value, &st->refusal);
    if (st->head.bytes > (size_t)limits->head * H2_HEAD_EXCESS)
        h2_trip(d, GLITCH_HEAD);
}

static int
on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_n, const uint8_t *value,
          size_t value_n, uint8_t flags, void *arg)
{
    struct down_h2 *d = arg;
    struct h2_stream *st = d->head; /* heads come one after the other (RFC 9113 4.3) */

    if (st && st->id == frame->hd.stream_id)
        take_field(d, st, frame->headers.cat != NGHTTP2_HCAT_REQUEST, slice_of((const char *)name, name_n),
                   slice_of((const char *)value, value_n));
    return go_on(d);
}

/* A name or a value that nghttp2 would leave out: the whole is refused instead, by the codec's words for it. */
static int
on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                  const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    return on_header(ng, frame, name, name_n, value, value_n, flags, arg);
}

static void
head_complete(struct down_h2 *d, struct h2_stream *st, bool ends)
{
    st->remote_end = ends;
    if (h2_head_end(&st->head, &d->conf.limits, &d->conf.uri, ends) == H1_ERROR) {
        st->refusal = st->head.err;
        h2_glitch(d, st->refusal.reason == REASON_BAD_REQUEST ? GLITCH_MALFORMED : GLITCH_HEAD);
    }
    h2_note(st, H2_DUE_REQUEST);
}

static void
body_complete(struct h2_stream *st)
{
    st->remote_end = true;
    if (st->refused)
        return;
    st->s.in_end = true;
    h2_note(st, H2_DUE_BODY);
    h2_maybe_sent(st);
}

static void
trailers_complete(struct h2_stream *st)
{
    const struct h1_error *err = &st->refusal;

    st->remote_end = true;
    if (!err->text)
        body_complete(st);
    else if (st->begun) /* else it is all of the request that is refused */
        h2_abort(st, err->reason, err->limit ? h2_exceed(st, err->limit, err->text) : err->text);
}

/* ------------------------------------------------------------------ bodies */

static int
on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
    struct down_h2 *d = arg;
    struct h2_stream *st = find(d, id);

    nghttp2_session_consume_connection(ng, n);
    if (!st || st->refused)
        return 0; /* its stream's window is not given back: that is all that comes */
    iobuf_add(&st->s.in, p, n);
    st->unacked += n;
    st->expects = false; /* it did not wait */
    patience_gain(&st->body, clock_now(), n, d->conf.body_rate, d->conf.body_timeout);
    if (st->begun)
        h2_body_waits(st);
    h2_note(st, H2_DUE_BODY);
    return 0;
}

static void
data_frame(struct down_h2 *d, struct h2_stream *st, const nghttp2_frame *frame)
{
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

    if (!ends && frame->hd.length <= frame->data.padlen)
        h2_glitch(d, GLITCH_EMPTY);
    if (st && ends)
        body_complete(st);
}

static void
note_end(struct down_h2 *d, const nghttp2_frame_hd *hd)
{
    if (hd->type == NGHTTP2_RST_STREAM)
        note_past(d, hd->stream_id, H2_PAST_RESET);
    else if ((hd->type == NGHTTP2_DATA || hd->type == NGHTTP2_HEADERS) && hd->flags & NGHTTP2_FLAG_END_STREAM)
        note_past(d, hd->stream_id, H2_PAST_ENDED);
}

static int
on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct down_h2 *d = arg;
    struct h2_stream *st = frame->hd.stream_id ? find(d, frame->hd.stream_id) : NULL;

    if (st)
        st->s.bytes_in += H2_FRAME_HEAD + frame->hd.length;
    note_end(d, &frame->hd);
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        d->head_since = 0;
        if (!st)
            break;
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
            head_complete(d, st, frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
        else
            trailers_complete(st);
        break;
    case NGHTTP2_DATA:
        data_frame(d, st, frame);
        break;
    case NGHTTP2_RST_STREAM:
        if (st)
            st->client_reset = true;
        break;
    case NGHTTP2_PING:
        if (d->leaving && (frame->hd.flags & NGHTTP2_FLAG_ACK))
            h2_last_call(d);
        break;
    default:
        break;
    }
    return go_on(d);
}

/* ------------------------------------------------------------------ what breaks the protocol */

/* nghttp2 answers such a head with RST_STREAM by itself; who handles requests hears of it all the same. */
static int
on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *arg)
{
    struct down_h2 *d = arg;
    struct h2_stream *st = frame->hd.stream_id ? find(d, frame->hd.stream_id) : NULL;

    if (frame->hd.type == NGHTTP2_HEADERS)
        d->head_since = 0;
    if (!st || st->begun)
        return go_on(d);
    nghttp2_session_set_stream_user_data(ng, st->id, NULL);
    st->id = 0;
    if (!st->head.err.text)
        st->head.err = (struct h1_error){ .reason = REASON_BAD_REQUEST, .text = nghttp2_strerror(error) };
    h2_head_end(&st->head, &d->conf.limits, &d->conf.uri, false); /* for what is sound of it */
    st->refusal = st->head.err;
    h2_note(st, H2_DUE_REQUEST);
    return go_on(d);
}

static int
on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
    struct h2_stream *st = find(arg, id);

    if (!st)
        return 0;
    st->id = 0;
    if (st->framed && (!st->tunnel || st->remote_end))
        return 0; /* the answer was complete */
    if (st->client_reset)
        h2_abort(st, REASON_CLIENT_CLOSED, "the client reset the stream");
    else
        h2_abort(st, REASON_BAD_REQUEST,
                 "what came on the stream breaks HTTP/2, or is not as long as Content-Length says");
    return 0;
}

void
h2_set_read_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}
