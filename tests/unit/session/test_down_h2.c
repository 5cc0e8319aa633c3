#include "../../../src/session/down_h1.h"
#include "frames.h"

/* A handler that does what a test tells it to. */
struct fx {
    struct loop *loop;
    struct down_sessions *set;
    struct down_conf conf;
    struct down_handler handler;
    struct strbuf log;          /* "GET /a;" per request, "bad CODE;", "abort CODE;" ... */
    struct down_stream *cur[8]; /* open and not released by the handler, in order */
    unsigned n;
    bool reply; /* answers every request at once with its path */
    bool take;  /* takes bodies as they come */
    bool answer_aborted;
    unsigned sent_told, writable;
    int sessions, active;
};

static struct fx *fx;

/* ------------------------------------------------------------------ the handler */

static void
send_text(struct down_stream *s, const char *text, size_t n)
{
    struct iobuf b;

    iobuf_init(&b, SIZE_MAX);
    iobuf_add(&b, text, n);
    s->ops->send(s, &b, b.len);
    assert_int_equal(b.len, 0);
}

static void
respond(struct down_stream *s, int status, enum body_kind kind, uint64_t length)
{
    struct http_response r = { .status = status };

    fields_init(&r.fields, &s->arena);
    fields_add(&r.fields, SLICE("X-Test"), SLICE("yes"));
    fields_add(&r.fields, SLICE("Connection"), SLICE("close"));
    s->ops->respond(s, &r, (struct body_framing){ kind, length }, false);
}

static void
reply(struct down_stream *s, int status, const char *text)
{
    respond(s, status, BODY_LENGTH, strlen(text));
    send_text(s, text, strlen(text));
    s->ops->end(s, NULL);
}

static void
release(struct down_stream *s)
{
    for (unsigned i = 0; i < fx->n; i++)
        if (fx->cur[i] == s) {
            fx->cur[i] = fx->cur[--fx->n];
            s->ops->release(s);
            return;
        }
    fail_msg("released twice");
}

static void
on_body(struct down_stream *s)
{
    assert_true(s->in.len <= s->in.cap);
    if (!fx->take)
        return;
    strbuf_addf(&fx->log, "%zu%s;", s->in.len, s->in_end ? " end" : "");
    iobuf_consume(&s->in, s->in.len);
    s->ops->consumed(s);
    for (unsigned i = 0; s->in_end && i < s->trailers.n; i++)
        strbuf_addf(&fx->log, "%.*s=%.*s;", SLICE_FMT(s->trailers.v[i].name), SLICE_FMT(s->trailers.v[i].value));
}

static void
on_writable(struct down_stream *s)
{
    assert_true(s->ops->room(s) > 0);
    fx->writable++;
}

static void
on_abort(struct down_stream *s, enum reason_id reason, const char *detail)
{
    assert_non_null(detail);
    assert_true(s->peer->len > 0);
    strbuf_addf(&fx->log, "abort %s;", reason_get(reason)->code);
    if (fx->answer_aborted && down_answerable(reason))
        reply(s, reason_get(reason)->status, "refused");
    else
        release(s);
}

static void
on_sent(struct down_stream *s)
{
    fx->sent_told++;
    release(s);
}

static const struct down_events events = { on_body, on_writable, on_abort, on_sent };

static void
begin(struct down_stream *s)
{
    assert_in_range(fx->n, 0, 7);
    s->events = &events;
    fx->cur[fx->n++] = s;
}

static void
on_request(struct down_stream *s, void *arg)
{
    begin(s);
    assert_int_equal(s->req.version, HTTP_2);
    strbuf_addf(&fx->log, "%.*s %.*s%s;", SLICE_FMT(s->req.method_text), SLICE_FMT(s->req.path),
                s->in_end ? " end" : "");
    if (fx->take && s->in.len)
        on_body(s);
    if (fx->reply)
        reply(s, 200, arena_strndup(&s->arena, s->req.path.p, s->req.path.n));
}

static void
on_bad_request(struct down_stream *s, enum reason_id reason, const char *detail, void *arg)
{
    begin(s);
    assert_true(s->in_end);
    strbuf_addf(&fx->log, "bad %s;", reason_get(reason)->code);
    reply(s, reason_get(reason)->status, detail);
}

static void
on_session(int change, void *arg)
{
    if (change == SESSION_BEGUN || change == SESSION_ENDED)
        fx->sessions += change;
    else
        fx->active += change / 2;
    assert_in_range(fx->active, 0, fx->sessions);
}

