#include "http_test.h"

static enum h1_result
parse_with(struct http_request *r, const char *text, size_t n, const struct h1_limits *limits, struct arena *arena,
           struct h1_error *err)
{
    /* In the arena, so that slices of the result stay valid and ASan knows nothing of what lies behind. */
    char *copy = arena_strndup(arena, text, n);

    memset(r, 0, sizeof(*r));
    r->scheme = SLICE("https");
    return h1_parse_request(r, copy, n, limits, NULL, arena, err);
}

static void
parse_ok(struct http_request *r, struct arena *arena, const char *text)
{
    struct h1_error err = { .text = NULL };

    if (parse_with(r, text, strlen(text), &test_limits, arena, &err) != H1_DONE)
        fail_msg("%s\nis refused: %s", text, err.text);
}

static void
parse_bad(struct arena *arena, const char *text, size_t n, enum reason_id reason)
{
    struct h1_error err = { .reason = REASON_COUNT };
    struct http_request r;

    if (parse_with(&r, text, n, &test_limits, arena, &err) != H1_ERROR)
        fail_msg("accepted: %s", text);
    if (err.reason != reason)
        fail_msg("%s\nis %s: %s", text, reason_get(err.reason)->code, err.text);
    assert_non_null(err.text);
}

static void
test_a_plain_request(void **state)
{
    struct http_request r;

    parse_ok(&r, *state,
             "GET /orders/17?full=1 HTTP/1.1\r\nHost: API.Example.com:8080\r\nAccept: */*\r\nX-Odd:\t a  b "
             "\t\r\nEmpty:\r\n\r\n");
    assert_int_equal(r.method, METHOD_GET);
    slice_is(r.method_text, "GET", "method");
    assert_int_equal(r.version, HTTP_1_1);
    slice_is(r.target, "/orders/17?full=1", "target");
    slice_is(r.scheme, "https", "scheme is left alone");
    slice_is(r.authority, "API.Example.com:8080", "authority");
    slice_is(r.host, "api.example.com", "host");
    assert_int_equal(r.port, 8080);
    slice_is(r.path, "/orders/17", "path");
    slice_is(r.query, "full=1", "query");
    assert_true(r.has_query && r.keep_alive);
    assert_false(r.expect_continue);
    assert_int_equal(r.body.kind, BODY_NONE);
    assert_int_equal(r.upgrade.n, 0);
    assert_int_equal(r.fields.n, 4);
    slice_is(fields_find_name(&r.fields, SLICE("x-odd"))->value, "a  b", "value without surrounding white space");
    slice_is(fields_find_name(&r.fields, SLICE("empty"))->value, "", "an empty value");
}

