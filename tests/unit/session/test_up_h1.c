#include "../../../src/session/up_h1.h"
#include "wire.h"

struct fx {
    struct loop *loop;
    struct wire w;
    struct up_session *u; /* NULL once on_closed came */
    struct arena arena;   /* of the stream's owner */
    struct up_stream *s;
    struct strbuf log;
    struct iobuf body;
    bool take, keep_waiting; /* keep_waiting: does not release at the end */
    bool release_at_head;
    unsigned idle, closed, writable;
    size_t most_held;
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
release(void)
{
    struct up_stream *s = fx->s;

    fx->s = NULL;
    s->ops->release(s);
}

static void
maybe_done(struct up_stream *s)
{
    if (!s->in_end)
        return;
    note("end;");
    for (unsigned i = 0; i < s->trailers.n; i++)
        note("%.*s=%.*s;", SLICE_FMT(s->trailers.v[i].name), SLICE_FMT(s->trailers.v[i].value));
    if (!fx->keep_waiting)
        release();
}

static void
on_interim(struct up_stream *s, const struct http_response *r)
{
    note("%d;", r->status);
}

static void
on_body(struct up_stream *s)
{
    if (s->in.len > fx->most_held)
        fx->most_held = s->in.len;
    if (!fx->take)
        return;
    iobuf_move(&fx->body, &s->in, s->in.len);
    s->ops->consumed(s);
    maybe_done(s);
}

static void
on_head(struct up_stream *s)
{
    note("head %d;", s->res.status);
    if (fx->release_at_head)
        release();
    else if (s->in.len)
        on_body(s);
    else
        maybe_done(s);
}

static void
on_writable(struct up_stream *s)
{
    fx->writable++;
}

static void
on_error(struct up_stream *s, enum up_error error, const char *detail)
{
    static const char *const names[] = { "closed_early", "reset", "bad_response", "head_too_large" };

    assert_non_null(detail);
    note("error %s;", names[error]);
    release();
}

static const struct up_events stream_events = { on_interim, on_head, on_body, on_writable, on_error };

static void
on_released(struct up_session *u, unsigned n, void *arg)
{
    assert_int_equal(n, 1);
    if (!up_room(u))
        return;
    fx->idle++;
    note("idle;");
}

static void
on_closed(struct up_session *u, void *arg)
{
    fx->closed++;
    fx->u = NULL;
    note("closed;");
}

static const struct up_session_events session_events = { on_released, on_closed };
static const struct h1_limits limits = { 1024, 1024, 4096, 50 };

static int
setup(void **state)
{
    fx = xcalloc(1, sizeof(*fx));
    fx->loop = loop_new("test");
    fx->take = true;
    strbuf_init(&fx->log, 65536);
    iobuf_init(&fx->body, SIZE_MAX);
    arena_init(&fx->arena);
    fx->u = up_h1_new(wire_open(&fx->w, fx->loop), &limits, &session_events, NULL);
    return 0;
}

static int
teardown(void **state)
{
    if (fx->s)
        release();
    run_for(fx->loop, 1);
    if (fx->u)
        up_close(fx->u);
    run_for(fx->loop, 1);
    wire_close(&fx->w);
    strbuf_fini(&fx->log);
    iobuf_fini(&fx->body);
    arena_fini(&fx->arena);
    loop_free(fx->loop);
    free(fx);
    arena_thread_fini();
    iobuf_thread_fini();
    return 0;
}

static void
expect_log(const char *text)
{
    expect_in(fx->loop, &fx->log, text);
}

static void
ask(enum http_method method, const char *target, struct body_framing body, struct slice upgrade)
{
    struct http_request r = { .method = method, .version = HTTP_1_1, .upgrade = upgrade };

    r.method_text = slice_str(method_name(method));
    fields_init(&r.fields, &fx->arena);
    fields_add_id(&r.fields, FIELD_HOST, SLICE("o.example"));
    fx->s = up_open(fx->u, &fx->arena, 65536);
    fx->s->events = &stream_events;
    fx->s->ops->request(fx->s, &r, slice_str(target), body);
}

static void
get(const char *target)
{
    ask(METHOD_GET, target, (struct body_framing){ .kind = BODY_NONE }, SLICE_NONE);
    wire_expect(&fx->w, "\r\n\r\n");
}

static void
send_text(const char *text)
{
    struct iobuf b;

    iobuf_init(&b, SIZE_MAX);
    iobuf_add(&b, text, strlen(text));
    fx->s->ops->send(fx->s, &b, b.len);
    assert_int_equal(b.len, 0);
}

static void
assert_body(const char *text)
{
    assert_int_equal(fx->body.len, strlen(text));
    assert_memory_equal(iobuf_pullup(&fx->body, fx->body.len), text, fx->body.len);
}

/* ------------------------------------------------------------------ ordinary exchanges */

static void
test_reuse(void **state)
{
    ask(METHOD_GET, "/a?b", (struct body_framing){ .kind = BODY_NONE }, SLICE_NONE);
    assert_false(fx->s->reused);
    assert_string_equal(wire_expect(&fx->w, "\r\n\r\n"), "GET /a?b HTTP/1.1\r\nHost: o.example\r\n\r\n");
    assert_true(fx->s->wrote);
    wire_sends(&fx->w, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: timeout=3\r\n\r\nhello");
    expect_log("head 200;end;idle;");
    assert_body("hello");
    assert_true(up_idle_until(fx->u) > clock_now());
    assert_int_equal(up_served(fx->u), 1);
    ask(METHOD_GET, "/c", (struct body_framing){ .kind = BODY_NONE }, SLICE_NONE);
    assert_true(fx->s->reused);
    wire_expect(&fx->w, "GET /c HTTP/1.1\r\nHost: o.example\r\n\r\n");
    wire_sends(&fx->w, "HTTP/1.1 204 No Content\r\n\r\n");
    expect_log("head 204;end;idle;");
    assert_int_equal(fx->closed, 0);
}

static void
test_byte_at_a_time(void **state)
{
    const char *all =
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 7\r\n\r\n";

    get("/");
    for (; *all; all++) {
        wire_send(&fx->w, all, 1);
        run_for(fx->loop, WIRE_TICK);
    }
    expect_log("103;head 200;end;X-Sum=7;idle;");
    assert_body("hello!");
}

static void
test_body_until_close(void **state)
{
    get("/");
    wire_sends(&fx->w, "HTTP/1.0 200 OK\r\n\r\nsome");
    expect_log("head 200;");
    wire_sends(&fx->w, "thing");
    run_for(fx->loop, NSEC_PER_MSEC);
    wire_fin(&fx->w);
    expect_log("end;closed;");
    assert_body("something");
    assert_int_equal(fx->idle, 0);
}

static void
test_head_and_not_modified_have_no_body(void **state)
{
    ask(METHOD_HEAD, "/", (struct body_framing){ .kind = BODY_NONE }, SLICE_NONE);
    wire_expect(&fx->w, "\r\n\r\n");
    wire_sends(&fx->w, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    expect_log("head 200;end;idle;");
    get("/");
    wire_sends(&fx->w, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
    expect_log("head 304;end;idle;");
}

static void
test_request_with_body(void **state)
{
    ask(METHOD_POST, "/", (struct body_framing){ BODY_LENGTH, 5 }, SLICE_NONE);
    send_text("he");
    send_text("llo");
    fx->s->ops->end(fx->s, NULL);
    wire_expect(&fx->w, "Content-Length: 5\r\n\r\nhello");
    wire_sends(&fx->w, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    expect_log("head 200;end;idle;");
    ask(METHOD_POST, "/", (struct body_framing){ .kind = BODY_CHUNKED }, SLICE_NONE);
    send_text("hello");
    fx->s->ops->end(fx->s, NULL);
    wire_expect(&fx->w, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    wire_sends(&fx->w, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    expect_log("head 201;end;idle;");
}

static void
test_early_answer_is_relayed(void **state)
{
    ask(METHOD_POST, "/", (struct body_framing){ .kind = BODY_CHUNKED }, SLICE_NONE);
    send_text("hello");
    wire_expect(&fx->w, "hello");
    fx->keep_waiting = true;
    wire_sends(&fx->w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    expect_log("head 200;end;");
    send_text("more"); /* the owner goes on sending: the connection may be kept */
    fx->s->ops->end(fx->s, NULL);
    wire_expect(&fx->w, "4\r\nmore\r\n0\r\n\r\n");
    release();
    expect_log("idle;");
}

static void
test_early_answer_and_no_more_body_closes(void **state)
{
    ask(METHOD_POST, "/", (struct body_framing){ .kind = BODY_CHUNKED }, SLICE_NONE);
    send_text("hello");
    wire_expect(&fx->w, "hello");
    wire_sends(&fx->w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    expect_log("head 200;end;closed;");
    assert_int_equal(fx->idle, 0);
}

/* The answer of an origin that refuses a body and closes is not lost to the failing write. */
static void
test_answer_before_the_write_failed_is_read(void **state)
{
    ask(METHOD_POST, "/", (struct body_framing){ .kind = BODY_CHUNKED }, SLICE_NONE);
    send_text("hello");
    wire_expect(&fx->w, "hello");
    send_text("never read");
    wire_sends(&fx->w, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    wire_reset(&fx->w); /* before the loop runs: the write fails first */
    expect_log("head 413;end;closed;");
    assert_body("no");
}

static void
test_reset_is_no_end_of_a_body_until_close(void **state)
{
    ask(METHOD_POST, "/", (struct body_framing){ .kind = BODY_CHUNKED }, SLICE_NONE);
    send_text("hello");
    wire_expect(&fx->w, "hello");
    send_text("never read");
    wire_sends(&fx->w, "HTTP/1.0 200 OK\r\n\r\npart");
    wire_reset(&fx->w);
    expect_log("error reset;closed;");
}

static void
test_writer_stops_when_the_origin_does_not_read(void **state)
{
    size_t sent = 0;

    fx->w.paused = true;
    ask(METHOD_POST, "/", (struct body_framing){ .kind = BODY_CHUNKED }, SLICE_NONE);
    for (int i = 0; i < 300; i++) {
        char piece[4097];

        memset(piece, 'x', 4096);
        piece[4096] = '\0';
        if (fx->s->ops->room(fx->s)) {
            send_text(piece);
            sent += 4096;
        }
        run_for(fx->loop, 1);
    }
    assert_int_equal(fx->s->ops->room(fx->s), 0);
    fx->writable = 0;
    fx->w.paused = false;
    fx->s->ops->end(fx->s, NULL);
    wire_expect(&fx->w, "\r\n0\r\n\r\n");
    assert_true(fx->writable > 0);
    assert_true(fx->w.got.n > sent);
}

static void
test_reader_that_does_not_take_stops_the_origin(void **state)
{
    size_t n = 8 << 20;
    char *data = xmalloc(n), head[64];

    for (size_t i = 0; i < n; i++)
        data[i] = (char)(i * 11 + (i >> 9));
    get("/");
    fx->take = false;
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
    wire_sends(&fx->w, head);
    wire_send(&fx->w, data, n);
    run_for(fx->loop, 20 * NSEC_PER_MSEC);
    assert_int_equal(fx->s->in.len, 65536);
    assert_true(fx->w.left > n / 2);
    fx->take = true;
    on_body(fx->s);
    expect_log("end;idle;");
    assert_true(fx->most_held <= 65536);
    assert_int_equal(fx->body.len, n);
    for (size_t at = 0; at < n;) {
        struct slice part = iobuf_front(&fx->body);

        assert_memory_equal(part.p, data + at, part.n);
        at += part.n;
        iobuf_consume(&fx->body, part.n);
    }
    free(data);
}

/* ------------------------------------------------------------------ reuse and its end */

static void
test_not_reused(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxleftover",
        "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
    };

    for (unsigned i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        strbuf_clear(&fx->log);
        get("/");
        wire_sends(&fx->w, answers[i]);
        expect_log("head 200;end;closed;");
        wire_close(&fx->w);
        fx->u = up_h1_new(wire_open(&fx->w, fx->loop), &limits, &session_events, NULL);
    }
    assert_int_equal(fx->idle, 0);
}

/* The rest of a body is asked for with one byte more than it has. */
static void
test_bytes_behind_a_long_body(void **state)
{
    size_t n = 100000;
    char *data = xmalloc(n + 1);

    memset(data, 'x', n);
    for (int extra = 0; extra < 2; extra++) {
        strbuf_clear(&fx->log);
        iobuf_consume(&fx->body, fx->body.len);
        get("/");
        wire_sends(&fx->w, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        expect_log("head 200;");
        data[n] = '!';
        wire_send(&fx->w, data, n + (size_t)extra);
        expect_log(extra ? "end;closed;" : "end;idle;");
        assert_int_equal(fx->body.len, n);
        assert_int_equal(iobuf_pullup(&fx->body, n)[n - 1], 'x');
    }
    free(data);
}

static void
test_idle_connection_ends(void **state)
{
    get("/");
    wire_sends(&fx->w, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    expect_log("idle;");
    wire_fin(&fx->w);
    expect_log("closed;");
}

static void
test_unasked_bytes_end_an_idle_connection(void **state)
{
    get("/");
    wire_sends(&fx->w, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    expect_log("idle;");
    wire_sends(&fx->w, "HTTP/1.1 408 Request Timeout\r\n\r\n");
    expect_log("closed;");
}

static bool
fin_is_here(void *arg)
{
    return (up_conn(fx->u)->ready & CONN_READABLE) != 0;
}

/* The keep-alive race, seen before anything was written: certainly safe to try elsewhere. */
static void
test_end_of_a_reused_connection_is_seen_before_writing(void **state)
{
    char byte;

    get("/");
    wire_sends(&fx->w, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    expect_log("idle;");
    wire_sends(&fx->w, "HTTP/1.1 408 Request Timeout\r\n\r\n");
    while (recv(up_conn(fx->u)->watch.fd, &byte, 1, MSG_PEEK) != 1)
        ;
    up_conn(fx->u)->ready |= CONN_READABLE; /* as the event that is waiting will say */
    assert_true(fin_is_here(NULL));
    ask(METHOD_POST, "/", (struct body_framing){ .kind = BODY_NONE }, SLICE_NONE);
    expect_log("error closed_early;closed;");
    assert_string_equal(wire_rest(&fx->w), "");
}

static void
test_release_in_the_middle_closes(void **state)
{
    fx->release_at_head = true;
    get("/");
    wire_sends(&fx->w, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx");
    expect_log("head 200;closed;");
    wire_expect_end(&fx->w);
}

static void
test_without_events_it_closes_after_one(void **state)
{
    up_close(fx->u);
    wire_close(&fx->w);
    fx->u = up_h1_new(wire_open(&fx->w, fx->loop), &limits, NULL, NULL);
    get("/");
    wire_sends(&fx->w, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    expect_log("head 200;end;");
    fx->u = NULL;
    wire_expect_end(&fx->w);
}

/* ------------------------------------------------------------------ errors */

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void
expect_error(const char *answer, bool fin, const char *log)
{
    strbuf_clear(&fx->log);
    get("/");
    wire_sends(&fx->w, answer);
    if (fin)
        wire_fin(&fx->w);
    expect_log(log);
    expect_log("closed;");
    wire_close(&fx->w);
    fx->u = up_h1_new(wire_open(&fx->w, fx->loop), &limits, &session_events, NULL);
}

static void
test_errors(void **state)
{
    char large[8192];

    expect_error("", true, "error closed_early;");
    expect_error("HTTP/1.", true, "error reset;");
    expect_error("HTTP/1.1 100 Continue\r\n\r\n", true, "100;error reset;");
    expect_error("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", true, "error reset;");
    expect_error("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", true, "error reset;");
    expect_error(CHUNKED "5\r\nhello\r\n0\r\n", true, "error reset;");
    expect_error("SSH-2.0-OpenSSH\r\n\r\n", false, "error bad_response;");
    expect_error("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", false, "error bad_response;");
    expect_error(CHUNKED "xyz\r\n", false, "error bad_response;");
    expect_error(CHUNKED "1\r\nab\r\n", false, "error bad_response;");
    expect_error(CHUNKED "0\r\nContent-Length: 5\r\n\r\n", false, "error bad_response;");
    expect_error("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false,
                 "error bad_response;");
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    memcpy(large, "HTTP/1.1 200 OK\r\nA: ", 20);
    expect_error(large, false, "error head_too_large;");
}

/* Who was told of the head before is told of the end of it all. */
static void
test_errors_behind_the_head(void **state)
{
    static const struct {
        const char *head, *rest, *error;
    } cases[] = {
        { CHUNKED, "xyz\r\n", "error bad_response;" },
        { CHUNKED "5\r\nhel", "loX", "error bad_response;" },
        { CHUNKED "5\r\nhello\r\n", "0\r\nHost: x\r\n\r\n", "error bad_response;" },
        { CHUNKED "5\r\nhello\r\n", NULL, "error reset;" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", NULL, "error reset;" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        strbuf_clear(&fx->log);
        get("/");
        wire_sends(&fx->w, cases[i].head);
        expect_log("head 200;");
        if (cases[i].rest)
            wire_sends(&fx->w, cases[i].rest);
        else
            wire_fin(&fx->w);
        expect_log(cases[i].error);
        expect_log("closed;");
        wire_close(&fx->w);
        fx->u = up_h1_new(wire_open(&fx->w, fx->loop), &limits, &session_events, NULL);
    }
}

static void
test_reset(void **state)
{
    get("/");
    wire_reset(&fx->w);
    expect_log("error closed_early;closed;");
}

static void
test_too_many_interim_answers(void **state)
{
    get("/");
    for (int i = 0; i < 17; i++)
        wire_sends(&fx->w, "HTTP/1.1 102 Processing\r\n\r\n");
    expect_log("102;error bad_response;closed;");
}

/* ------------------------------------------------------------------ upgrade */

static void
test_upgrade(void **state)
{
    ask(METHOD_GET, "/ws", (struct body_framing){ .kind = BODY_NONE }, SLICE("websocket"));
    fx->keep_waiting = true;
    assert_non_null(strstr(wire_expect(&fx->w, "\r\n\r\n"), "Upgrade: websocket\r\n"));
    wire_sends(&fx->w, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nfirst");
    expect_log("head 101;");
    assert_false(fx->s->in_end);
    assert_int_equal(fx->body.len, 0);
    fx->s->ops->upgraded(fx->s);
    send_text("to origin");
    wire_expect(&fx->w, "to origin");
    wire_sends(&fx->w, " second");
    while (fx->body.len < 12)
        run_for(fx->loop, NSEC_PER_MSEC);
    assert_body("first second");
    fx->s->ops->end(fx->s, NULL);
    wire_expect_end(&fx->w);
    wire_sends(&fx->w, "!");
    wire_fin(&fx->w);
    expect_log("end;");
    release();
    expect_log("closed;");
    assert_int_equal(fx->idle, 0);
    assert_body("first second!");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_reuse),
        T(test_byte_at_a_time),
        T(test_body_until_close),
        T(test_head_and_not_modified_have_no_body),
        T(test_request_with_body),
        T(test_early_answer_is_relayed),
        T(test_early_answer_and_no_more_body_closes),
        T(test_answer_before_the_write_failed_is_read),
        T(test_reset_is_no_end_of_a_body_until_close),
        T(test_writer_stops_when_the_origin_does_not_read),
        T(test_reader_that_does_not_take_stops_the_origin),
        T(test_not_reused),
        T(test_bytes_behind_a_long_body),
        T(test_idle_connection_ends),
        T(test_unasked_bytes_end_an_idle_connection),
        T(test_end_of_a_reused_connection_is_seen_before_writing),
        T(test_release_in_the_middle_closes),
        T(test_without_events_it_closes_after_one),
        T(test_errors),
        T(test_errors_behind_the_head),
        T(test_reset),
        T(test_too_many_interim_answers),
        T(test_upgrade),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