static const struct down_conf *
get_conf(void *arg)
{
    return &fx->conf;
}

static const struct down_handler *
get_handler(void *arg)
{
    return &fx->handler;
}

static const struct down_source source = { get_conf, get_handler, NULL };

/* ------------------------------------------------------------------ what is sent and expected */

static void
request(int stream, const char *method, const char *path, bool end)
{
    const char *pairs[] = { ":method", method, ":scheme", "http", ":path", path, ":authority", "a.example", NULL };

    head_frame(stream, end, pairs);
}

static void
expect_log(const char *text)
{
    expect_in(fx->loop, &fx->log, text);
}

static bool
none_left(void *arg)
{
    parse();
    return down_sessions_count(fx->set) == 0;
}

static bool
is_idle(void *arg)
{
    return fx->active == 0;
}

static int
setup(void **state)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    fx = xcalloc(1, sizeof(*fx));
    fx->loop = loop_new("test");
    fx->set = down_sessions_new(fx->loop);
    fx->conf = (struct down_conf){ .limits = { 8192, 8192, 32768, 100 },
                                   .head_timeout = 10 * NSEC_PER_SEC,
                                   .body_timeout = 10 * NSEC_PER_SEC,
                                   .idle_timeout = 10 * NSEC_PER_SEC,
                                   .write_timeout = 10 * NSEC_PER_SEC,
                                   .http2 = true,
                                   .streams = 8 };
    fx->handler = (struct down_handler){ on_request, on_bad_request, on_session, NULL, NULL };
    strbuf_init(&fx->log, 1 << 20);
    down_h1_start(fx->set, far_open(fx->loop), &source);
    strbuf_add(&far.out, preface, sizeof(preface) - 1);
    frame(NGHTTP2_SETTINGS, 0, 0, "", 0);
    flush();
    expect("SETTINGS 0;");
    frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "", 0);
    return 0;
}

static int
teardown(void **state)
{
    down_sessions_free(fx->set);
    assert_int_equal(fx->sessions, 0);
    assert_int_equal(fx->active, 0);
    far_close();
    run_for(fx->loop, 3 * NSEC_PER_MSEC);
    strbuf_fini(&fx->log);
    loop_free(fx->loop);
    free(fx);
    arena_thread_fini();
    iobuf_thread_fini();
    return 0;
}

/* ------------------------------------------------------------------ tests */

static void
answers_on_one_connection(void **state)
{
    fx->reply = true;
    request(1, "GET", "/a", true);
    request(3, "GET", "/bc", true);
    flush();
    expect("DATA 3 3 end;");
    assert_true(has_got((void *)(uintptr_t) "HEADERS 1 :status=200 x-test=yes content-length=2 date="));
    assert_true(has_got((void *)(uintptr_t) "DATA 1 2 end;"));
    assert_null(strstr(far.got.p, "connection"));
    assert_true(run_until(fx->loop, is_idle, NULL));
    assert_string_equal(fx->log.p, "GET /a end;GET /bc end;");
    assert_int_equal(fx->sent_told, 2);
    assert_int_equal(fx->sessions, 1);
}

static void
a_head_alone_ends_the_stream(void **state)
{
    request(1, "HEAD", "/", true);
    request(3, "GET", "/", true);
    flush();
    expect_log("GET / end;");
    respond(fx->cur[0], 200, BODY_LENGTH, 5);
    send_text(fx->cur[0], "12345", 5);
    fx->cur[0]->ops->end(fx->cur[0], NULL);
    expect("HEADERS 1 end :status=200");
    expect("content-length=5");
    assert_null(strstr(far.got.p, "DATA 1"));
    run_for(fx->loop, NSEC_PER_MSEC);
    assert_int_equal(fx->n, 1);
    respond(fx->cur[0], 204, BODY_NONE, 0);
    expect("HEADERS 3 end :status=204");
    assert_true(run_until(fx->loop, is_idle, NULL));
}

/* As large as an origin's may be. */
static void
a_large_head_goes(void **state)
{
    struct http_response r = { .status = 200 };
    char *value = xcalloc(1, 400);

    memset(value, '~', 399);
    request(1, "GET", "/", true);
    flush();
    expect_log("GET / end;");
    fields_init(&r.fields, &fx->cur[0]->arena);
    for (int i = 0; i < 200; i++)
        fields_add(&r.fields, SLICE("X-Many"), slice_str(value));
    fx->cur[0]->ops->respond(fx->cur[0], &r, (struct body_framing){ BODY_NONE, 0 }, false);
    free(value);
    expect("HEADERS 1 end :status=200 x-many=~");
    assert_true(run_until(fx->loop, is_idle, NULL));
}