static void
test_other_methods(void **state)
{
    struct http_request r;

    parse_ok(&r, *state, "M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(r.method, METHOD_OTHER);
    slice_is(r.method_text, "M-SEARCH!#$%&'*+.^_`|~", "method");
    parse_ok(&r, *state, "TRACE /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(r.method, METHOD_TRACE);
    parse_ok(&r, *state, "CONNECT b.example:443 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(r.method, METHOD_CONNECT);
    slice_is(r.host, "b.example", "host");
    assert_int_equal(r.port, 443);
    slice_is(fields_value(&r.fields, FIELD_HOST), "b.example:443", "Host");
    parse_ok(&r, *state, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    slice_is(r.path, "*", "path");
}

static void
test_bad_request_lines(void **state)
{
    static const char *const bad[] = {
        "",
        " / HTTP/1.1",
        "GET",
        "GET ",
        "GET /",
        "GET / ",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET / x HTTP/1.1",
        "G(T / HTTP/1.1",
        "G\x01T / HTTP/1.1",
        "GET: / HTTP/1.1",
        "GET / HTTP/0.9",
        "GET / HTTP/1.2",
        "GET / HTTP/2.0",
        "GET / HTTP/1.10",
        "GET / HTTP/11.1",
        "GET / HTTP/1,1",
        "GET / HTTP/1.",
        "GET / HTTP/1",
        "GET / http/1.1",
        "GET / HTTPS/1.1",
        "GET / 1.1",
        "GET /\x01 HTTP/1.1",
        "GET /\x7f HTTP/1.1",
        "GET /\xc3\xa9 HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /%00 HTTP/1.1",
        "GET /.. HTTP/1.1",
        "GET a HTTP/1.1",
        "GET * HTTP/1.1",
        "GET a.example:80 HTTP/1.1",
        "GET ftp://a/ HTTP/1.1",
        "GET http:/// HTTP/1.1",
        "GET http://u@a/ HTTP/1.1",
        "GET http://a:b/ HTTP/1.1",
        "CONNECT / HTTP/1.1",
        "CONNECT a.example HTTP/1.1",
        "CONNECT http://a:1/ HTTP/1.1",
        "PRI * HTTP/2.0",
        "GET / HTTP/1.1\rX: y",
    };
    char text[256];

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        int n = snprintf(text, sizeof(text), "%s\r\nHost: a\r\n\r\n", bad[i]);

        parse_bad(*state, text, (size_t)n, REASON_BAD_REQUEST);
    }
}

static void
test_bad_fields(void **state)
{
#define S(s)                                                                                                           \
    {                                                                                                                  \
        s, sizeof(s) - 1                                                                                               \
    }
    static const struct slice bad[] = {
        S("A : b\r\n"),
        S("A\t: b\r\n"),
        S(" A: b\r\n"),
        S("\tA: b\r\n"),
        S("A: b\r\n c\r\n"),
        S("A: b\r\n\tc\r\n"),
        S("A: b\r\n \r\n"),
        S(": b\r\n"),
        S("A\r\n"),
        S("A b: c\r\n"),
        S("A\0: b\r\n"),
        S("A: b\0c\r\n"),
        S("A: b\rc\r\n"),
        S("A: b\nC: d\r\n"),
        S("A: b\n"),
        S("A: \r\r\n"),
        S("A: b\x01\r\n"),
        S("A: b\x1b\r\n"),
        S("A: b\x7f\r\n"),
        S("A(: b\r\n"),
        S("A@: b\r\n"),
        S("\"A\": b\r\n"),
        S("Caf\xc3\xa9: b\r\n"),
        S("A\x0b: b\r\n"),
        S("A: b\x0b\r\n"),
        S("A[]: b\r\n"),
        S("Host\r\n: a\r\n"),
        S("A,B: c\r\n"),
        S("A=b\r\n"),
        S("A: b\r\n\r\nB: c\r\n"),
        S("\rA: b\r\n"),
    };
#undef S
    char text[256];

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");

        memcpy(text + n, bad[i].p, bad[i].n);
        n += bad[i].n;
        memcpy(text + n, "\r\n", 3);
        parse_bad(*state, text, n + 2, REASON_BAD_REQUEST);
    }
}

static void
test_obs_text_and_tabs_are_values(void **state)
{
    struct http_request r;

    parse_ok(&r, *state, "GET / HTTP/1.1\r\nHost: a\r\nA: caf\xc3\xa9\ta\xff\r\n\r\n");
    slice_is(fields_find_name(&r.fields, SLICE("a"))->value, "caf\xc3\xa9\ta\xff", "value");
}

static void
test_hosts(void **state)
{
    static const char *const bad[] = { "GET / HTTP/1.1\r\n\r\n",
                                       "GET / HTTP/1.1\r\nHost:\r\n\r\n",
                                       "GET / HTTP/1.0\r\nHost:\r\n\r\n",
                                       "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
                                       "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n",
                                       "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
                                       "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
                                       "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
                                       "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n",
                                       "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n",
                                       "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
                                       "GET http://a/ HTTP/1.1\r\n\r\n",
                                       "GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n",
                                       "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
                                       "OPTIONS * HTTP/1.1\r\n\r\n" };
    struct http_request r;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        parse_bad(*state, bad[i], strlen(bad[i]), REASON_BAD_REQUEST);
    parse_ok(&r, *state, "GET / HTTP/1.0\r\n\r\n");
    assert_int_equal(r.authority.n, 0);
    assert_int_equal(r.host.n, 0);
    assert_int_equal(r.port, -1);
}

static void
test_the_targets_authority_wins(void **state)
{
    struct http_request r;

    parse_ok(&r, *state, "GET http://B.example:81/x HTTP/1.1\r\nA: b\r\nHost: a.example\r\n\r\n");
    slice_is(r.authority, "B.example:81", "authority");
    slice_is(r.host, "b.example", "host");
    assert_int_equal(r.port, 81);
    slice_is(r.path, "/x", "path");
    slice_is(r.scheme, "https", "the connection's scheme");
    assert_int_equal(fields_count(&r.fields, FIELD_HOST), 1);
    slice_is(fields_value(&r.fields, FIELD_HOST), "B.example:81", "Host");
    parse_ok(&r, *state, "GET http://b.example/x HTTP/1.0\r\n\r\n");
    slice_is(fields_value(&r.fields, FIELD_HOST), "b.example", "Host is added");
}

static void
test_persistence(void **state)
{
    static const struct {
        const char *version, *connection;
        bool keep_alive;
    } rows[] = {
        { "1.1", "X: y", true },
        { "1.1", "Connection: close", false },
        { "1.1", "Connection: CLOSE", false },
        { "1.1", "Connection: keep-alive, close", false },
        { "1.1", "Connection: keep-alive\r\nConnection: x, close", false },
        { "1.1", "Connection: closed", true },
        { "1.1", "Connection:", true },
        { "1.0", "X: y", false },
        { "1.0", "Connection: Keep-Alive", true },
        { "1.0", "Connection: keep-alive, close", false },
        { "1.0", "Keep-Alive: timeout=5", false },
    };
    struct http_request r;
    char text[256];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        snprintf(text, sizeof(text), "GET / HTTP/%s\r\nHost: a\r\n%s\r\n\r\n", rows[i].version, rows[i].connection);
        parse_ok(&r, *state, text);
        if (r.keep_alive != rows[i].keep_alive)
            fail_msg("HTTP/%s, %s", rows[i].version, rows[i].connection);
    }
}

static void
test_malformed_connection_fields(void **state)
{
    char text[512];
    int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nConnection: \"a, close\r\n\r\n");

    parse_bad(*state, text, (size_t)n, REASON_BAD_REQUEST);
    n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nConnection: a b\r\n\r\n");
    parse_bad(*state, text, (size_t)n, REASON_BAD_REQUEST);
    n = snprintf(text, sizeof(text),
                 "GET / HTTP/1.1\r\nHost: a\r\nConnection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"
                 "Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n\r\n");
    parse_bad(*state, text, (size_t)n, REASON_BAD_REQUEST);
}

