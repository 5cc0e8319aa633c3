#include "http_test.h"

static enum h1_result
parse(struct http_response *r, struct arena *arena, enum http_method method, const char *text, size_t n,
      struct h1_error *err)
{
    return h1_parse_response(r, arena_strndup(arena, text, n), n, &test_limits, method, arena, err);
}

static void
parse_ok(struct http_response *r, struct arena *arena, enum http_method method, const char *text)
{
    struct h1_error err = { .text = NULL };

    if (parse(r, arena, method, text, strlen(text), &err) != H1_DONE)
        fail_msg("%s\nis refused: %s", text, err.text);
}

static void
test_a_plain_response(void **state)
{
    struct http_response r;

    parse_ok(&r, *state, METHOD_GET,
             "HTTP/1.1 404 Not  Found caf\xc3\xa9\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nKeep-Alive: "
             "max=5, timeout=7\r\n\r\n");
    assert_int_equal(r.status, 404);
    slice_is(r.reason_phrase, "Not  Found caf\xc3\xa9", "reason phrase");
    assert_int_equal(r.version, HTTP_1_1);
    assert_int_equal(r.fields.n, 3);
    assert_int_equal(r.body.kind, BODY_LENGTH);
    assert_int_equal(r.body.length, 3);
    assert_true(r.keep_alive);
    assert_int_equal(r.keep_alive_timeout, 7 * NSEC_PER_SEC);
}

static void
test_status_lines(void **state)
{
    struct http_response r;

    parse_ok(&r, *state, METHOD_GET, "HTTP/1.1 200 \r\n\r\n");
    assert_int_equal(r.reason_phrase.n, 0);
    parse_ok(&r, *state, METHOD_GET, "HTTP/1.1 200\r\n\r\n");
    assert_int_equal(r.status, 200);
    parse_ok(&r, *state, METHOD_GET, "HTTP/1.0 999 x\r\n\r\n");
    assert_int_equal(r.status, 999);
    assert_int_equal(r.version, HTTP_1_0);
}

static void
test_bad_heads(void **state)
{
#define S(s)                                                                                                           \
    {                                                                                                                  \
        s, sizeof(s) - 1                                                                                               \
    }
    static const struct slice bad[] = {
        S(""),
        S("\r\n"),
        S("HTTP/1.1"),
        S("HTTP/1.1 200"),
        S("HTTP/1.1 200\r"),
        S("HTTP/1.1 20\r\n\r\n"),
        S("HTTP/1.1 2000\r\n\r\n"),
        S("HTTP/1.1 2x0 OK\r\n\r\n"),
        S("HTTP/1.1 099 x\r\n\r\n"),
        S("HTTP/1.1 000 x\r\n\r\n"),
        S("HTTP/1.1 -20 x\r\n\r\n"),
        S("HTTP/1.1  200 OK\r\n\r\n"),
        S("HTTP/1.1\t200 OK\r\n\r\n"),
        S("HTTP/1.1 200\tOK\r\n\r\n"),
        S("HTTP/2.0 200 OK\r\n\r\n"),
        S("HTTP/2 200 OK\r\n\r\n"),
        S("HTTP/1.2 200 OK\r\n\r\n"),
        S("HTTP/0.9 200 OK\r\n\r\n"),
        S("http/1.1 200 OK\r\n\r\n"),
        S("ICY 200 OK\r\nA: bbbbb\r\n\r\n"),
        S("<html>hello hello</html>\r\n\r\n"),
        S("HTTP/1.1 200 O\0K\r\n\r\n"),
        S("HTTP/1.1 200 O\x01K\r\n\r\n"),
        S("HTTP/1.1 200 OK\n\n"),
        S("HTTP/1.1 200 OK\nA: b\r\n\r\n"),
        S("HTTP/1.1 200 O\rK\r\n\r\n"),
        S("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"),
        S("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"),
        S("HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n"),
        S("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n"),
        S("HTTP/1.1 200 OK\r\nA\r\n\r\n"),
        S("HTTP/1.1 200 OK\r\nA: b\r\n"),
        S("HTTP/1.1 200 OK\r\nConnection: a b\r\n\r\n"),
        S("HTTP/1.1 200 OK\r\n\r\nX"),
    };
#undef S

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct h1_error err = { .reason = REASON_COUNT };
        struct http_response r;

        if (parse(&r, *state, METHOD_GET, bad[i].p, bad[i].n, &err) != H1_ERROR)
            fail_msg("row %zu is accepted: %s", i, bad[i].p);
        assert_int_equal(err.reason, REASON_UPSTREAM_BAD_RESPONSE);
        assert_non_null(err.text);
    }
}