static void
a_body_and_its_trailers(void **state)
{
    static const char *const trailers[] = { "x-sum", "7", NULL };

    fx->take = true;
    request(1, "POST", "/", false);
    frame(NGHTTP2_DATA, 0, 1, "hello", 5);
    flush();
    expect_log("POST /;5;");
    frame(NGHTTP2_DATA, 0, 1, "abc", 3);
    flush();
    expect_log("3;");
    head_frame(1, true, trailers);
    flush();
    expect_log("0 end;x-sum=7;");
    reply(fx->cur[0], 200, "taken");
    expect("DATA 1 5 end;");
}

static void
a_body_that_came_with_its_head(void **state)
{
    fx->take = true;
    request(1, "POST", "/", false);
    frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "hello", 5);
    flush();
    expect_log("POST / end;5 end;");
    run_for(fx->loop, NSEC_PER_MSEC);
    assert_string_equal(fx->log.p, "POST / end;5 end;"); /* and no on_body for it */
}

static void
the_window_opens_by_what_is_taken(void **state)
{
    static char block[16384];

    request(1, "POST", "/", false);
    flush();
    expect_log("POST /;");
    run_for(fx->loop, NSEC_PER_MSEC);
    for (int i = 0; i < 4; i++)
        frame(NGHTTP2_DATA, 0, 1, block, sizeof(block));
    flush();
    run_for(fx->loop, 5 * NSEC_PER_MSEC);
    parse();
    assert_null(strstr(far.got.p, "WINDOW 1"));
    assert_int_equal(fx->cur[0]->in.len, 65536);
    iobuf_consume(&fx->cur[0]->in, 65536);
    fx->cur[0]->ops->consumed(fx->cur[0]);
    expect("WINDOW 1;");
    release(fx->cur[0]);
    expect("RST 1 2;");
}

static void
an_answer_waits_for_the_window(void **state)
{
    static char block[60000];
    struct down_stream *s;
    size_t room;

    number_frame(NGHTTP2_WINDOW_UPDATE, 0, 1 << 20);
    request(1, "GET", "/", true);
    flush();
    expect_log("GET / end;");
    s = fx->cur[0];
    respond(s, 200, BODY_CHUNKED, 0);
    room = s->ops->room(s);
    assert_int_equal(room, 65536);
    send_text(s, block, sizeof(block));
    expect("DATA 1 10848;"); /* 3 * 16384 and this: all of it */
    send_text(s, block, sizeof(block));
    run_for(fx->loop, NSEC_PER_MSEC);
    send_text(s, block, 11071);
    assert_int_equal(s->ops->room(s), 0);
    run_for(fx->loop, NSEC_PER_MSEC);
    assert_int_equal(fx->writable, 0);
    number_frame(NGHTTP2_WINDOW_UPDATE, 1, 1 << 20);
    flush();
    run_for(fx->loop, 5 * NSEC_PER_MSEC);
    assert_int_equal(fx->writable, 1);
    s->ops->end(s, NULL);
    expect("DATA 1 0 end;");
}

static void
a_promise_is_kept(void **state)
{
    request(1, "GET", "/", true);
    request(3, "GET", "/", true);
    flush();
    expect_log("GET / end;GET / end;");
    respond(fx->cur[0], 200, BODY_LENGTH, 3);
    respond(fx->cur[1], 200, BODY_LENGTH, 3);
    send_text(fx->cur[0], "1234", 4);
    send_text(fx->cur[1], "12", 2);
    fx->cur[1]->ops->end(fx->cur[1], NULL);
    expect_log("abort body_aborted;abort body_aborted;");
    expect("RST 1 2;");
    expect("RST 3 2;");
    assert_int_equal(fx->sessions, 1);
}

