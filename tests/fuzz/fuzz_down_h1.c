/*
 * What a client sends, on a session: the same requests come out of it wherever the bytes are cut. Input: how the
 * handler behaves, how the bytes are cut, a seed, the bytes.
 *
 * A handler that takes each body and then answers sees exactly the same. One that answers early may see fewer requests
 * (a body that is still to come can cost the connection), but never others.
 */
#include "wire.h"

#include "../../src/base/strbuf.h"
#include "../../src/session/down_h1.h"

static const struct down_conf conf = {
    .limits = { .request_line = 256, .field = 256, .head = 1024, .fields = 16 },
    .keepalive_requests = 5,
};

struct play {
    bool early, answer_aborted, lazy; /* the handler's ways */
    bool over;
    struct down_stream *s; /* the open one */
    bool tunnel;           /* it was upgraded */
    struct strbuf log;     /* of exchanges that are over */
    struct strbuf body;    /* of the open one */
};

static struct play *play;

/* ------------------------------------------------------------------ what is noted */

static void
note_fields(const struct fields *f)
{
    fuzz_require_fields(f);
    for (unsigned i = 0; i < f->n; i++)
        strbuf_addf(&play->log, " %.*s: %.*s\n", SLICE_FMT(f->v[i].name), SLICE_FMT(f->v[i].value));
}

static void
note_request(const struct down_stream *s)
{
    const struct http_request *r = &s->req;

    strbuf_addf(&play->log, "%.*s %.*s", SLICE_FMT(r->method_text), SLICE_FMT(r->target));
    if (play->early) {
        strbuf_addc(&play->log, '\n');
        return;
    }
    strbuf_addf(&play->log, " %d host=%.*s path=%.*s query=%.*s body=%d/%llu keep=%d upgrade=%.*s/%d\n", r->version,
                SLICE_FMT(r->host), SLICE_FMT(r->path), SLICE_FMT(r->query), r->body.kind,
                (unsigned long long)r->body.length, r->keep_alive, SLICE_FMT(r->upgrade), play->tunnel);
    note_fields(&r->fields);
    strbuf_addslice(&play->log, strbuf_slice(&play->body));
    note_fields(&s->trailers);
}

/* A body that broke its framing may have been seen together with its head, or after it. */
static void
note_refused(const struct down_stream *s, enum reason_id reason, const char *detail)
{
    if (play->early)
        note_request(s);
    else
        strbuf_addf(&play->log, "refused %.*s %.*s %s: %s\n", SLICE_FMT(s->req.method_text), SLICE_FMT(s->req.target),
                    reason_get(reason)->code, detail);
}

/* ------------------------------------------------------------------ the handler */

static void
answer(struct down_stream *s, int status)
{
    struct http_response r = { .status = status };
    struct iobuf b;

    fields_init(&r.fields, &s->arena);
    iobuf_init(&b, SIZE_MAX);
    iobuf_add(&b, "ok", 2);
    s->ops->respond(s, &r, (struct body_framing){ BODY_LENGTH, 2 }, false);
    s->ops->send(s, &b, b.len);
    s->ops->end(s, NULL);
    iobuf_fini(&b);
}

static void
upgrade(struct down_stream *s)
{
    struct http_response r = { .status = 101 };

    fields_init(&r.fields, &s->arena);
    s->ops->respond(s, &r, (struct body_framing){ BODY_NONE, 0 }, false);
    play->tunnel = true;
    s->ops->upgraded(s);
}

static void
take(struct down_stream *s)
{
    size_t n = s->in.len;

    strbuf_add(&play->body, iobuf_pullup(&s->in, n), n);
    iobuf_consume(&s->in, n);
    s->ops->consumed(s);
}

/* The request, or all that came through its tunnel, is complete. */
static void
complete(struct down_stream *s)
{
    if (s->req.upgrade.n && s->req.body.kind == BODY_NONE && !play->tunnel) {
        upgrade(s);
        return;
    }
    note_request(s);
    if (play->tunnel)
        s->ops->end(s, NULL);
    else
        answer(s, 200);
}

static void
on_body(struct down_stream *s)
{
    FUZZ_REQUIRE(play->s == s && s->in.len <= s->in.cap);
    if (s->in.len && (!play->lazy || s->in_end))
        take(s);
    if (s->in_end && !play->early)
        complete(s);
}