static void
test_bodies_and_persistence(void **state)
{
    static const struct {
        enum http_method method;
        const char *text;
        enum body_kind kind;
        bool keep_alive;
    } rows[] = {
        { METHOD_GET, "HTTP/1.1 200 OK\r\n", BODY_UNTIL_CLOSE, false },
        { METHOD_GET, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n", BODY_UNTIL_CLOSE, false },
        { METHOD_GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", BODY_LENGTH, true },
        { METHOD_GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n", BODY_LENGTH, false },
        { METHOD_GET, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n", BODY_LENGTH, false },
        { METHOD_GET, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n", BODY_LENGTH, true },
        { METHOD_GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", BODY_CHUNKED, true },
        { METHOD_HEAD, "HTTP/1.1 200 OK\r\n", BODY_NONE, true },
        { METHOD_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n", BODY_NONE, true },
        { METHOD_HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", BODY_NONE, true },
        { METHOD_GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n", BODY_NONE, true },
        { METHOD_GET, "HTTP/1.1 204 No Content\r\n", BODY_NONE, true },
        { METHOD_GET, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n", BODY_NONE, true },
        { METHOD_GET, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n", BODY_NONE, false },
        { METHOD_GET, "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n", BODY_NONE, false },
        { METHOD_GET, "HTTP/1.1 100 Continue\r\n", BODY_NONE, true },
        { METHOD_GET, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n", BODY_NONE, true },
        { METHOD_GET, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n", BODY_NONE, true },
    };
    char text[256];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct http_response r;

        snprintf(text, sizeof(text), "%s\r\n", rows[i].text);
        parse_ok(&r, *state, rows[i].method, text);
        if (r.body.kind != rows[i].kind || r.keep_alive != rows[i].keep_alive)
            fail_msg("row %zu: kind %d, keep_alive %d: %s", i, (int)r.body.kind, r.keep_alive, rows[i].text);
        assert_true(r.body.kind == BODY_LENGTH || r.body.length == 0);
    }
}

static void
test_keep_alive_timeouts(void **state)
{
    static const struct {
        const char *value;
        nsec_t want;
    } rows[] = { { "timeout=5", 5 * NSEC_PER_SEC },
                 { "Timeout=5", 5 * NSEC_PER_SEC },
                 { "max=100, timeout=86400", 86400 * NSEC_PER_SEC },
                 { "timeout=0", 0 },
                 { "timeout=86401", 0 },
                 { "timeout=-1", 0 },
                 { "timeout=", 0 },
                 { "timeout", 0 },
                 { "timeout=99999999999999999999", 0 },
                 { "xtimeout=5", 0 } };
    char text[128];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct http_response r;

        snprintf(text, sizeof(text), "HTTP/1.1 204 x\r\nKeep-Alive: %s\r\n\r\n", rows[i].value);
        parse_ok(&r, *state, METHOD_GET, text);
        assert_int_equal(r.keep_alive_timeout, rows[i].want);
    }
}

static void
test_limits_are_the_origins_fault(void **state)
{
    const char *text = "HTTP/1.1 200 OK\r\nAbc: de\r\nB: 1\r\n\r\n";
    struct h1_limits exact = { .request_line = 15, .field = 7, .head = (unsigned)strlen(text), .fields = 2 };
    struct h1_limits tight[] = { exact, exact, exact, exact };
    struct http_response r;
    struct h1_error err;

    assert_int_equal(h1_parse_response(&r, text, strlen(text), &exact, METHOD_GET, *state, &err), H1_DONE);
    tight[0].request_line--;
    tight[1].field--;
    tight[2].head--;
    tight[3].fields--;
    for (size_t i = 0; i < ARRAY_SIZE(tight); i++) {
        err.reason = REASON_COUNT;
        assert_int_equal(h1_parse_response(&r, text, strlen(text), &tight[i], METHOD_GET, *state, &err), H1_ERROR);
        assert_int_equal(err.reason, REASON_UPSTREAM_BAD_RESPONSE);
    }
}

static void
test_every_cut_is_refused(void **state)
{
    const char *text = "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 3\r\n\r\n";

    for (size_t n = 0; n < strlen(text); n++) {
        struct http_response r;
        struct h1_error err;
        char *copy = exact_copy(text, n);

        assert_int_equal(h1_parse_response(&r, copy, n, &test_limits, METHOD_GET, *state, &err), H1_ERROR);
        free(copy);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(test_a_plain_response),
        arena_test(test_status_lines),
        arena_test(test_bad_heads),
        arena_test(test_bodies_and_persistence),
        arena_test(test_keep_alive_timeouts),
        arena_test(test_limits_are_the_origins_fault),
        arena_test(test_every_cut_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
