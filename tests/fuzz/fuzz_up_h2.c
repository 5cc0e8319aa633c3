/*
 * Frames of an origin on an HTTP/2 session that carries several requests, behind its SETTINGS. Input: what is asked for
 * and how its owner behaves, how the bytes are cut, a seed, the bytes.
 *
 * What an owner is told may depend on the cuts (an answer that is broken in the same piece is nobody's), so that the
 * judge asks for what always holds: fields may go on as they are, bodies stay within their caps, heads come before
 * bodies and once, each stream ends once, and nothing is left of a session.
 */
#include "wire.h"

#include "../../src/session/up_h2.h"

#define AGAIN_MAX 4u
#define BODY_MAX 200000u /* more than an origin's windows take at first */

static const struct h1_limits limits = { .request_line = 256, .field = 256, .head = 1024, .fields = 16 };

enum asks { ASKS_GET, ASKS_HEAD, ASKS_POST, ASKS_WEBSOCKET };

struct owner {
    struct up_stream *s; /* NULL: released */
    unsigned interims;
    bool headed;
    size_t left; /* of its request's body */
};

static struct {
    bool early, lazy, deaf; /* owners let go at the head; take bodies only whole; never take them */
    unsigned again;         /* requests that may follow failed ones */
    struct up_session *u;
    struct owner owners[4 + AGAIN_MAX];
    unsigned n, open;
    unsigned told; /* released, as the session's owner was told */
    bool closed;
    struct arena arena;
} play;

static void open_stream(enum asks asks);

/* ------------------------------------------------------------------ the owner of a stream */

static struct owner *
owner_of(struct up_stream *s)
{
    struct owner *o = s->user;

    FUZZ_REQUIRE(o->s == s);
    return o;
}

static void
release(struct up_stream *s)
{
    owner_of(s)->s = NULL;
    play.open--;
    s->ops->release(s);
}

static void
send_more(struct up_stream *s)
{
    static const char some[BODY_MAX];
    struct owner *o = owner_of(s);
    size_t n = s->ops->room(s);
    struct iobuf b;

    if (n > o->left)
        n = o->left;
    iobuf_init(&b, SIZE_MAX);
    iobuf_add(&b, some, n);
    s->ops->send(s, &b, n);
    iobuf_fini(&b);
    o->left -= n;
    if (!o->left)
        s->ops->end(s, NULL);
}

static void
on_interim(struct up_stream *s, const struct http_response *r)
{
    struct owner *o = owner_of(s);

    FUZZ_REQUIRE(!o->headed && r->status >= 100 && r->status < 200 && r->status != 101 && ++o->interims <= 16);
    fuzz_require_fields(&r->fields);
}

static void
on_body(struct up_stream *s)
{
    FUZZ_REQUIRE(owner_of(s)->headed && s->in.len <= s->in.cap);
    if (s->in.len && !play.deaf && (!play.lazy || s->in_end)) {
        iobuf_consume(&s->in, s->in.len);
        s->ops->consumed(s);
    }
    if (!s->in_end)
        return;
    fuzz_require_fields(&s->trailers);
    release(s);
}

static void
on_head(struct up_stream *s)
{
    struct owner *o = owner_of(s);

    FUZZ_REQUIRE(!o->headed && s->res.status >= 101 && s->res.status <= 999);
    FUZZ_REQUIRE(s->res.status >= 200 || s->res.status == 101);
    fuzz_require_fields(&s->res.fields);
    FUZZ_REQUIRE(!fields_find(&s->res.fields, FIELD_TRANSFER_ENCODING) &&
                 fields_count(&s->res.fields, FIELD_CONTENT_LENGTH) <= 1);
    o->headed = true;
    if (s->res.status == 101) {
        FUZZ_REQUIRE(!s->in_end);
        s->ops->upgraded(s);
    } else if (play.early) {
        release(s);
    } else if (s->in.len || s->in_end) {
        on_body(s);
    }
}

static void
on_writable(struct up_stream *s)
{
    FUZZ_REQUIRE(s->ops->room(s) > 0);
    send_more(s);
}

static void
on_error(struct up_stream *s, enum up_error error, const char *detail)
{
    FUZZ_REQUIRE(detail);
    release(s);
    if (play.again && up_room(play.u)) {
        play.again--;
        open_stream(ASKS_GET);
    }
}