static void
test_upgrades(void **state)
{
    struct http_request r;

    parse_ok(&r, *state, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n");
    slice_is(r.upgrade, "websocket", "upgrade");
    assert_true(r.keep_alive);
    parse_ok(&r, *state, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n");
    assert_int_equal(r.upgrade.n, 0);
    parse_ok(&r, *state, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n");
    assert_int_equal(r.upgrade.n, 0);
    parse_ok(&r, *state, "GET / HTTP/1.0\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
    assert_int_equal(r.upgrade.n, 0);
    parse_ok(&r, *state, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: a\r\nUpgrade: b\r\nConnection: upgrade\r\n\r\n");
    assert_int_equal(r.upgrade.n, 0);
}

static void
test_expectations(void **state)
{
    const char *other = "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, x=y\r\nContent-Length: 1\r\n\r\n";
    struct http_request r;

    parse_ok(&r, *state, "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n");
    assert_true(r.expect_continue);
    parse_ok(&r, *state, "PUT / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    assert_false(r.expect_continue);
    parse_bad(*state, other, strlen(other), REASON_EXPECTATION_FAILED);
}

static void
limit_is(struct arena *arena, const char *text, const struct h1_limits *limits, int reason)
{
    struct h1_error err = { .reason = REASON_COUNT };
    struct http_request r;

    assert_int_equal(parse_with(&r, text, strlen(text), limits, arena, &err), reason < 0 ? H1_DONE : H1_ERROR);
    if (reason >= 0)
        assert_int_equal(err.reason, reason);
}

static void
test_limits_are_exact(void **state)
{
    const char *text = "GET /456789 HTTP/1.1\r\nHost: a\r\nB: 3456789\r\n\r\n";
    struct h1_limits limits = { .request_line = 20, .field = 10, .head = (unsigned)strlen(text), .fields = 2 };

    limit_is(*state, text, &limits, -1);
    limits.request_line--;
    limit_is(*state, text, &limits, REASON_URI_TOO_LONG);
    limits.request_line++;
    limits.field--;
    limit_is(*state, text, &limits, REASON_HEADERS_TOO_LARGE);
    limits.field++;
    limits.head--;
    limit_is(*state, text, &limits, REASON_HEADERS_TOO_LARGE);
    limits.head++;
    limits.fields--;
    limit_is(*state, text, &limits, REASON_HEADERS_TOO_LARGE);
}

/* No prefix of a good head is a good head, and none is read past its end. */
static void
test_every_cut_is_refused(void **state)
{
    const char *text =
        "POST /a?b HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\nX-Something: and a longer value\r\n\r\n";

    for (size_t n = 0; n < strlen(text); n++) {
        struct http_request r = { .port = 0 };
        struct h1_error err;
        char *copy = exact_copy(text, n);

        assert_int_equal(h1_parse_request(&r, copy, n, &test_limits, NULL, *state, &err), H1_ERROR);
        free(copy);
    }
}

/* What is not followed by a space is no method: neither logged as one nor answered as HEAD is. */
static void
test_a_method_is_known_when_it_ends(void **state)
{
    static const char *const lines[] = { "HEAD\t/ HTTP/1.1\r\n\r\n", "HEAD\r\n\r\n", "HEAD" };
    struct h1_error err;
    struct http_request r;

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        assert_int_equal(parse_with(&r, lines[i], strlen(lines[i]), &test_limits, *state, &err), H1_ERROR);
        slice_is(r.method_text, "", "method");
    }
    assert_int_equal(parse_with(&r, "HEAD  / HTTP/1.1\r\n\r\n", 20, &test_limits, *state, &err), H1_ERROR);
    slice_is(r.method_text, "HEAD", "method");
    assert_int_equal(r.method, METHOD_HEAD);
}

/* Any single byte changed: the parser must answer, and what it accepts must hold its own promises. */
static void
test_every_byte_changed(void **state)
{
    const char *text = "PUT /a/%41?b HTTP/1.1\r\nHost: a.example:80\r\nContent-Length: 3\r\nX-A: b\r\n\r\n";
    size_t n = strlen(text);

    for (size_t at = 0; at < n; at++) {
        struct arena arena;

        arena_init(&arena);
        for (unsigned c = 0; c < 256; c++) {
            char *copy = exact_copy(text, n);
            struct http_request r = { .port = 0 };
            struct h1_error err;

            copy[at] = (char)c;
            if (h1_parse_request(&r, copy, n, &test_limits, NULL, &arena, &err) == H1_DONE) {
                assert_true(field_is_token(r.method_text));
                assert_true(r.path.n && r.path.p[0] == '/');
                assert_int_equal(fields_count(&r.fields, FIELD_HOST), 1);
                for (unsigned i = 0; i < r.fields.n; i++)
                    assert_true(field_is_token(r.fields.v[i].name) && field_is_value(r.fields.v[i].value));
            }
            free(copy);
        }
        arena_fini(&arena);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(test_a_plain_request),
        arena_test(test_other_methods),
        arena_test(test_bad_request_lines),
        arena_test(test_bad_fields),
        arena_test(test_obs_text_and_tabs_are_values),
        arena_test(test_hosts),
        arena_test(test_the_targets_authority_wins),
        arena_test(test_persistence),
        arena_test(test_malformed_connection_fields),
        arena_test(test_upgrades),
        arena_test(test_expectations),
        arena_test(test_limits_are_exact),
        arena_test(test_every_cut_is_refused),
        arena_test(test_a_method_is_known_when_it_ends),
        arena_test(test_every_byte_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
