/*
 * Frames of a client on an HTTP/2 session, behind its preface and SETTINGS. Input: how the handler behaves, how the
 * bytes are cut, a seed, the bytes.
 *
 * Which requests are seen may depend on the cuts (one that is reset in the same piece is nobody's), so that the judge
 * asks for what always holds: what a request has may go on as it is, bodies stay within their caps, each stream ends
 * once, and nothing is left of a session.
 */
#include "wire.h"

#include "../../src/session/down_h1.h"

static const struct down_conf conf = {
    .limits = { .request_line = 256, .field = 256, .head = 1024, .fields = 16 },
    .keepalive_requests = 20,
    .http2 = true,
    .streams = 8,
};

static struct {
    bool early, lazy, large, answer_aborted; /* the handler's ways */
    bool over;
    int open; /* streams */
} play;

/* ------------------------------------------------------------------ the handler */

static void
fill(struct down_stream *s)
{
    static const char some[4096] = "large";
    struct iobuf b;
    size_t room = s->ops->room(s);

    iobuf_init(&b, SIZE_MAX);
    for (size_t n = 0; n + sizeof(some) <= room; n += sizeof(some))
        iobuf_add(&b, some, sizeof(some));
    s->ops->send(s, &b, b.len);
    iobuf_fini(&b);
}

/* s->user is NULL before this, &play behind it; of a tunnel it is the stream. */
static void
answer(struct down_stream *s, int status)
{
    struct http_response r = { .status = status };
    struct fields trailers;
    struct iobuf b;

    s->user = &play;
    fields_init(&r.fields, &s->arena);
    fields_init(&trailers, &s->arena);
    fields_add(&r.fields, SLICE("X-Test"), SLICE("1"));
    if (play.large) {
        s->ops->respond(s, &r, (struct body_framing){ BODY_CHUNKED, 0 }, false);
        fill(s);
        fields_add(&trailers, SLICE("X-End"), SLICE("1"));
        s->ops->end(s, &trailers);
        return;
    }
    iobuf_init(&b, SIZE_MAX);
    iobuf_add(&b, "ok", 2);
    s->ops->respond(s, &r, (struct body_framing){ BODY_LENGTH, 2 }, false);
    s->ops->send(s, &b, b.len);
    s->ops->end(s, NULL);
    iobuf_fini(&b);
}

static void
complete(struct down_stream *s)
{
    struct http_response r = { .status = 101 };

    fuzz_require_fields(&s->trailers);
    if (!s->req.upgrade.n) {
        answer(s, 200);
        return;
    }
    fields_init(&r.fields, &s->arena);
    s->user = s;
    s->ops->respond(s, &r, (struct body_framing){ BODY_NONE, 0 }, false);
    s->ops->upgraded(s);
}

static void
on_body(struct down_stream *s)
{
    FUZZ_REQUIRE(s->in.len <= s->in.cap);
    if (s->in.len && (!play.lazy || s->in_end)) {
        iobuf_consume(&s->in, s->in.len);
        s->ops->consumed(s);
    }
    if (!s->in_end)
        return;
    if (s->user == s)
        s->ops->end(s, NULL);
    else if (!s->user)
        complete(s);
}

static void
release(struct down_stream *s)
{
    play.open--;
    s->ops->release(s);
}

static void
on_abort(struct down_stream *s, enum reason_id reason, const char *detail)
{
    FUZZ_REQUIRE(detail);
    if (down_answerable(reason) && play.answer_aborted && !s->user)
        answer(s, 400);
    else
        release(s);
}

static void
on_writable(struct down_stream *s)
{
    FUZZ_REQUIRE(s->ops->room(s) > 0);
}

static const struct down_events events = { on_body, on_writable, on_abort, release };

static void
on_request(struct down_stream *s, void *arg)
{
    fuzz_require_fields(&s->req.fields);
    FUZZ_REQUIRE(s->req.version == HTTP_2 && s->req.host.n && fields_count(&s->req.fields, FIELD_HOST) == 1);
    FUZZ_REQUIRE(fields_count(&s->req.fields, FIELD_COOKIE) <= 1 && !fields_find(&s->req.fields, FIELD_CONNECTION));
    if (s->req.path.n)
        fuzz_require_path(s->req.path, &conf.uri);
    play.open++;
    s->user = NULL;
    s->events = &events;
    s->ops->want_body(s);
    if (play.early)
        answer(s, 200);
    else if (s->in_end)
        on_body(s);
}

static void
on_bad_request(struct down_stream *s, enum reason_id reason, const char *detail, void *arg)
{
    FUZZ_REQUIRE(s->in_end && !s->in.len && detail);
    play.open++;
    s->user = NULL;
    s->events = &events;
    answer(s, reason_get(reason)->status);
}

static void
on_session(int change, void *arg)
{
    if (change == SESSION_ENDED)
        play.over = true;
}

static const struct down_conf *
get_conf(void *arg)
{
    return &conf;
}

static const struct down_handler *
get_handler(void *arg)
{
    static const struct down_handler handler = { .on_request = on_request,
                                                 .on_bad_request = on_bad_request,
                                                 .on_session = on_session };

    return &handler;
}

/* ------------------------------------------------------------------ runs */

static void
run(struct slice bytes, const struct wire_cuts *cuts)
{
    static const struct down_source source = { get_conf, get_handler, NULL };
    static struct down_sessions *set;
    struct wire w;

    play.over = false;
    wire_open(&w);
    if (!set)
        set = down_sessions_new(w.loop);
    down_h1_start(set, w.c, &source);
    wire_play(&w, bytes, cuts, &play.over);
    wire_close(&w);
    FUZZ_REQUIRE(!play.open && down_sessions_count(set) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char begin[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    struct fuzz_input in = fuzz_input(data, size);
    unsigned ways = fuzz_byte(&in), how = fuzz_byte(&in);
    struct wire_cuts nowhere = { .how = CUT_NOWHERE }, cuts = { .how = 1 + how % 3, .end_at_once = how & 4 };
    struct iobuf all;
    struct slice bytes;

    play.early = ways & 1;
    play.answer_aborted = ways & 2;
    play.lazy = ways & 4;
    play.large = ways & 8;
    cuts.seed = fuzz_byte(&in) * 256;
    cuts.seed += fuzz_byte(&in);
    iobuf_init(&all, SIZE_MAX);
    iobuf_add(&all, begin, sizeof(begin) - 1);
    bytes = fuzz_rest(&in);
    if (bytes.n > 15000)
        bytes.n = 15000;
    iobuf_adds(&all, bytes);
    bytes = slice_of(iobuf_pullup(&all, all.len), all.len);
    run(bytes, &nowhere);
    run(bytes, &cuts);
    iobuf_fini(&all);
    return 0;
}
