#include "http_test.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static int
setup(void **state)
{
    return arena_setup(state);
}

static int
teardown(void **state)
{
    iobuf_thread_fini();
    return arena_teardown(state);
}

#define write_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* All bytes of `out`, which is emptied. */
static struct slice
take_all(struct iobuf *out, struct arena *arena)
{
    struct slice all = SLICE("");
    size_t n = out->len;

    if (n)
        all = arena_slice(arena, slice_of(iobuf_pullup(out, n), n));
    iobuf_fini(out);
    return all;
}

static void
written_is(struct iobuf *out, struct arena *arena, const char *want)
{
    slice_is(take_all(out, arena), want, "written");
}

static struct http_request
request(struct arena *arena, const char *method)
{
    struct http_request r = { .method_text = slice_str(method), .authority = SLICE("a.example"), .version = HTTP_1_1 };

    fields_init(&r.fields, arena);
    return r;
}

static struct http_response
response(struct arena *arena, int status)
{
    struct http_response r = { .status = status, .version = HTTP_1_1 };

    fields_init(&r.fields, arena);
    fields_add(&r.fields, SLICE("Date"), SLICE(DATE));
    return r;
}

static void
test_requests(void **state)
{
    struct http_request r = request(*state, "POST");
    struct iobuf out;

    iobuf_init(&out, 1 << 20);
    fields_add(&r.fields, SLICE("host"), SLICE("b.example"));
    fields_add(&r.fields, SLICE("X-Empty"), SLICE_NONE);
    h1_write_request(&out, &r, SLICE("/x?y"), (struct body_framing){ BODY_LENGTH, 12345678901234567890ULL });
    written_is(&out, *state,
               "POST /x?y HTTP/1.1\r\nhost: b.example\r\nX-Empty: \r\nContent-Length: 12345678901234567890\r\n\r\n");
    h1_write_request(&out, &r, SLICE("/"), (struct body_framing){ BODY_LENGTH, 0 });
    written_is(&out, *state, "POST / HTTP/1.1\r\nhost: b.example\r\nX-Empty: \r\nContent-Length: 0\r\n\r\n");
    h1_write_request(&out, &r, SLICE("/"), (struct body_framing){ BODY_CHUNKED, 0 });
    written_is(&out, *state, "POST / HTTP/1.1\r\nhost: b.example\r\nX-Empty: \r\nTransfer-Encoding: chunked\r\n\r\n");
    h1_write_request(&out, &r, SLICE("/"), (struct body_framing){ BODY_NONE, 0 });
    written_is(&out, *state, "POST / HTTP/1.1\r\nhost: b.example\r\nX-Empty: \r\n\r\n");
}