static void
release(struct down_stream *s)
{
    FUZZ_REQUIRE(play->s == s);
    play->s = NULL;
    s->ops->release(s);
}

static void
on_abort(struct down_stream *s, enum reason_id reason, const char *detail)
{
    bool there = reason == REASON_BAD_REQUEST || reason == REASON_HEADERS_TOO_LARGE;

    FUZZ_REQUIRE(detail && (there || reason == REASON_CLIENT_CLOSED));
    if (!play->early && there)
        note_refused(s, reason, detail);
    else if (!play->early)
        note_request(s);
    strbuf_adds(&play->log, there || play->early ? "" : "aborted\n");
    if (there && play->answer_aborted && !play->early)
        answer(s, 400);
    else
        release(s);
}

static void
on_sent(struct down_stream *s)
{
    release(s);
}

static const struct down_events events = { .on_body = on_body, .on_abort = on_abort, .on_sent = on_sent };

static void
open_stream(struct down_stream *s)
{
    FUZZ_REQUIRE(!play->s);
    play->s = s;
    play->tunnel = false;
    s->events = &events;
    strbuf_clear(&play->body);
}

static void
on_request(struct down_stream *s, void *arg)
{
    open_stream(s);
    if (s->in.len && (!play->lazy || s->in_end))
        take(s);
    if (play->early) {
        note_request(s);
        answer(s, 200);
    } else if (s->in_end) {
        complete(s);
    }
}

static void
on_bad_request(struct down_stream *s, enum reason_id reason, const char *detail, void *arg)
{
    FUZZ_REQUIRE(s->in_end && !s->in.len && detail);
    open_stream(s);
    note_refused(s, reason, detail);
    answer(s, reason_get(reason)->status);
}

static void
on_session(int change, void *arg)
{
    if (change == SESSION_ENDED)
        play->over = true;
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

static struct slice
run(struct play *p, struct slice bytes, const struct wire_cuts *cuts)
{
    static const struct down_source source = { get_conf, get_handler, NULL };
    static struct down_sessions *set;
    struct wire w;

    play = p;
    strbuf_init(&p->log, 1u << 20);
    strbuf_init(&p->body, 1u << 20);
    wire_open(&w);
    if (!set)
        set = down_sessions_new(w.loop);
    down_h1_start(set, w.c, &source);
    wire_play(&w, bytes, cuts, &p->over);
    wire_close(&w);
    FUZZ_REQUIRE(!p->s && down_sessions_count(set) == 0);
    return strbuf_slice(&p->log);
}

static void
require_same(struct slice whole, struct slice cut, bool early)
{
    bool same = early ? slice_starts(whole, cut) || slice_starts(cut, whole) : slice_eq(whole, cut);

    if (!same)
        fprintf(stderr, "--- whole\n%.*s--- cut\n%.*s", SLICE_FMT(whole), SLICE_FMT(cut));
    FUZZ_REQUIRE(same);
}

static void
require_same_cut(const struct play *whole, struct slice bytes, const struct wire_cuts *cuts)
{
    struct play cut = { .early = whole->early, .answer_aborted = whole->answer_aborted, .lazy = whole->lazy };

    run(&cut, bytes, cuts);
    require_same(strbuf_slice(&whole->log), strbuf_slice(&cut.log), whole->early);
    strbuf_fini(&cut.log);
    strbuf_fini(&cut.body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    unsigned ways = fuzz_byte(&in), how = fuzz_byte(&in);
    struct play whole = { .early = ways & 1, .answer_aborted = ways & 2, .lazy = ways & 4 };
    struct wire_cuts nowhere = { .how = CUT_NOWHERE }, cuts = { .how = 1 + how % 3, .end_at_once = how & 4 };
    struct slice bytes;

    cuts.seed = fuzz_byte(&in) * 256;
    cuts.seed += fuzz_byte(&in);
    bytes = fuzz_rest(&in);
    run(&whole, bytes, &nowhere);
    require_same_cut(&whole, bytes, &cuts);
    cuts.how = CUT_ONCE;
    for (cuts.seed = 0; how & 8 && bytes.n <= WIRE_CUT_ALL_MAX && cuts.seed + 1 < bytes.n; cuts.seed++)
        require_same_cut(&whole, bytes, &cuts);
    strbuf_fini(&whole.log);
    strbuf_fini(&whole.body);
    return 0;
}
