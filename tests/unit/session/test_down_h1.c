#include "../../../src/session/down_h1.h"
#include "wire.h"

#include <malloc.h>
#include <sys/resource.h>

/* A handler that does what a test tells it to. */
struct fx {
    struct loop *loop;
    struct down_sessions *set;
    struct down_conf conf;
    struct down_handler handler;
    struct wire w;
    struct strbuf log;       /* "GET /a;" per request, "bad CODE;", "abort CODE;" ... */
    struct down_stream *cur; /* open and not released by the handler */
    bool reply;              /* answers every request at once with its path */
    bool keep_open;          /* does not release at on_sent */
    bool take;               /* takes request bodies as they come */
    bool answer_aborted;
    bool echo;         /* answers with the request's body as it comes */
    struct iobuf body; /* what was taken */
    unsigned sent, aborted, writable;
    int sessions, active;
    size_t most_held;
    const char *limit; /* of the last request */
    char limit_at[64], detail[256];
};

static struct fx *fx;

static void
note(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    strbuf_vaddf(&fx->log, fmt, ap);
    va_end(ap);
}

static void
note_limit(const struct down_stream *s)
{
    fx->limit = limit_name(s->limit);
    snprintf(fx->limit_at, sizeof(fx->limit_at), "%s", s->limit_at ? s->limit_at : "");
}

static void
release(struct down_stream *s)
{
    if (fx->cur == s)
        fx->cur = NULL;
    s->ops->release(s);
}

static void
send_text(struct down_stream *s, const char *text)
{
    struct iobuf b;

    iobuf_init(&b, SIZE_MAX);
    iobuf_add(&b, text, strlen(text));
    s->ops->send(s, &b, b.len);
    assert_int_equal(b.len, 0);
}

static void
respond(struct down_stream *s, int status, enum body_kind kind, uint64_t length, bool close)
{
    struct http_response r = { .status = status };

    fields_init(&r.fields, &s->arena);
    fields_add(&r.fields, SLICE("X-Test"), SLICE("yes"));
    s->ops->respond(s, &r, (struct body_framing){ kind, length }, close);
}

static void
reply(struct down_stream *s, int status, const char *text)
{
    respond(s, status, BODY_LENGTH, strlen(text), false);
    send_text(s, text);
    s->ops->end(s, NULL);
}

static void
take_body(struct down_stream *s)
{
    if (s->in.len > fx->most_held)
        fx->most_held = s->in.len;
    if (!fx->take)
        return;
    if (s->in.len) {
        iobuf_move(&fx->body, &s->in, s->in.len);
        s->ops->consumed(s);
    }
    if (s->in_end) {
        note("end;");
        for (unsigned i = 0; i < s->trailers.n; i++)
            note("%.*s=%.*s;", SLICE_FMT(s->trailers.v[i].name), SLICE_FMT(s->trailers.v[i].value));
        if (fx->reply)
            reply(s, 200, "taken");
    }
}

/* What a proxy does, without an origin between. */
static void
echo(struct down_stream *s)
{
    size_t n = s->in.len, room = s->ops->room(s);

    n = n < room ? n : room;
    if (n) {
        s->ops->send(s, &s->in, n);
        s->ops->consumed(s);
    }
    if (s->in_end && !s->in.len)
        s->ops->end(s, NULL);
}

static void
on_body(struct down_stream *s)
{
    assert_true(s->in.len <= s->in.cap);
    if (fx->echo)
        echo(s);
    else
        take_body(s);
}

static void
on_writable(struct down_stream *s)
{
    fx->writable++;
    if (fx->echo)
        echo(s);
}

static void
on_abort(struct down_stream *s, enum reason_id reason, const char *detail)
{
    fx->aborted++;
    note_limit(s);
    snprintf(fx->detail, sizeof(fx->detail), "%s", detail);
    note("abort %s;", reason_get(reason)->code);
    assert_non_null(detail);
    assert_true(s->peer->len > 0);
    if (fx->answer_aborted && reason != REASON_CLIENT_CLOSED)
        reply(s, reason_get(reason)->status, "refused");
    else
        release(s);
}

static void
on_sent(struct down_stream *s)
{
    fx->sent++;
    if (!fx->keep_open)
        release(s);
}

static const struct down_events events = { on_body, on_writable, on_abort, on_sent };

static void
begin(struct down_stream *s)
{
    s->events = &events;
    fx->cur = s;
}

static void
on_request(struct down_stream *s, void *arg)
{
    assert_null(fx->cur);
    begin(s);
    note_limit(s);
    note("%.*s %.*s;", SLICE_FMT(s->req.method_text), SLICE_FMT(s->req.path));
    assert_true(slice_eq(s->req.scheme, SLICE("http")));
    if (fx->echo) {
        respond(s, 200, BODY_CHUNKED, 0, false);
        echo(s);
    } else if (fx->take && s->req.body.kind != BODY_NONE)
        take_body(s);
    else if (fx->reply && !fx->take)
        reply(s, 200, arena_strndup(&s->arena, s->req.path.p, s->req.path.n));
    else if (fx->reply)
        reply(s, 200, "none");
}

