#include "http_test.h"

static enum h1_result
find(const char *text, size_t n, const struct h1_limits *limits, size_t *len, struct h1_error *err)
{
    struct h1_scan scan = { 0 };
    char *copy = exact_copy(text, n);
    enum h1_result result = h1_find_head(&scan, copy, n, limits, len, err);

    free(copy);
    return result;
}

/* The same bytes in pieces of every size must give the same answer. */
static enum h1_result
find_in_pieces(const char *text, size_t n, size_t piece, const struct h1_limits *limits, size_t *len,
               struct h1_error *err)
{
    struct h1_scan scan = { 0 };
    enum h1_result result = H1_MORE;

    for (size_t have = piece < n ? piece : n; result == H1_MORE; have = have + piece < n ? have + piece : n) {
        char *copy = exact_copy(text, have);

        result = h1_find_head(&scan, copy, have, limits, len, err);
        free(copy);
        if (have == n)
            break;
    }
    return result;
}

static const char head[] = "GET /a/long/path/that/crosses/the/width/of/a/vector HTTP/1.1\r\nHost: a.example\r\n"
                           "User-Agent: something rather long, so that there is more than one block to look at\r\n\r\n";

static void
test_finds_the_end_in_any_pieces(void **state)
{
    char text[512];
    size_t n = strlen(head), len = 0;
    struct h1_error err;

    snprintf(text, sizeof(text), "%sGET /next HTTP/1.1\r\n\r\n", head);
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        assert_int_equal(find_in_pieces(text, strlen(text), piece, &test_limits, &len, &err), H1_DONE);
        assert_int_equal(len, n);
    }
    for (size_t have = 0; have < n; have++)
        assert_int_equal(find(text, have, &test_limits, &len, &err), H1_MORE);
}

static void
test_bare_line_feeds_are_refused_at_once(void **state)
{
    static const char *const bad[] = { "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nHost: a\n", "GET / HTTP/1.1\r\n\n", "\n",
                                       "GET / HTTP/1.1\r\nA: b\r\n\rX\n" };
    struct h1_error err;
    size_t len;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        for (size_t piece = 1; piece <= strlen(bad[i]); piece++) {
            err.reason = REASON_COUNT;
            assert_int_equal(find_in_pieces(bad[i], strlen(bad[i]), piece, &test_limits, &len, &err), H1_ERROR);
            assert_int_equal(err.reason, REASON_BAD_REQUEST);
        }
    }
}

static void
test_not_http_is_refused_at_once(void **state)
{
    static const struct slice bad[] = {
        { "\x16\x03\x01\x02", 4 }, { "\0", 1 }, { " GET", 4 }, { "\x80", 1 }, { "\r\n", 2 }
    };
    struct h1_error err;
    size_t len;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(find(bad[i].p, bad[i].n, &test_limits, &len, &err), H1_ERROR);
        assert_int_equal(err.reason, REASON_BAD_REQUEST);
    }
    /* The start of an empty line that the caller will skip. */
    assert_int_equal(find("\r", 1, &test_limits, &len, &err), H1_MORE);
    assert_int_equal(find("", 0, &test_limits, &len, &err), H1_MORE);
}

/* A head with a request line, one field and a number of further fields of the given lengths, CRLF not counted. */
static size_t
build(char *out, size_t line, size_t field, unsigned fields)
{
    size_t n = 0;

    memset(out, 'a', line);
    n += line;
    n += (size_t)sprintf(out + n, "\r\n");
    for (unsigned i = 0; i < fields; i++) {
        memset(out + n, 'b', field);
        n += field;
        n += (size_t)sprintf(out + n, "\r\n");
    }
    n += (size_t)sprintf(out + n, "\r\n");
    return n;
}