static void
resets(void **state)
{
    request(1, "GET", "/", true);
    flush();
    expect_log("GET / end;");
    number_frame(NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
    flush();
    expect_log("abort client_closed;");
    assert_int_equal(fx->n, 0);
    /* One that is over before anybody saw it is nobody's. */
    request(3, "GET", "/never", true);
    number_frame(NGHTTP2_RST_STREAM, 3, NGHTTP2_CANCEL);
    request(5, "GET", "/last", true);
    flush();
    expect_log("GET /last end;");
    assert_null(strstr(fx->log.p, "never"));
    fx->cur[0]->ops->reset(fx->cur[0]);
    release(fx->cur[0]);
    expect("RST 5 2;");
    assert_true(run_until(fx->loop, is_idle, NULL));
}

static void
refused_heads(void **state)
{
    static const char *const dots[] = {
        ":method", "GET", ":scheme", "http", ":path", "/../a", ":authority", "a", NULL
    };
    static const char *const old[] = { ":method",    "GET", ":scheme",    "http",  ":path", "/",
                                       ":authority", "a",   "connection", "close", NULL };

    head_frame(1, true, dots);
    flush();
    expect_log("bad bad_request;");
    expect("HEADERS 1 :status=400");
    assert_null(strstr(far.got.p, "RST"));
    head_frame(3, true, old);
    flush();
    expect_log("bad bad_request;bad bad_request;");
    expect("RST 3 1;");
    assert_null(strstr(far.got.p, "HEADERS 3"));
    assert_true(run_until(fx->loop, is_idle, NULL));
}

static void
trailers_that_are_refused(void **state)
{
    static const char *const bad[] = { "content-type", "x", "host", "b", NULL };

    fx->answer_aborted = true;
    request(1, "POST", "/", false);
    flush();
    expect_log("POST /;");
    head_frame(1, true, bad);
    flush();
    expect_log("abort bad_request;");
    expect("HEADERS 1 :status=400");
    assert_true(run_until(fx->loop, is_idle, NULL));
}

static void
the_client_goes(void **state)
{
    request(1, "GET", "/", true);
    request(3, "POST", "/", false);
    flush();
    expect_log("POST /;");
    wire_fin(&far.w);
    expect_log("abort client_closed;abort client_closed;");
    assert_true(run_until(fx->loop, none_left, NULL));
    assert_int_equal(fx->sessions, 0);
}

static void
a_tunnel(void **state)
{
    static const char *const connect[] = { ":method", "CONNECT", ":protocol",  "websocket", ":scheme", "http",
                                           ":path",   "/",       ":authority", "a",         NULL };
    struct down_stream *s;

    head_frame(1, false, connect);
    flush();
    expect_log("GET / end;");
    s = fx->cur[0];
    assert_true(slice_eq(s->req.upgrade, SLICE("websocket")));
    respond(s, 101, BODY_NONE, 0);
    s->ops->upgraded(s);
    assert_false(s->in_end);
    expect("HEADERS 1 :status=200");
    fx->take = true;
    frame(NGHTTP2_DATA, 0, 1, "hi", 2);
    flush();
    expect_log("2;");
    send_text(s, "you", 3);
    expect("DATA 1 3;");
    s->ops->end(s, NULL);
    expect("DATA 1 0 end;");
    assert_int_equal(fx->sent_told, 0);
    frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "bye", 3);
    flush();
    expect_log("3 end;");
    assert_true(run_until(fx->loop, is_idle, NULL));
    assert_int_equal(fx->sent_told, 1);
}

static void
leaving(void **state)
{
    request(1, "GET", "/", true);
    flush();
    expect_log("GET / end;");
    down_sessions_drain(fx->set);
    expect("GOAWAY 0 0 last 7fffffff;");
    expect("PING 0;");
    assert_true(fx->cur[0]->draining);
    request(3, "GET", "/more", true);
    frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "leaving.", 8);
    flush();
    expect("GOAWAY 0 0 last 3;");
    assert_int_equal(fx->n, 2);
    reply(fx->cur[0], 200, "x");
    reply(fx->cur[1], 200, "x");
    assert_true(run_until(fx->loop, none_left, NULL));
    assert_int_equal(fx->sent_told, 2);
}

static void
the_end_of_patience(void **state)
{
    request(1, "GET", "/", true);
    flush();
    expect_log("GET / end;");
    down_sessions_abort(fx->set);
    expect_log("abort draining;");
    assert_true(run_until(fx->loop, none_left, NULL));
    expect("GOAWAY 0 0 last 1;");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(answers_on_one_connection),
        T(a_head_alone_ends_the_stream),
        T(a_large_head_goes),
        T(a_body_and_its_trailers),
        T(a_body_that_came_with_its_head),
        T(the_window_opens_by_what_is_taken),
        T(an_answer_waits_for_the_window),
        T(a_promise_is_kept),
        T(resets),
        T(refused_heads),
        T(trailers_that_are_refused),
        T(the_client_goes),
        T(a_tunnel),
        T(leaving),
        T(the_end_of_patience),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
