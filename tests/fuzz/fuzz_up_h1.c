/* What an origin answers, on a session: the same answer comes out of it wherever the bytes are cut. Input: what is
 * asked for, how the bytes are cut, a seed, the bytes. */
#include "wire.h"

#include "../../src/base/strbuf.h"
#include "../../src/session/up_h1.h"

static const struct h1_limits limits = { .request_line = 256, .field = 256, .head = 1024, .fields = 16 };

struct play {
    bool over, closed, headed;
    struct up_stream *s;
    struct strbuf log;
    size_t head_at; /* in the log: the final head */
};

static struct play *play;

static void
note_head(const char *what, const struct http_response *r)
{
    fuzz_require_fields(&r->fields);
    strbuf_addf(&play->log, "%s %d %.*s body=%d/%llu keep=%d/%lld\n", what, r->status, SLICE_FMT(r->reason_phrase),
                r->body.kind, (unsigned long long)r->body.length, r->keep_alive, (long long)r->keep_alive_timeout);
    for (unsigned i = 0; i < r->fields.n; i++)
        strbuf_addf(&play->log, " %.*s: %.*s\n", SLICE_FMT(r->fields.v[i].name), SLICE_FMT(r->fields.v[i].value));
}

static void
release(struct up_stream *s)
{
    FUZZ_REQUIRE(play->s == s);
    play->s = NULL;
    play->over = true;
    s->ops->release(s);
}

static void
maybe_complete(struct up_stream *s)
{
    if (!s->in_end)
        return;
    strbuf_adds(&play->log, "\nend\n");
    fuzz_require_fields(&s->trailers);
    for (unsigned i = 0; i < s->trailers.n; i++)
        strbuf_addf(&play->log, " %.*s: %.*s\n", SLICE_FMT(s->trailers.v[i].name), SLICE_FMT(s->trailers.v[i].value));
    release(s);
}

static void
on_interim(struct up_stream *s, const struct http_response *r)
{
    FUZZ_REQUIRE(r->status >= 100 && r->status < 200 && r->status != 101);
    note_head("interim", r);
}

static void
on_body(struct up_stream *s)
{
    size_t n = s->in.len;

    FUZZ_REQUIRE(play->s == s && n <= s->in.cap && (n || s->in_end));
    strbuf_add(&play->log, iobuf_pullup(&s->in, n), n);
    iobuf_consume(&s->in, n);
    s->ops->consumed(s);
    maybe_complete(s);
}

static void
on_head(struct up_stream *s)
{
    play->head_at = play->log.n;
    play->headed = true;
    note_head("head", &s->res);
    if (s->res.status == 101) {
        FUZZ_REQUIRE(!s->in_end);
        s->ops->upgraded(s);
    } else {
        FUZZ_REQUIRE(s->res.status >= 200);
        if (s->in.len)
            on_body(s);
        else
            maybe_complete(s);
    }
}

static void
on_writable(struct up_stream *s)
{
}

static void
on_error(struct up_stream *s, enum up_error error, const char *detail)
{
    /* Whether the head was told of before depends on how much had come by then. */
    if (play->headed)
        play->log.n = play->head_at;
    strbuf_addf(&play->log, "\nerror %d %s\n", error, detail);
    release(s);
}

static const struct up_events events = { on_interim, on_head, on_body, on_writable, on_error };

static void
on_released(struct up_session *u, unsigned n, void *arg)
{
}

static void
on_closed(struct up_session *u, void *arg)
{
    play->closed = true;
}

static void
ask(struct up_stream *s, unsigned choice, struct arena *arena)
{
    enum http_method method = choice & 1 ? METHOD_HEAD : METHOD_GET;
    struct http_request r = {
        .method = method, .method_text = slice_str(method_name(method)), .version = HTTP_1_1, .authority = SLICE("o")
    };

    fields_init(&r.fields, arena);
    r.upgrade = choice & 2 ? SLICE("websocket") : SLICE_NONE;
    s->events = &events;
    s->ops->request(s, &r, SLICE("/"), (struct body_framing){ BODY_NONE, 0 });
}

/* in_cap: small, so that the session often has to wait for its reader. */
static struct slice
run(struct play *p, unsigned choice, struct slice bytes, const struct wire_cuts *cuts)
{
    static const struct up_session_events session_events = { on_released, on_closed };
    struct up_session *u;
    struct arena arena;
    struct wire w;

    play = p;
    strbuf_init(&p->log, 1u << 20);
    arena_init(&arena);
    wire_open(&w);
    u = up_h1_new(w.c, &limits, &session_events, NULL);
    p->s = up_open(u, &arena, choice & 4 ? 16 : 65536);
    ask(p->s, choice, &arena);
    wire_turns(&w, 2);
    wire_play(&w, bytes, cuts, &p->over);
    wire_turns(&w, 2); /* an idle session sees the end of the stream */
    wire_close(&w);
    FUZZ_REQUIRE(p->closed);
    arena_fini(&arena);
    return strbuf_slice(&p->log);
}

static void
require_same_cut(const struct play *whole, unsigned choice, struct slice bytes, const struct wire_cuts *cuts)
{
    struct play p = { 0 };
    struct slice a = strbuf_slice(&whole->log), b = run(&p, choice, bytes, cuts);

    if (!slice_eq(a, b))
        fprintf(stderr, "--- whole\n%.*s--- cut\n%.*s", SLICE_FMT(a), SLICE_FMT(b));
    FUZZ_REQUIRE(slice_eq(a, b));
    strbuf_fini(&p.log);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    unsigned choice = fuzz_byte(&in), how = fuzz_byte(&in);
    struct play whole = { 0 };
    struct wire_cuts nowhere = { .how = CUT_NOWHERE }, cuts = { .how = 1 + how % 3, .end_at_once = how & 4 };
    struct slice bytes;

    cuts.seed = fuzz_byte(&in) * 256;
    cuts.seed += fuzz_byte(&in);
    bytes = fuzz_rest(&in);
    run(&whole, choice, bytes, &nowhere);
    require_same_cut(&whole, choice, bytes, &cuts);
    cuts.how = CUT_ONCE;
    for (cuts.seed = 0; how & 8 && bytes.n <= WIRE_CUT_ALL_MAX && cuts.seed + 1 < bytes.n; cuts.seed++)
        require_same_cut(&whole, choice, bytes, &cuts);
    strbuf_fini(&whole.log);
    return 0;
}