static void
limit_is(size_t line, size_t field, unsigned fields, const struct h1_limits *limits, int reason)
{
    char text[1024];
    size_t n = build(text, line, field, fields), len = 0;

    for (size_t piece = 1; piece <= n; piece++) {
        struct h1_error err = { .reason = REASON_COUNT };
        enum h1_result result = find_in_pieces(text, n, piece, limits, &len, &err);

        assert_int_equal(result, reason < 0 ? H1_DONE : H1_ERROR);
        if (reason >= 0)
            assert_int_equal(err.reason, reason);
    }
}

static void
test_limits_are_exact(void **state)
{
    struct h1_limits limits = { .request_line = 20, .field = 30, .head = 1000, .fields = 3 };

    limit_is(20, 30, 3, &limits, -1);
    limit_is(21, 30, 3, &limits, REASON_URI_TOO_LONG);
    limit_is(20, 31, 3, &limits, REASON_HEADERS_TOO_LARGE);
    limit_is(20, 30, 4, &limits, REASON_HEADERS_TOO_LARGE);
    limits.head = 22 + 32 * 3 + 2;
    limit_is(20, 30, 3, &limits, -1);
    limits.head--;
    limit_is(20, 30, 3, &limits, REASON_HEADERS_TOO_LARGE);
}

static void
test_limits_hold_before_a_line_ends(void **state)
{
    struct h1_limits limits = { .request_line = 20, .field = 30, .head = 100, .fields = 3 };
    struct h1_error err;
    char text[200];
    size_t len;

    memset(text, 'a', sizeof(text));
    assert_int_equal(find(text, 20, &limits, &len, &err), H1_MORE);
    assert_int_equal(find(text, 21, &limits, &len, &err), H1_ERROR);
    assert_int_equal(err.reason, REASON_URI_TOO_LONG);
    limits.request_line = limits.field = 1000;
    assert_int_equal(find(text, 99, &limits, &len, &err), H1_MORE);
    assert_int_equal(find(text, 100, &limits, &len, &err), H1_ERROR);
    assert_int_equal(err.reason, REASON_HEADERS_TOO_LARGE);
}

/* Two things are wrong: the same one is told whatever the pieces. */
static void
test_the_first_error_is_told(void **state)
{
    static const struct {
        const char *text;
        enum reason_id reason;
    } rows[] = {
        { "GET / HTTP/1.1 much too long\n", REASON_URI_TOO_LONG },
        { "GET / HTTP/1.1\r\nA: a field too long\n", REASON_HEADERS_TOO_LARGE },
        { "GET / HTTP/1.1\r\nA: b\r\nA: b\r\nA: b\r\nA: \n",
          REASON_HEADERS_TOO_LARGE }, /* behind the limit of a head */
        { "GET / HTTP/1.1\r\nA: b\nA: a field too long\r\n", REASON_BAD_REQUEST },
    };
    struct h1_limits limits = { .request_line = 14, .field = 10, .head = 36, .fields = 10 };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (size_t piece = 1; piece <= strlen(rows[i].text); piece++) {
            struct h1_error err = { .reason = REASON_COUNT };
            size_t len;

            assert_int_equal(find_in_pieces(rows[i].text, strlen(rows[i].text), piece, &limits, &len, &err), H1_ERROR);
            assert_int_equal(err.reason, rows[i].reason);
        }
    }
}

static void
test_errors_of_an_origin(void **state)
{
    struct h1_error err = { .reason = REASON_HEADERS_TOO_LARGE, .text = "kept" };

    h1_error_of_origin(&err);
    assert_int_equal(err.reason, REASON_UPSTREAM_BAD_RESPONSE);
    assert_string_equal(err.text, "kept");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_the_end_in_any_pieces),
        cmocka_unit_test(test_bare_line_feeds_are_refused_at_once),
        cmocka_unit_test(test_not_http_is_refused_at_once),
        cmocka_unit_test(test_limits_are_exact),
        cmocka_unit_test(test_limits_hold_before_a_line_ends),
        cmocka_unit_test(test_the_first_error_is_told),
        cmocka_unit_test(test_errors_of_an_origin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