static const struct up_events events = { on_interim, on_head, on_body, on_writable, on_error };

static void
open_stream(enum asks asks)
{
    static const enum http_method methods[] = { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_GET };
    struct http_request r = { .version = HTTP_1_1, .method = methods[asks], .authority = SLICE("o") };
    struct owner *o = &play.owners[play.n++];

    FUZZ_REQUIRE(play.n <= sizeof(play.owners) / sizeof(*play.owners));
    r.method_text = slice_str(method_name(r.method));
    fields_init(&r.fields, &play.arena);
    if (asks == ASKS_WEBSOCKET) {
        r.upgrade = SLICE("websocket");
        fields_add_id(&r.fields, FIELD_SEC_WEBSOCKET_KEY, SLICE("AAAAAAAAAAAAAAAAAAAAAA=="));
    }
    *o = (struct owner){ .s = up_open(play.u, &play.arena, 65536), .left = BODY_MAX };
    o->s->events = &events;
    o->s->user = o;
    play.open++;
    o->s->ops->request(o->s, &r, SLICE("/"), (struct body_framing){ asks == ASKS_POST ? BODY_CHUNKED : BODY_NONE, 0 });
    if (asks == ASKS_POST)
        send_more(o->s);
}

/* ------------------------------------------------------------------ the owner of the session */

static void
on_released(struct up_session *u, unsigned n, void *arg)
{
    play.told += n;
    FUZZ_REQUIRE(play.told + up_streams(u) == play.n && up_streams(u) == play.open);
}

static void
on_closed(struct up_session *u, void *arg)
{
    FUZZ_REQUIRE(!play.closed && !play.open && play.told == play.n);
    play.closed = true;
}

/* ------------------------------------------------------------------ runs */

static void
run(unsigned ways, struct slice bytes, const struct wire_cuts *cuts)
{
    static const struct up_session_events session_events = { on_released, on_closed };
    struct wire w;

    memset(&play, 0, sizeof(play));
    play.early = (ways & 3) == 1;
    play.lazy = (ways & 3) == 2;
    play.deaf = (ways & 3) == 3;
    play.again = ways & 4 ? AGAIN_MAX : 0;
    arena_init(&play.arena);
    wire_open(&w);
    play.u = up_h2_new(w.c, &limits, 10, &session_events, NULL);
    open_stream(ASKS_GET);
    for (unsigned asks = ASKS_HEAD; asks <= ASKS_WEBSOCKET; asks++)
        if (ways & 4u << asks)
            open_stream((enum asks)asks);
    if (ways & 64)
        wire_turns(&w, 2); /* the requests are on their way before the origin says a word */
    wire_play(&w, bytes, cuts, &play.closed);
    wire_close(&w);
    arena_fini(&play.arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Its SETTINGS: a tunnel for WebSockets is taken, or nothing is said; and the acknowledgment of weir's. */
    static const char tunnels[] = "\0\0\6\4\0\0\0\0\0\0\x8\0\0\0\1\0\0\0\4\1\0\0\0\0";
    static const char nothing[] = "\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0";
    struct fuzz_input in = fuzz_input(data, size);
    unsigned ways = fuzz_byte(&in), how = fuzz_byte(&in);
    struct wire_cuts nowhere = { .how = CUT_NOWHERE }, cuts = { .how = 1 + how % 3, .end_at_once = how & 4 };
    struct iobuf all;
    struct slice bytes;

    cuts.seed = fuzz_byte(&in) * 256;
    cuts.seed += fuzz_byte(&in);
    iobuf_init(&all, SIZE_MAX);
    if (ways & 128)
        iobuf_add(&all, tunnels, sizeof(tunnels) - 1);
    else
        iobuf_add(&all, nothing, sizeof(nothing) - 1);
    bytes = fuzz_rest(&in);
    if (bytes.n > 15000)
        bytes.n = 15000;
    iobuf_adds(&all, bytes);
    bytes = slice_of(iobuf_pullup(&all, all.len), all.len);
    run(ways, bytes, &nowhere);
    run(ways, bytes, &cuts);
    iobuf_fini(&all);
    return 0;
}