static void
on_bad_request(struct down_stream *s, enum reason_id reason, const char *detail, void *arg)
{
    begin(s);
    note_limit(s);
    assert_true(s->in_end);
    note("bad %s;", reason_get(reason)->code);
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

static const char *
limit_at(enum limit_id limit, void *arg)
{
    (void)arg;
    return limit_name(limit);
}

static const struct down_handler *
get_handler(void *arg)
{
    return &fx->handler;
}

static const struct down_source source = { get_conf, get_handler, NULL };

static int
setup(void **state)
{
    fx = xcalloc(1, sizeof(*fx));
    fx->loop = loop_new("test");
    fx->set = down_sessions_new(fx->loop);
    fx->conf = (struct down_conf){ .limits = { 8192, 8192, 32768, 100 },
                                   .head_timeout = 10 * NSEC_PER_SEC,
                                   .body_timeout = 10 * NSEC_PER_SEC,
                                   .idle_timeout = 10 * NSEC_PER_SEC,
                                   .write_timeout = 10 * NSEC_PER_SEC };
    fx->handler = (struct down_handler){ on_request, on_bad_request, on_session, NULL, limit_at };
    strbuf_init(&fx->log, 65536);
    iobuf_init(&fx->body, SIZE_MAX);
    down_h1_start(fx->set, wire_open(&fx->w, fx->loop), &source);
    return 0;
}

static int
teardown(void **state)
{
    fx->cur = NULL;
    down_sessions_free(fx->set);
    assert_int_equal(fx->sessions, 0);
    assert_int_equal(fx->active, 0);
    wire_close(&fx->w);
    run_for(fx->loop, 3 * NSEC_PER_MSEC); /* lingering connections see the end */
    strbuf_fini(&fx->log);
    iobuf_fini(&fx->body);
    loop_free(fx->loop);
    free(fx);
    arena_thread_fini();
    iobuf_thread_fini();
    return 0;
}

static const char *
log_text(void)
{
    return fx->log.p ? fx->log.p : "";
}

static void
expect_log(const char *text)
{
    expect_in(fx->loop, &fx->log, text);
}

static bool
none_left(void *arg)
{
    return down_sessions_count(fx->set) == 0;
}

static void
expect_no_session(void)
{
    assert_true(run_until(fx->loop, none_left, NULL));
    assert_int_equal(fx->sessions, 0);
}

static bool
is_idle(void *arg)
{
    return fx->active == 0;
}

#define HOST "Host: a.example\r\n"

/* ------------------------------------------------------------------ heads, keep-alive, pipelining */

static void
test_keep_alive(void **state)
{
    const char *got;

    fx->reply = true;
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    got = wire_expect(&fx->w, "\r\n\r\n/a");
    assert_non_null(strstr(got, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(got, "Content-Length: 2\r\n"));
    assert_non_null(strstr(got, "X-Test: yes\r\n"));
    assert_null(strstr(got, "Connection:"));
    assert_true(run_until(fx->loop, is_idle, NULL));
    wire_sends(&fx->w, "GET /b HTTP/1.1\r\n" HOST "\r\n");
    wire_expect(&fx->w, "\r\n\r\n/b");
    assert_string_equal(log_text(), "GET /a;GET /b;");
    assert_int_equal(fx->sent, 2);
    assert_int_equal(fx->sessions, 1);
    wire_fin(&fx->w);
    expect_no_session();
    assert_int_equal(fx->aborted, 0);
}

static void
test_byte_at_a_time(void **state)
{
    const char *all = "\r\nPOST /p HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                      "5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-Sum: 7\r\n\r\n"
                      "POST /q HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";

    fx->reply = fx->take = true;
    for (; *all; all++) {
        wire_send(&fx->w, all, 1);
        run_for(fx->loop, WIRE_TICK);
    }
    wire_expect(&fx->w, "taken");
    wire_expect(&fx->w, "taken");
    assert_string_equal(log_text(), "POST /p;end;X-Sum=7;POST /q;end;");
    assert_memory_equal(iobuf_pullup(&fx->body, fx->body.len), "hello0123456789abc", 18);
    assert_int_equal(fx->body.len, 18);
}

static void
test_body_in_one_packet_is_whole_at_once(void **state)
{
    wire_sends(&fx->w, "POST /p HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
    expect_log("POST /p;");
    assert_true(fx->cur->in_end);
    assert_int_equal(fx->cur->in.len, 5);
    assert_int_equal(fx->cur->bytes_in, strlen("POST /p HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"));
    reply(fx->cur, 200, "x");
    wire_expect(&fx->w, "\r\n\r\nx");
}

static void
test_trailers_in_one_packet(void **state)
{
    fx->take = fx->reply = true;
    wire_sends(&fx->w,
               "POST /p HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 7\r\n\r\n");
    wire_expect(&fx->w, "taken");
    assert_string_equal(log_text(), "POST /p;end;X-Sum=7;");
}

static void
test_pipelining_is_answered_in_order(void **state)
{
    wire_sends(&fx->w, "GET /1 HTTP/1.1\r\n" HOST "\r\nPOST /2 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab"
                       "GET /3 HTTP/1.1\r\n" HOST "\r\n");
    expect_log("GET /1;");
    run_for(fx->loop, 2 * NSEC_PER_MSEC);
    assert_string_equal(log_text(), "GET /1;"); /* one at a time */
    reply(fx->cur, 200, "one");
    expect_log("POST /2;");
    assert_int_equal(fx->cur->in.len, 2);
    reply(fx->cur, 200, "two");
    expect_log("GET /3;");
    reply(fx->cur, 200, "three");
    wire_expect(&fx->w, "one");
    wire_expect(&fx->w, "two");
    wire_expect(&fx->w, "three");
    assert_string_equal(log_text(), "GET /1;POST /2;GET /3;");
    assert_int_equal(fx->aborted, 0);
}

/* The rest of a body is asked for with one byte more than it has: the first of the next request. */
static void
test_pipelining_behind_a_long_body(void **state)
{
    size_t n = 100000;
    char *data = xmalloc(n), head[80];

    memset(data, 'x', n);
    snprintf(head, sizeof(head), "POST /1 HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", n);
    fx->take = fx->reply = true;
    wire_sends(&fx->w, head);
    expect_log("POST /1;");
    wire_send(&fx->w, data, n);
    wire_sends(&fx->w, "GET /2 HTTP/1.1\r\n" HOST "\r\n");
    expect_log("POST /1;end;GET /2;");
    wire_expect(&fx->w, "taken");
    assert_int_equal(fx->aborted, 0);
    free(data);
}

#define PIPELINED 500

static void
test_many_pipelined_requests(void **state)
{
    const char *one = "GET /x HTTP/1.1\r\n" HOST "\r\n";
    struct strbuf all;

    fx->reply = true;
    strbuf_init(&all, 1 << 20);
    for (int i = 0; i < PIPELINED; i++)
        strbuf_adds(&all, one);
    wire_send(&fx->w, all.p, all.n);
    for (int i = 0; i < PIPELINED; i++)
        wire_expect(&fx->w, "\r\n\r\n/x");
    assert_int_equal(fx->sent, PIPELINED);
    strbuf_fini(&all);
}

static void
test_fin_behind_pipelined_requests_loses_none(void **state)
{
    wire_sends(&fx->w, "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\nGET /3 HTTP/1.1\r\n" HOST "\r\n");
    wire_fin(&fx->w);
    for (const char *const *at = (const char *const[]){ "GET /1;", "GET /2;", "GET /3;", NULL }; *at; at++) {
        expect_log(*at);
        run_for(fx->loop, NSEC_PER_MSEC);
        assert_int_equal(fx->aborted, 0);
        reply(fx->cur, 200, *at);
        wire_expect(&fx->w, *at);
    }
    wire_expect_end(&fx->w);
    assert_true(fx->w.eof);
    expect_no_session();
}

static void
test_early_bytes_are_bounded(void **state)
{
    size_t n = 4 << 20;
    char *junk = xcalloc(1, n);
    const char *first = "GET /1 HTTP/1.1\r\n" HOST "\r\n";

    memset(junk, 'x', n);
    memcpy(junk, first, strlen(first));
    wire_send(&fx->w, junk, n);
    expect_log("GET /1;");
    run_for(fx->loop, 20 * NSEC_PER_MSEC);
    /* What the sockets do not hold stays with the client. */
    assert_true(fx->w.left > n / 2);
    assert_int_equal(fx->aborted, 0);
    reply(fx->cur, 200, "ok");
    wire_expect(&fx->w, "ok");
    expect_log("bad uri_too_long;");
    fx->w.left = 0;
    free(junk);
}

static void
test_http_10(void **state)
{
    fx->reply = true;
    wire_sends(&fx->w, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_non_null(strstr(wire_expect(&fx->w, "\r\n\r\n/a"), "Connection: keep-alive\r\n"));
    wire_sends(&fx->w, "GET /b HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(wire_expect(&fx->w, "\r\n\r\n/b"), "Connection: close\r\n"));
    wire_expect_end(&fx->w);
    assert_true(fx->w.eof);
}

static void
test_unknown_length_to_http_10_lasts_until_close(void **state)
{
    wire_sends(&fx->w, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect_log("GET /a;");
    respond(fx->cur, 200, BODY_CHUNKED, 0, false);
    send_text(fx->cur, "some");
    send_text(fx->cur, "thing");
    fx->cur->ops->end(fx->cur, NULL);
    assert_non_null(strstr(wire_expect(&fx->w, "\r\n\r\n"), "Connection: close\r\n"));
    assert_string_equal(wire_expect_end(&fx->w), "something");
    assert_true(fx->w.eof);
}

static void
test_chunked_and_trailers(void **state)
{
    struct fields t;
    const char *got;

    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    expect_log("GET /a;");
    respond(fx->cur, 200, BODY_UNTIL_CLOSE, 0, false);
    send_text(fx->cur, "some");
    fields_init(&t, &fx->cur->arena);
    fields_add(&t, SLICE("X-Sum"), SLICE("7"));
    fx->cur->ops->end(fx->cur, &t);
    got = wire_expect(&fx->w, "0\r\nX-Sum: 7\r\n\r\n");
    assert_non_null(strstr(got, "Transfer-Encoding: chunked\r\n"));
    assert_non_null(strstr(got, "\r\n\r\n4\r\nsome\r\n"));
    assert_true(run_until(fx->loop, is_idle, NULL));
    assert_int_equal(down_sessions_count(fx->set), 1);
}

static void
test_head_has_no_body(void **state)
{
    const char *got;

    fx->reply = true;
    wire_sends(&fx->w, "HEAD /abc HTTP/1.1\r\n" HOST "\r\nGET /next HTTP/1.1\r\n" HOST "\r\n");
    got = wire_expect(&fx->w, "\r\n\r\nHTTP/1.1 200");
    assert_non_null(strstr(got, "Content-Length: 4\r\n"));
    wire_expect(&fx->w, "/next");
}

static void
test_empty_lines_before_a_head(void **state)
{
    fx->reply = true;
    wire_sends(&fx->w, "\r\nGET /a HTTP/1.1\r\n" HOST "\r\n");
    wire_expect(&fx->w, "\r\n\r\n/a");
    wire_sends(&fx->w, "\r\n\r\nGET /b HTTP/1.1\r\n" HOST "\r\n");
    expect_log("bad bad_request;");
    wire_expect(&fx->w, "HTTP/1.1 400 ");
    wire_expect(&fx->w, "Connection: close\r\n");
    wire_expect_end(&fx->w);
    assert_true(fx->w.eof); /* no reset, although more had come */
    expect_no_session();
}

/* One, also when a pause lies between them in which the session has nothing to hold. */
static void
test_empty_lines_one_by_one(void **state)
{
    fx->reply = true;
    wire_sends(&fx->w, "\r\n");
    run_for(fx->loop, WIRE_TICK);
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    wire_expect(&fx->w, "\r\n\r\n/a");
    wire_sends(&fx->w, "\r\n");
    run_for(fx->loop, WIRE_TICK);
    strbuf_clear(&fx->log);
    wire_sends(&fx->w, "\r\n");
    expect_log("bad bad_request;");
    wire_expect(&fx->w, "HTTP/1.1 400 ");
    wire_expect_end(&fx->w);
}

static void
test_refusals(void **state)
{
    static const struct {
        const char *text, *log;
    } rows[] = {
        { "GET / HTTP/1.1\r\n\r\n", "bad bad_request;" },
        { "\x16\x03\x01", "bad bad_request;" },
        { "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "bad bad_request;" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "bad bad_request;" },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        strbuf_clear(&fx->log);
        wire_sends(&fx->w, rows[i].text);
        expect_log(rows[i].log);
        wire_expect(&fx->w, "HTTP/1.1 400 ");
        wire_expect_end(&fx->w);
        wire_close(&fx->w);
        down_h1_start(fx->set, wire_open(&fx->w, fx->loop), &source);
    }
    assert_int_equal(fx->aborted, 0);
}

static void
test_keepalive_requests(void **state)
{
    fx->reply = true;
    fx->conf.keepalive_requests = 2;
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    wire_expect(&fx->w, "\r\n\r\n/a");
    wire_sends(&fx->w, "GET /b HTTP/1.1\r\n" HOST "\r\n");
    assert_non_null(strstr(wire_expect(&fx->w, "\r\n\r\n/b"), "Connection: close\r\n"));
    wire_expect_end(&fx->w);
}

/* ------------------------------------------------------------------ bodies of requests */

static void
test_expect_continue(void **state)
{
    wire_sends(&fx->w, "POST /a HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    expect_log("POST /a;");
    run_for(fx->loop, 2 * NSEC_PER_MSEC);
    assert_string_equal(wire_rest(&fx->w), "");
    fx->cur->ops->want_body(fx->cur);
    fx->cur->ops->want_body(fx->cur);
    assert_string_equal(wire_expect(&fx->w, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    fx->take = fx->reply = true;
    wire_sends(&fx->w, "ab");
    assert_string_equal(wire_expect(&fx->w, "200 OK"), "HTTP/1.1 200 OK");
    wire_expect(&fx->w, "taken");
    assert_true(run_until(fx->loop, is_idle, NULL));
    assert_int_equal(down_sessions_count(fx->set), 1);
}

static void
test_refused_expectation_costs_the_connection(void **state)
{
    wire_sends(&fx->w, "POST /a HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    expect_log("POST /a;");
    reply(fx->cur, 413, "no");
    assert_non_null(strstr(wire_expect(&fx->w, "\r\n\r\nno"), "Connection: close\r\n"));
    wire_expect_end(&fx->w);
}

static void
test_upload_waits_for_its_reader(void **state)
{
    size_t n = 8 << 20;
    char *data = xmalloc(n), head[128];

    for (size_t i = 0; i < n; i++)
        data[i] = (char)(i * 7 + (i >> 10));
    snprintf(head, sizeof(head), "POST /up HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", n);
    wire_sends(&fx->w, head);
    wire_send(&fx->w, data, n);
    expect_log("POST /up;");
    run_for(fx->loop, 20 * NSEC_PER_MSEC);
    assert_int_equal(fx->cur->in.len, fx->cur->in.cap);
    assert_true(fx->w.left > n / 2);
    fx->take = fx->reply = true;
    on_body(fx->cur);
    wire_expect(&fx->w, "taken");
    assert_true(fx->most_held <= 65536);
    assert_int_equal(fx->body.len, n);
    for (size_t at = 0; at < n; at += iobuf_front(&fx->body).n ? 0 : n) {
        struct slice part = iobuf_front(&fx->body);

        assert_memory_equal(part.p, data + at, part.n);
        at += part.n;
        iobuf_consume(&fx->body, part.n);
    }
    free(data);
}

static void
test_unread_body_is_drained(void **state)
{
    fx->keep_open = true;
    wire_sends(&fx->w, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 8\r\n\r\n1234");
    expect_log("POST /a;");
    reply(fx->cur, 200, "early");
    assert_null(strstr(wire_expect(&fx->w, "early"), "Connection:"));
    release(fx->cur);
    fx->reply = true;
    fx->keep_open = false;
    wire_sends(&fx->w, "5678GET /b HTTP/1.1\r\n" HOST "\r\n");
    wire_expect(&fx->w, "/b");
    assert_string_equal(log_text(), "POST /a;GET /b;");
}

static void
test_large_unread_body_costs_the_connection(void **state)
{
    char *data = xcalloc(1, 200000);

    wire_sends(&fx->w, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 200000\r\n\r\n");
    expect_log("POST /a;");
    reply(fx->cur, 413, "no");
    wire_send(&fx->w, data, 200000);
    assert_non_null(strstr(wire_expect(&fx->w, "\r\n\r\nno"), "Connection: close\r\n"));
    wire_expect_end(&fx->w);
    assert_true(fx->w.eof);
    expect_no_session();
    free(data);
}

static void
test_large_unread_chunked_body_is_cut(void **state)
{
    char *data = xmalloc(100010);

    wire_sends(&fx->w, "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    expect_log("POST /a;");
    reply(fx->cur, 200, "early");
    wire_expect(&fx->w, "early");
    memset(data, 'x', 100010);
    memcpy(data, "20000\r\n", 7);
    wire_send(&fx->w, data, 100010);
    expect_no_session();
    wire_expect_end(&fx->w);
    free(data);
}

static void
test_broken_body_can_be_answered(void **state)
{
    fx->answer_aborted = true;
    wire_sends(&fx->w, "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    expect_log("POST /a;");
    wire_sends(&fx->w, "nonsense\r\n");
    expect_log("abort bad_request;");
    assert_non_null(strstr(wire_expect(&fx->w, "refused"), "Connection: close\r\n"));
    wire_expect_end(&fx->w);
    expect_no_session();
    assert_int_equal(fx->sent, 1);
}

static void
test_broken_body_after_the_answer_began(void **state)
{
    wire_sends(&fx->w, "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    expect_log("POST /a;");
    respond(fx->cur, 200, BODY_CHUNKED, 0, false);
    send_text(fx->cur, "x");
    wire_expect(&fx->w, "1\r\nx\r\n");
    wire_sends(&fx->w, "nonsense\r\n");
    expect_log("abort bad_request;");
    assert_string_equal(wire_expect_end(&fx->w), "");
    expect_no_session();
}

/* ------------------------------------------------------------------ bodies of responses */

/* Sends as much as there is room for; true when all is sent. */
static bool
feed(size_t *left)
{
    struct down_stream *s = fx->cur;
    size_t n = s->ops->room(s);
    char *data;
    struct iobuf b;

    n = n < *left ? n : *left;
    if (!n)
        return *left == 0;
    data = xmalloc(n);
    for (size_t i = 0; i < n; i++)
        data[i] = (char)((*left - i) * 13);
    iobuf_init(&b, SIZE_MAX);
    iobuf_add(&b, data, n);
    s->ops->send(s, &b, n);
    free(data);
    *left -= n;
    return *left == 0;
}

static bool
fed(void *arg)
{
    bool all = feed(arg);

    wire_pull(&fx->w);
    return all;
}

static void
test_slow_reader_stops_the_writer(void **state)
{
    size_t n = 8 << 20, left = n, taken;
    const char *body;

    fx->w.paused = true;
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    expect_log("GET /a;");
    respond(fx->cur, 200, BODY_LENGTH, n, false);
    for (int i = 0; i < 200; i++) {
        feed(&left);
        run_for(fx->loop, 1);
    }
    taken = n - left;
    assert_true(taken < n / 2);
    assert_int_equal(fx->cur->ops->room(fx->cur), 0);
    run_for(fx->loop, 5 * NSEC_PER_MSEC);
    assert_int_equal(fx->cur->ops->room(fx->cur), 0);
    fx->writable = 0;
    fx->w.paused = false;
    assert_true(run_until(fx->loop, fed, &left));
    assert_true(fx->writable > 0);
    fx->cur->ops->end(fx->cur, NULL);
    assert_true(run_until(fx->loop, is_idle, NULL));
    wire_expect(&fx->w, "\r\n\r\n");
    body = fx->w.got.p + fx->w.seen;
    while (fx->w.got.n - fx->w.seen < n)
        run_for(fx->loop, NSEC_PER_MSEC);
    body = fx->w.got.p + fx->w.seen;
    for (size_t i = 0; i < n; i++) {
        if (body[i] != (char)((n - i) * 13))
            fail_msg("byte %zu", i);
    }
}

/* Undoes the chunked coding of b[0..n) in place; returns the length of the data. */
static size_t
dechunk(char *b)
{
    size_t n = 0, size;
    char *at = b;

    while ((size = strtoul(at, &at, 16)) > 0) {
        assert_memory_equal(at, "\r\n", 2);
        memmove(b + n, at + 2, size);
        n += size;
        at += 2 + size;
        assert_memory_equal(at, "\r\n", 2);
        at += 2;
    }
    return n;
}

/* Chunks and packets of all sizes, both ways at once, and a client that reads slowly. */
static void
test_echo_in_random_pieces(void **state)
{
    size_t n = 2 << 20, sent = 0;
    char *data = xmalloc(n);
    struct strbuf wire;
    unsigned seed = 7;

    for (size_t i = 0; i < n; i++)
        data[i] = (char)(i * 31 + (i >> 11));
    strbuf_init(&wire, 16 << 20);
    strbuf_adds(&wire, "POST /e HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    while (sent < n) {
        size_t piece = 1 + (size_t)rand_r(&seed) % (sent % 3 ? 100 : 40000);

        piece = piece < n - sent ? piece : n - sent;
        strbuf_addf(&wire, "%zx\r\n", piece);
        strbuf_add(&wire, data + sent, piece);
        strbuf_adds(&wire, "\r\n");
        sent += piece;
    }
    strbuf_adds(&wire, "0\r\n\r\n");
    fx->echo = true;
    for (size_t at = 0; at < wire.n;) {
        size_t piece = 1 + (size_t)rand_r(&seed) % 60000;

        piece = piece < wire.n - at ? piece : wire.n - at;
        fx->w.paused = rand_r(&seed) % 4 == 0;
        wire_send(&fx->w, wire.p + at, piece);
        while (fx->w.left) {
            run_for(fx->loop, WIRE_TICK);
            fx->w.paused = false;
            wire_pull(&fx->w);
        }
        at += piece;
    }
    wire_expect(&fx->w, "\r\n\r\n");
    sent = fx->w.seen;
    wire_expect(&fx->w, "\r\n0\r\n\r\n");
    assert_int_equal(dechunk(fx->w.got.p + sent), n);
    assert_memory_equal(fx->w.got.p + sent, data, n);
    assert_true(run_until(fx->loop, is_idle, NULL));
    assert_int_equal(down_sessions_count(fx->set), 1);
    strbuf_fini(&wire);
    free(data);
}

static void
test_longer_than_promised_is_cut(void **state)
{
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    expect_log("GET /a;");
    respond(fx->cur, 200, BODY_LENGTH, 4, false);
    send_text(fx->cur, "123");
    send_text(fx->cur, "45");
    expect_log("abort body_aborted;");
    assert_null(strstr(wire_expect_end(&fx->w), "45"));
    expect_no_session();
}

static void
test_shorter_than_promised_is_cut(void **state)
{
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    expect_log("GET /a;");
    respond(fx->cur, 200, BODY_LENGTH, 4, false);
    wire_expect(&fx->w, "\r\n\r\n");
    send_text(fx->cur, "123");
    fx->cur->ops->end(fx->cur, NULL);
    expect_log("abort body_aborted;");
    wire_expect_end(&fx->w);
    expect_no_session();
}

static void
test_reset_of_a_body_until_close_is_visible(void **state)
{
    wire_sends(&fx->w, "GET /a HTTP/1.0\r\n\r\n");
    expect_log("GET /a;");
    respond(fx->cur, 200, BODY_CHUNKED, 0, false);
    send_text(fx->cur, "part");
    wire_expect(&fx->w, "part");
    fx->cur->ops->reset(fx->cur);
    release(fx->cur);
    wire_expect_end(&fx->w);
    assert_true(fx->w.reset);
    expect_no_session();
    assert_int_equal(fx->aborted, 0);
}

static void
test_interim(void **state)
{
    struct http_response r = { .status = 103 };

    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    expect_log("GET /a;");
    fields_init(&r.fields, &fx->cur->arena);
    fields_add(&r.fields, SLICE("Link"), SLICE("</x>"));
    fx->cur->ops->interim(fx->cur, &r);
    assert_string_equal(wire_expect(&fx->w, "\r\n\r\n"), "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
    reply(fx->cur, 200, "x");
    wire_expect(&fx->w, "\r\n\r\nx");
}

/* ------------------------------------------------------------------ leaving */

static void
test_client_closes(void **state)
{
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    expect_log("GET /a;");
    wire_fin(&fx->w);
    expect_log("abort client_closed;");
    expect_no_session();
    assert_int_equal(fx->aborted, 1);
}

static void
test_client_resets(void **state)
{
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    expect_log("GET /a;");
    wire_reset(&fx->w);
    expect_log("abort client_closed;");
    expect_no_session();
}

/* Both are there when the loop looks: the reset must not wait for the body's deadline. */
static void
test_client_resets_together_with_its_bytes(void **state)
{
    run_for(fx->loop, NSEC_PER_MSEC); /* the first event is gone */
    wire_sends(&fx->w, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n123");
    wire_reset(&fx->w);
    expect_log("abort client_closed;");
    expect_no_session();
}

static void
test_client_closes_in_its_body(void **state)
{
    wire_sends(&fx->w, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n123");
    wire_fin(&fx->w);
    expect_log("abort client_closed;");
    expect_no_session();
}

static void
test_client_closes_in_its_head(void **state)
{
    wire_sends(&fx->w, "GET /a HT");
    run_for(fx->loop, NSEC_PER_MSEC);
    assert_int_equal(fx->active, 1);
    wire_fin(&fx->w);
    expect_no_session();
    assert_string_equal(log_text(), "");
}

static void
test_release_without_an_answer_closes(void **state)
{
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    expect_log("GET /a;");
    release(fx->cur);
    assert_string_equal(wire_expect_end(&fx->w), "");
    expect_no_session();
}

/* ------------------------------------------------------------------ time */

static void
test_head_timeout(void **state)
{
    fx->conf.head_timeout = 20 * NSEC_PER_MSEC;
    wire_sends(&fx->w, "GET /a HT");
    expect_log("bad request_timeout;");
    wire_expect(&fx->w, "HTTP/1.1 408 ");
    wire_expect_end(&fx->w);
    expect_no_session();
}

static void
test_idle_timeout_is_silent(void **state)
{
    fx->conf.idle_timeout = 20 * NSEC_PER_MSEC;
    fx->reply = true;
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    wire_expect(&fx->w, "\r\n\r\n/a");
    assert_string_equal(wire_expect_end(&fx->w), "");
    assert_true(fx->w.eof);
    expect_no_session();
}

static void
test_body_timeout(void **state)
{
    fx->conf.body_timeout = 30 * NSEC_PER_MSEC;
    fx->answer_aborted = true;
    wire_sends(&fx->w, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n123");
    expect_log("abort request_timeout;");
    wire_expect(&fx->w, "HTTP/1.1 408 ");
    wire_expect_end(&fx->w);
    assert_int_equal(fx->aborted, 1);
    expect_no_session();
}

/* A byte each 10 ms comes in time each time, and is still too slow. */
static void
test_a_body_that_drips(void **state)
{
    fx->conf.body_timeout = 60 * NSEC_PER_MSEC;
    fx->conf.body_rate = 1000;
    fx->answer_aborted = fx->take = true;
    wire_sends(&fx->w, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n");
    for (int i = 0; i < 1000 && !fx->aborted; i++) {
        wire_sends(&fx->w, "x");
        run_for(fx->loop, 10 * NSEC_PER_MSEC);
    }
    expect_log("abort request_timeout;");
    assert_string_equal(fx->limit, "body_rate");
    assert_string_equal(fx->limit_at, "body_rate");
    assert_string_equal(fx->detail, "the body came too slowly: `limits body_rate` is 1000 bytes per second");
    wire_expect(&fx->w, "HTTP/1.1 408 ");
    wire_expect_end(&fx->w);
    assert_true(fx->body.len < 1000);
}

static void
test_a_drip_without_a_rate(void **state)
{
    fx->conf.body_timeout = 300 * NSEC_PER_MSEC;
    fx->take = fx->reply = true;
    wire_sends(&fx->w, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 60\r\n\r\n");
    for (int i = 0; i < 60; i++) {
        wire_sends(&fx->w, "x");
        run_for(fx->loop, 10 * NSEC_PER_MSEC);
    }
    wire_expect(&fx->w, "taken");
}

/* What comes late because nobody took what came before is not the client's fault. */
static void
test_a_reader_that_drips(void **state)
{
    size_t n = 300000;
    char *data = xcalloc(1, n);

    fx->conf.body_timeout = 50 * NSEC_PER_MSEC;
    fx->conf.body_rate = 100000000;
    wire_sends(&fx->w, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 300000\r\n\r\n");
    wire_send(&fx->w, data, n);
    expect_log("POST /a;");
    for (int i = 0; i < 15 && fx->cur; i++) {
        run_for(fx->loop, 10 * NSEC_PER_MSEC);
        iobuf_consume(&fx->cur->in, fx->cur->in.len < 16384 ? fx->cur->in.len : 16384);
        fx->cur->ops->consumed(fx->cur);
    }
    assert_int_equal(fx->aborted, 0);
    fx->take = fx->reply = true;
    on_body(fx->cur);
    wire_expect(&fx->w, "taken");
    free(data);
}

static void
test_no_body_timeout_while_the_reader_waits(void **state)
{
    char *data = xcalloc(1, 1 << 20);

    fx->conf.body_timeout = 10 * NSEC_PER_MSEC;
    wire_sends(&fx->w, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 1048576\r\n\r\n");
    wire_send(&fx->w, data, 1 << 20);
    run_for(fx->loop, 40 * NSEC_PER_MSEC);
    assert_int_equal(fx->aborted, 0);
    fx->take = fx->reply = true;
    on_body(fx->cur);
    wire_expect(&fx->w, "taken");
    free(data);
}

static void
test_write_timeout(void **state)
{
    size_t left = 16 << 20;

    fx->conf.write_timeout = 30 * NSEC_PER_MSEC;
    fx->w.paused = true;
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    expect_log("GET /a;");
    respond(fx->cur, 200, BODY_LENGTH, left, false);
    for (int i = 0; i < 200 && fx->cur; i++) {
        feed(&left);
        run_for(fx->loop, 1);
    }
    expect_log("abort client_closed;");
    assert_string_equal(fx->limit, "write");
    expect_no_session();
}

/* Reads `piece` bytes each 10 ms of an answer without an end, for at most `rounds`. */
static void
read_slowly(size_t piece, int rounds)
{
    static char sink[65536];
    size_t left = 64 << 20;

    fx->w.paused = true;
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    expect_log("GET /a;");
    respond(fx->cur, 200, BODY_LENGTH, left, false);
    for (int i = 0; i < rounds && !fx->aborted; i++) {
        feed(&left);
        run_for(fx->loop, 10 * NSEC_PER_MSEC);
        if (recv(fx->w.fd, sink, piece, 0) < 0)
            assert_int_equal(errno, EAGAIN);
    }
}

static void
test_an_answer_that_is_read_too_slowly(void **state)
{
    fx->conf.write_timeout = 500 * NSEC_PER_MSEC; /* the kernel's own timers open small windows late */
    fx->conf.response_rate = 10000000;
    read_slowly(20000, 1000);
    expect_log("abort client_closed;");
    assert_string_equal(fx->limit, "response_rate");
    expect_no_session();
}

static void
test_an_answer_that_is_read_slowly(void **state)
{
    fx->conf.write_timeout = 500 * NSEC_PER_MSEC;
    fx->conf.response_rate = 1000;
    read_slowly(20000, 120);
    assert_int_equal(fx->aborted, 0);
}

/* ------------------------------------------------------------------ limits */

static void
test_limits_are_named(void **state)
{
    static const struct {
        const char *before;
        int n; /* of letters between */
        const char *after, *limit, *detail;
    } rows[] = {
        { "GET /", 400, " HTTP/1.1\r\n", "request_line",
          "a request line longer than the limit: `limits request_line` is 300 bytes" },
        { "GET / HTTP/1.1\r\n" HOST "X: ", 400, "\r\n", "field",
          "a field longer than the limit: `limits field` is 200 bytes" },
        { "GET / HTTP/1.1\r\n" HOST, 0, "B: 1\r\nC: 1\r\n", "fields",
          "more fields than the limit: `limits fields` is 2" },
        { "GET / HTTP/1.1\r\n" HOST "X: ", 190, "\r\nY: zzzzz\r\n", "head",
          "a head larger than the limit: `limits head` is 230 bytes" },
    };

    fx->conf.limits = (struct h1_limits){ .request_line = 300, .field = 200, .head = 1000, .fields = 2 };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[1024], fill[401];

        memset(fill, 'z', sizeof(fill));
        snprintf(text, sizeof(text), "%s%.*s%s", rows[i].before, rows[i].n, fill, rows[i].after);
        if (strcmp(rows[i].limit, "head") == 0)
            fx->conf.limits.head = 230;
        if (i) {
            wire_close(&fx->w);
            down_h1_start(fx->set, wire_open(&fx->w, fx->loop), &source);
        }
        wire_sends(&fx->w, text);
        wire_expect(&fx->w, rows[i].detail);
        wire_expect_end(&fx->w);
        assert_string_equal(fx->limit, rows[i].limit);
        assert_string_equal(fx->limit_at, rows[i].limit);
    }
}

static void
test_the_last_request_names_its_limit(void **state)
{
    fx->conf.keepalive_requests = 2;
    fx->reply = true;
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    wire_expect(&fx->w, "\r\n\r\n/a");
    assert_string_equal(fx->limit, "");
    wire_sends(&fx->w, "GET /b HTTP/1.1\r\n" HOST "\r\n");
    wire_expect(&fx->w, "\r\n\r\n/b");
    wire_expect_end(&fx->w);
    assert_string_equal(fx->limit, "requests");
}

/* As an answer of HTTP/2 whose head has ended the stream. */
static void
test_a_head_that_is_all_needs_no_end(void **state)
{
    struct http_response r = { .status = 404 };

    for (int i = 0; i < 2; i++) {
        wire_sends(&fx->w, "GET / HTTP/1.1\r\n" HOST "\r\n");
        expect_log("GET /;");
        strbuf_clear(&fx->log);
        fields_init(&r.fields, &fx->cur->arena);
        fx->cur->ops->respond(fx->cur, &r, (struct body_framing){ .kind = BODY_NONE }, false);
        assert_non_null(strstr(wire_expect(&fx->w, "\r\n\r\n"), "Content-Length: 0\r\n"));
    }
}

/* ------------------------------------------------------------------ upgrade */

static void
test_upgrade(void **state)
{
    struct http_response r = { .status = 101 };
    const char *got;

    wire_sends(&fx->w, "GET /ws HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: websocket\r\n\r\nfirst");
    expect_log("GET /ws;");
    fields_init(&r.fields, &fx->cur->arena);
    fx->cur->ops->respond(fx->cur, &r, (struct body_framing){ .kind = BODY_NONE }, false);
    fx->cur->ops->upgraded(fx->cur);
    fx->take = true;
    got = wire_expect(&fx->w, "\r\n\r\n");
    assert_non_null(strstr(got, "HTTP/1.1 101 "));
    assert_non_null(strstr(got, "Upgrade: websocket\r\n"));
    send_text(fx->cur, "hello");
    assert_string_equal(wire_expect(&fx->w, "hello"), "hello");
    wire_sends(&fx->w, " second");
    while (fx->body.len < 12)
        run_for(fx->loop, NSEC_PER_MSEC);
    assert_memory_equal(iobuf_pullup(&fx->body, 12), "first second", 12);
    fx->cur->ops->end(fx->cur, NULL); /* our side ends; the client's does not */
    wire_expect_end(&fx->w);
    assert_int_equal(fx->sent, 0);
    wire_sends(&fx->w, "!");
    wire_fin(&fx->w);
    expect_log("end;");
    expect_no_session();
    assert_int_equal(fx->sent, 1);
    assert_int_equal(fx->aborted, 0);
    assert_int_equal(fx->body.len, 13);
}

/* ------------------------------------------------------------------ drain */

static void
test_drain(void **state)
{
    struct wire other;

    down_h1_start(fx->set, wire_open(&other, fx->loop), &source);
    fx->reply = true;
    wire_sends(&other, "GET /b HTTP/1.1\r\n" HOST "\r\n");
    wire_expect(&other, "\r\n\r\n/b");
    expect_log("GET /b;");
    fx->reply = false;
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    expect_log("GET /a;");
    assert_int_equal(down_sessions_count(fx->set), 2);
    down_sessions_drain(fx->set);
    wire_expect_end(&other); /* it was idle */
    assert_true(other.eof);
    assert_true(fx->cur->draining);
    assert_int_equal(down_sessions_count(fx->set), 1);
    reply(fx->cur, 200, "last");
    assert_non_null(strstr(wire_expect(&fx->w, "last"), "Connection: close\r\n"));
    wire_expect_end(&fx->w);
    expect_no_session();
    wire_close(&other);
}

static void
test_leaving_tells_clients_and_keeps_the_idle(void **state)
{
    struct wire other;

    down_h1_start(fx->set, wire_open(&other, fx->loop), &source);
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    expect_log("GET /a;");
    down_sessions_leave(fx->set);
    assert_true(fx->cur->draining);
    reply(fx->cur, 200, "last");
    assert_non_null(strstr(wire_expect(&fx->w, "last"), "Connection: close\r\n"));
    wire_expect_end(&fx->w);
    assert_int_equal(down_sessions_count(fx->set), 1);
    assert_false(other.eof);
    fx->reply = true;
    wire_sends(&other, "GET /b HTTP/1.1\r\n" HOST "\r\n");
    assert_non_null(strstr(wire_expect(&other, "\r\n\r\n/b"), "Connection: close\r\n"));
    wire_expect_end(&other);
    expect_no_session();
    wire_close(&other);
}

static void
test_drain_hears_whoever_has_just_connected(void **state)
{
    down_sessions_drain(fx->set);
    run_for(fx->loop, 20 * NSEC_PER_MSEC);
    fx->reply = true;
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    assert_non_null(strstr(wire_expect(&fx->w, "\r\n\r\n/a"), "Connection: close\r\n"));
    wire_expect_end(&fx->w);
    expect_no_session();
}

static void
drain_task(struct task *t)
{
    down_sessions_drain(fx->set);
}

static void
test_drain_answers_what_was_sent_before(void **state)
{
    struct task task = { .run = drain_task };

    fx->reply = true;
    run_for(fx->loop, NSEC_PER_MSEC);
    loop_at_turn_end(fx->loop, &task);
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    assert_non_null(strstr(wire_expect(&fx->w, "\r\n\r\n/a"), "Connection: close\r\n"));
    wire_expect_end(&fx->w);
    expect_no_session();
}

static void
test_abort_all(void **state)
{
    struct wire other;

    down_h1_start(fx->set, wire_open(&other, fx->loop), &source);
    wire_sends(&fx->w, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    expect_log("GET /a;");
    down_sessions_abort(fx->set);
    assert_non_null(strstr(log_text(), "abort draining;"));
    expect_no_session();
    wire_expect_end(&fx->w);
    wire_expect_end(&other);
    wire_close(&other);
}

/* ------------------------------------------------------------------ memory */

#define FEW 40
#define MANY 240

/* One request over a connection whose far end is no part of the count. */
static int
open_and_ask(void)
{
    const char *request = "GET /a HTTP/1.1\r\n" HOST "\r\n";
    int fds[2];
    unsigned sent = fx->sent + 1;
    struct addr a;

    tcp_pair(fds);
    assert_int_equal(addr_parse(SLICE("127.0.0.1:4711"), &a, NULL), 0);
    down_h1_start(fx->set, conn_accepted(fx->loop, fds[1], &a, &a, NULL), &source);
    assert_int_equal(send(fds[0], request, strlen(request), 0), strlen(request));
    while (fx->sent < sent)
        run_for(fx->loop, WIRE_TICK);
    return fds[0];
}

/* The first ones fill the caches; each further one costs what an idle connection costs. */
static void
test_idle_connections_are_small(void **state)
{
    int fds[MANY];
    size_t before = 0, each;

    fx->reply = true;
    for (int i = 0; i < MANY; i++) {
        if (i == FEW)
            before = mallinfo2().uordblks;
        fds[i] = open_and_ask();
    }
    assert_true(run_until(fx->loop, is_idle, NULL));
    each = (mallinfo2().uordblks - before) / (MANY - FEW);
    print_message("%zu bytes for each idle connection\n", each);
    assert_true(each <= 700); /* nothing is counted under a sanitizer */
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    expect_log("GET /a;");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_keep_alive),
        T(test_byte_at_a_time),
        T(test_body_in_one_packet_is_whole_at_once),
        T(test_trailers_in_one_packet),
        T(test_pipelining_is_answered_in_order),
        T(test_pipelining_behind_a_long_body),
        T(test_many_pipelined_requests),
        T(test_fin_behind_pipelined_requests_loses_none),
        T(test_early_bytes_are_bounded),
        T(test_http_10),
        T(test_unknown_length_to_http_10_lasts_until_close),
        T(test_chunked_and_trailers),
        T(test_head_has_no_body),
        T(test_empty_lines_before_a_head),
        T(test_empty_lines_one_by_one),
        T(test_refusals),
        T(test_keepalive_requests),
        T(test_expect_continue),
        T(test_refused_expectation_costs_the_connection),
        T(test_upload_waits_for_its_reader),
        T(test_unread_body_is_drained),
        T(test_large_unread_body_costs_the_connection),
        T(test_large_unread_chunked_body_is_cut),
        T(test_broken_body_can_be_answered),
        T(test_broken_body_after_the_answer_began),
        T(test_slow_reader_stops_the_writer),
        T(test_echo_in_random_pieces),
        T(test_longer_than_promised_is_cut),
        T(test_shorter_than_promised_is_cut),
        T(test_reset_of_a_body_until_close_is_visible),
        T(test_interim),
        T(test_client_closes),
        T(test_client_resets),
        T(test_client_resets_together_with_its_bytes),
        T(test_client_closes_in_its_body),
        T(test_client_closes_in_its_head),
        T(test_release_without_an_answer_closes),
        T(test_head_timeout),
        T(test_idle_timeout_is_silent),
        T(test_body_timeout),
        T(test_no_body_timeout_while_the_reader_waits),
        T(test_write_timeout),
        T(test_a_body_that_drips),
        T(test_a_drip_without_a_rate),
        T(test_a_reader_that_drips),
        T(test_an_answer_that_is_read_too_slowly),
        T(test_an_answer_that_is_read_slowly),
        T(test_limits_are_named),
        T(test_the_last_request_names_its_limit),
        T(test_a_head_that_is_all_needs_no_end),
        T(test_upgrade),
        T(test_drain),
        T(test_leaving_tells_clients_and_keeps_the_idle),
        T(test_drain_hears_whoever_has_just_connected),
        T(test_drain_answers_what_was_sent_before),
        T(test_abort_all),
        T(test_idle_connections_are_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