static void
test_a_request_always_has_a_host(void **state)
{
    struct http_request r = request(*state, "GET");
    struct iobuf out;

    iobuf_init(&out, 1 << 20);
    h1_write_request(&out, &r, SLICE("/"), (struct body_framing){ BODY_NONE, 0 });
    written_is(&out, *state, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    r.authority = SLICE_NONE;
    h1_write_request(&out, &r, SLICE("/"), (struct body_framing){ BODY_NONE, 0 });
    written_is(&out, *state, "GET / HTTP/1.1\r\nHost: \r\n\r\n");
}

/* Two framings in one head are what smuggling is made of; a list that still holds one must not get it out. */
static void
test_framing_is_never_written_twice(void **state)
{
    struct http_request r = request(*state, "PUT");
    struct http_response p = response(*state, 200);
    struct iobuf out;

    iobuf_init(&out, 1 << 20);
    fields_add(&r.fields, SLICE("Host"), SLICE("a"));
    fields_add(&r.fields, SLICE("content-length"), SLICE("7"));
    fields_add(&r.fields, SLICE("transfer-encoding"), SLICE("chunked"));
    h1_write_request(&out, &r, SLICE("/"), (struct body_framing){ BODY_CHUNKED, 0 });
    written_is(&out, *state, "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    fields_add(&p.fields, SLICE("content-length"), SLICE("7"));
    fields_add(&p.fields, SLICE("transfer-encoding"), SLICE("chunked"));
    h1_write_response(&out, &p, (struct body_framing){ BODY_LENGTH, 3 }, true, false, SLICE_NONE);
    written_is(&out, *state, "HTTP/1.1 200 OK\r\nDate: " DATE "\r\nContent-Length: 3\r\n\r\n");
}

static void
test_upgrades(void **state)
{
    struct http_request r = request(*state, "GET");
    struct http_response p = response(*state, 101);
    struct iobuf out;

    iobuf_init(&out, 1 << 20);
    r.upgrade = SLICE("websocket");
    fields_add(&r.fields, SLICE("Connection"), SLICE("x"));
    fields_add(&r.fields, SLICE("Upgrade"), SLICE("y"));
    h1_write_request(&out, &r, SLICE("/"), (struct body_framing){ BODY_NONE, 0 });
    written_is(&out, *state, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    h1_write_response(&out, &p, (struct body_framing){ BODY_NONE, 0 }, false, false, SLICE("websocket"));
    written_is(&out, *state,
               "HTTP/1.1 101 Switching Protocols\r\nDate: " DATE
               "\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
}

static void
test_responses(void **state)
{
    static const struct {
        int status;
        struct body_framing body;
        bool keep_alive, to_10;
        const char *tail; /* what follows the status line and Date */
    } rows[] = {
        { 200, { BODY_LENGTH, 5 }, true, false, "Content-Length: 5\r\n" },
        { 200, { BODY_LENGTH, 5 }, false, false, "Content-Length: 5\r\nConnection: close\r\n" },
        { 200, { BODY_LENGTH, 5 }, true, true, "Content-Length: 5\r\nConnection: keep-alive\r\n" },
        { 200, { BODY_LENGTH, 5 }, false, true, "Content-Length: 5\r\nConnection: close\r\n" },
        { 200, { BODY_CHUNKED, 0 }, true, false, "Transfer-Encoding: chunked\r\n" },
        { 200, { BODY_CHUNKED, 0 }, true, true, "Connection: close\r\n" },
        { 200, { BODY_UNTIL_CLOSE, 0 }, true, false, "Connection: close\r\n" },
        { 200, { BODY_NONE, 0 }, true, false, "" },
        { 204, { BODY_LENGTH, 5 }, true, false, "" },
        { 204, { BODY_CHUNKED, 0 }, true, true, "Connection: keep-alive\r\n" },
        { 304, { BODY_LENGTH, 5 }, true, false, "" },
        { 304, { BODY_UNTIL_CLOSE, 0 }, true, false, "" },
    };
    struct iobuf out;

    iobuf_init(&out, 1 << 20);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct http_response r = response(*state, rows[i].status);
        char want[256];

        snprintf(want, sizeof(want), "HTTP/1.1 %d %s\r\nDate: " DATE "\r\n%s\r\n", rows[i].status,
                 status_phrase(rows[i].status), rows[i].tail);
        h1_write_response(&out, &r, rows[i].body, rows[i].keep_alive, rows[i].to_10, SLICE_NONE);
        written_is(&out, *state, want);
    }
}

static void
test_a_length_without_a_body(void **state)
{
    static const struct {
        int status;
        bool kept;
    } rows[] = { { 200, true }, { 304, true }, { 204, false }, { 101, false } };
    struct iobuf out;

    iobuf_init(&out, 1 << 20);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct http_response r = response(*state, rows[i].status);
        struct slice text;

        fields_add(&r.fields, SLICE("Content-Length"), SLICE("99"));
        h1_write_response(&out, &r, (struct body_framing){ BODY_NONE, 0 }, true, false, SLICE_NONE);
        text = take_all(&out, *state);
        assert_int_equal(strstr(text.p, "\r\nContent-Length: 99\r\n") != NULL, rows[i].kept);
    }
}

static void
test_phrases_and_dates(void **state)
{
    struct http_response r = { .status = 299, .reason_phrase = SLICE("As the origin says") };
    struct slice text;
    struct iobuf out;

    iobuf_init(&out, 1 << 20);
    fields_init(&r.fields, *state);
    h1_write_response(&out, &r, (struct body_framing){ BODY_LENGTH, 0 }, true, false, SLICE_NONE);
    text = take_all(&out, *state);
    assert_true(slice_starts(text, SLICE("HTTP/1.1 299 As the origin says\r\nDate: ")));
    assert_true(slice_ends(text, SLICE(" GMT\r\nContent-Length: 0\r\n\r\n")));
    r.reason_phrase = SLICE_NONE;
    h1_write_response(&out, &r, (struct body_framing){ BODY_LENGTH, 0 }, true, false, SLICE_NONE);
    assert_true(slice_starts(take_all(&out, *state), SLICE("HTTP/1.1 299 \r\nDate: ")));
}

static void
test_which_body_goes_to_the_client(void **state)
{
    static const struct {
        struct body_framing in;
        int status;
        enum http_method method;
        bool to_10;
        struct body_framing out;
    } rows[] = {
        { { BODY_LENGTH, 5 }, 200, METHOD_GET, false, { BODY_LENGTH, 5 } },
        { { BODY_LENGTH, 5 }, 200, METHOD_GET, true, { BODY_LENGTH, 5 } },
        { { BODY_LENGTH, 5 }, 200, METHOD_HEAD, false, { BODY_NONE, 0 } },
        { { BODY_LENGTH, 5 }, 204, METHOD_GET, false, { BODY_NONE, 0 } },
        { { BODY_LENGTH, 5 }, 304, METHOD_GET, false, { BODY_NONE, 0 } },
        { { BODY_CHUNKED, 0 }, 200, METHOD_GET, false, { BODY_CHUNKED, 0 } },
        { { BODY_CHUNKED, 0 }, 200, METHOD_GET, true, { BODY_UNTIL_CLOSE, 0 } },
        { { BODY_UNTIL_CLOSE, 0 }, 200, METHOD_GET, false, { BODY_CHUNKED, 0 } },
        { { BODY_UNTIL_CLOSE, 0 }, 200, METHOD_GET, true, { BODY_UNTIL_CLOSE, 0 } },
        { { BODY_NONE, 0 }, 200, METHOD_GET, false, { BODY_LENGTH, 0 } },
        { { BODY_NONE, 0 }, 101, METHOD_GET, false, { BODY_NONE, 0 } },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct body_framing out = h1_response_body(rows[i].in, rows[i].status, rows[i].method, rows[i].to_10);

        assert_int_equal(out.kind, rows[i].out.kind);
        assert_int_equal(out.length, rows[i].out.length);
    }
}

static void
test_interim(void **state)
{
    struct http_response r = { .status = 103 };
    struct iobuf out;

    iobuf_init(&out, 1 << 20);
    fields_init(&r.fields, *state);
    fields_add(&r.fields, SLICE("Link"), SLICE("</a>; rel=preload"));
    fields_add(&r.fields, SLICE("Content-Length"), SLICE("5"));
    h1_write_interim(&out, &r);
    h1_write_continue(&out);
    written_is(&out, *state,
               "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
}

static void
test_chunks(void **state)
{
    struct fields trailers;
    struct iobuf out, src;

    iobuf_init(&out, 1 << 20);
    iobuf_init(&src, 1 << 20);
    iobuf_adds(&src, SLICE("hello world, this is it"));
    h1_write_chunk(&out, &src, 5);
    h1_write_chunk(&out, &src, 18);
    assert_int_equal(src.len, 0);
    h1_write_last_chunk(&out, NULL);
    written_is(&out, *state, "5\r\nhello\r\n12\r\n world, this is it\r\n0\r\n\r\n");
    fields_init(&trailers, *state);
    h1_write_last_chunk(&out, &trailers);
    written_is(&out, *state, "0\r\n\r\n");
    fields_add(&trailers, SLICE("X-Sum"), SLICE("1"));
    fields_add(&trailers, SLICE("Content-Length"), SLICE("1"));
    h1_write_last_chunk(&out, &trailers);
    written_is(&out, *state, "0\r\nX-Sum: 1\r\n\r\n");
    iobuf_fini(&src);
}

/* Larger than a chunk of the iobuf, and started at every distance from the end of one. */
static void
test_heads_across_chunks(void **state)
{
    struct http_response r = response(*state, 200), back;
    size_t big = IOBUF_CHUNK_SIZE + 1000;
    char *value = arena_alloc(*state, big), *filler = arena_zalloc(*state, IOBUF_CHUNK_SIZE);
    struct h1_limits limits = { .request_line = 100, .field = 65536, .head = 131072, .fields = 400 };
    struct h1_error err;
    struct iobuf out;

    memset(value, 'v', big);
    for (int i = 0; i < 300; i++)
        fields_add(&r.fields, SLICE("X-Some-Name"), slice_of(value, i == 150 ? big : 40));
    iobuf_init(&out, 1 << 20);
    for (size_t fill = IOBUF_CHUNK_SIZE - 3000; fill < IOBUF_CHUNK_SIZE; fill += 37) {
        struct slice all;

        iobuf_add(&out, filler, fill);
        h1_write_response(&out, &r, (struct body_framing){ BODY_LENGTH, 7 }, true, false, SLICE_NONE);
        all = slice_from(take_all(&out, *state), fill);
        assert_int_equal(h1_parse_response(&back, all.p, all.n, &limits, METHOD_GET, *state, &err), H1_DONE);
        assert_int_equal(back.fields.n, 302);
        assert_int_equal(back.fields.v[151].value.n, big);
        slice_is(back.fields.v[300].value, "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", "last of them");
        assert_int_equal(back.body.length, 7);
    }
}

/* What the parser reads, the writer writes, and the parser reads again. */
static void
test_round_trip(void **state)
{
    const char *text = "PUT /a?b HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\nContent-Length: 3\r\n\r\n";
    struct http_request r = { .port = 0 };
    struct h1_error err;
    struct iobuf out;

    iobuf_init(&out, 1 << 20);
    assert_int_equal(h1_parse_request(&r, text, strlen(text), &test_limits, NULL, *state, &err), H1_DONE);
    h1_write_request(&out, &r, r.target, r.body);
    written_is(&out, *state, text);
}

/* Lines are copied in one piece where they stood side by side; what changed since they came is written anew. */
static void
test_received_lines_and_changed_ones(void **state)
{
    static const char text[] =
        "GET / HTTP/1.1\r\nHost: a.example\r\nA: 1\r\nB:2\r\nC:  3\r\nD: 4 \r\nE: \r\nF:\r\nG: 7\r\n"
        "Keep-Alive: x\r\nH: 8\r\nGone: 9\r\nI: a, b\r\nJ: short\r\nK: 11\r\n\r\n";
    char *head = exact_copy(text, strlen(text));
    struct http_request r = { 0 };
    struct iobuf out;
    struct h1_error err;

    iobuf_init(&out, 1 << 20);
    assert_int_equal(h1_parse_request(&r, head, strlen(text), &test_limits, NULL, *state, &err), H1_DONE);
    r.upgrade = SLICE("x"); /* leaves Keep-Alive out */
    fields_remove_name(&r.fields, SLICE("gone"));
    fields_find_name(&r.fields, SLICE("i"))->value.n = 1;
    fields_find_name(&r.fields, SLICE("j"))->value = SLICE("longer than before");
    fields_find_name(&r.fields, SLICE("host"))->value = SLICE("b.example");
    h1_write_request(&out, &r, r.target, r.body);
    written_is(&out, *state,
               "GET / HTTP/1.1\r\nHost: b.example\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: \r\nF: \r\nG: 7\r\nH: 8\r\n"
               "I: a\r\nJ: longer than before\r\nK: 11\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    free(head);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        write_test(test_requests),
        write_test(test_a_request_always_has_a_host),
        write_test(test_framing_is_never_written_twice),
        write_test(test_upgrades),
        write_test(test_responses),
        write_test(test_a_length_without_a_body),
        write_test(test_phrases_and_dates),
        cmocka_unit_test(test_which_body_goes_to_the_client),
        write_test(test_interim),
        write_test(test_chunks),
        write_test(test_heads_across_chunks),
        write_test(test_round_trip),
        write_test(test_received_lines_and_changed_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
