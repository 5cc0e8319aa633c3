#include "http_test.h"

/* Decodes text in pieces; what comes out is in `out`. *rest: bytes behind the last chunk's line. */
static enum h1_result
decode(const char *text, size_t n, size_t piece, char *out, size_t *len, size_t *rest, struct h1_error *err)
{
    enum h1_result result = H1_MORE;
    struct chunked c;
    size_t at = 0;

    chunked_init(&c);
    *len = 0;
    while (result == H1_MORE && at < n) {
        size_t have = n - at < piece ? n - at : piece, used;
        char *copy = exact_copy(text + at, have);
        struct slice data;

        result = chunked_decode(&c, copy, have, &used, &data, err);
        if (result == H1_MORE)
            assert_true(used > 0);
        if (data.n) {
            memcpy(out + *len, data.p, data.n);
            assert_true(data.p >= copy && data.p + data.n <= copy + used);
        }
        *len += data.n;
        at += used;
        free(copy);
    }
    *rest = n - at;
    return result;
}

static void
test_bodies_in_any_pieces(void **state)
{
    static const struct {
        const char *text, *body;
        size_t rest;
    } rows[] = {
        { "0\r\n\r\n", "", 2 },
        { "5\r\nhello\r\n0\r\n\r\n", "hello", 2 },
        { "5\r\nhello\r\n6\r\n world\r\n000\r\nTrailer: x\r\n\r\n", "hello world", 14 },
        { "5;a=b\r\nhello\r\n0;last\r\n\r\nGET", "hello", 5 },
        { "5;a=\"b\tc\"\r\nhello\r\n0\r\n", "hello", 0 },
        { "A\r\n0123456789\r\n00000000000000a\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", 2 },
        { "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", 2 },
    };
    struct h1_error err;
    char out[128];
    size_t len, rest;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (size_t piece = 1; piece <= strlen(rows[i].text); piece++) {
            assert_int_equal(decode(rows[i].text, strlen(rows[i].text), piece, out, &len, &rest, &err), H1_DONE);
            slice_is(slice_of(out, len), rows[i].body, rows[i].text);
            assert_int_equal(rest, rows[i].rest);
        }
    }
}

static void
test_incomplete_bodies(void **state)
{
    const char *text = "5;x\r\nhello\r\n0\r\n";
    struct h1_error err;
    char out[16];
    size_t len, rest;

    for (size_t n = 1; n < strlen(text); n++)
        assert_int_equal(decode(text, n, n, out, &len, &rest, &err), H1_MORE);
}

static void
test_bad_framing(void **state)
{
    static const struct slice bad[] = {
#define S(s) { s, sizeof(s) - 1 }
        S("\r\n"),
        S("x\r\n"),
        S("-1\r\n"),
        S("+5\r\nhello\r\n"),
        S(" 5\r\nhello\r\n"),
        S("5 \r\nhello\r\n"),
        S("5\t\r\nhello\r\n"),
        S("0x5\r\nhello\r\n"),
        S("0X5\r\nhello\r\n"),
        S("5,5\r\nhello\r\n"),
        S("5\nhello\r\n"),
        S("5\r\rhello"),
        S("5\rhello\r\n"),
        S("5\r\nhello\n"),
        S("5\r\nhellohello\r\n"),
        S("5\r\nhello\r0\r\n"),
        S("5\r\nhello0\r\n\r\n"),
        S("5\r\nhell\r\n0\r\n"),
        S("5;a\nhello\r\n"),
        S("5;a\rb\r\nhello"),
        S("5;\x01\r\nhello"),
        S("5;a\x7f\r\n"),
        S("5;\0\r\nhello"),
        S(";\r\n"),
        S("g\r\n"),
        S("5.0\r\nhello"),
        S("_5\r\n"),
        S("5_0\r\n"),
        S("\n5\r\n"),
        S("5 ;a\r\nhello"),
        S("10000000000000000\r\n"),
        S("8000000000000000\r\n"),
        S("ffffffffffffffff\r\n"),
        S("00000000000000005\r\n"),
        S("0\n\r\n"),
        S("0 \r\n"),
        S("0;a\n"),
#undef S
    };
    struct h1_error err;
    char out[64];
    size_t len, rest;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        for (size_t piece = 1; piece <= bad[i].n; piece++) {
            err.reason = REASON_COUNT;
            if (decode(bad[i].p, bad[i].n, piece, out, &len, &rest, &err) != H1_ERROR)
                fail_msg("row %zu is accepted: %s", i, bad[i].p);
            assert_int_equal(err.reason, REASON_BAD_REQUEST);
            assert_non_null(err.text);
        }
    }
}

static void
test_the_largest_size(void **state)
{
    struct h1_error err;
    struct slice data;
    struct chunked c;
    size_t used;

    chunked_init(&c);
    assert_int_equal(chunked_decode(&c, "7fffffffffffffff\r\nabc", 21, &used, &data, &err), H1_MORE);
    assert_int_equal(used, 21);
    slice_is(data, "abc", "data");
    assert_int_equal(c.left, INT64_MAX - 3);
}

static void
test_extensions_are_capped_per_chunk(void **state)
{
    char text[1024], out[16];
    struct h1_error err;
    size_t len, rest;
    int n;

    n = snprintf(text, sizeof(text), "1;%0256d\r\na\r\n1;%0256d\r\nb\r\n0\r\n", 0, 0);
    assert_int_equal(decode(text, (size_t)n, 7, out, &len, &rest, &err), H1_DONE);
    slice_is(slice_of(out, len), "ab", "body");
    n = snprintf(text, sizeof(text), "1;%0257d\r\na\r\n0\r\n", 0);
    assert_int_equal(decode(text, (size_t)n, 7, out, &len, &rest, &err), H1_ERROR);
}

/* A body of chunks of `size` bytes, each with 255 bytes of extension behind one of them. How many of them are taken;
 * 1000: all. */
static int
chunks_taken(int size)
{
    struct h1_error err;
    struct chunked c;
    struct slice data;
    char text[1024];
    int n = snprintf(text, sizeof(text), "%x;%0255d\r\n%0*d\r\n", (unsigned)size, 0, size, 0);

    chunked_init(&c);
    for (int i = 0; i < 1000; i++) {
        for (size_t at = 0, used; at < (size_t)n; at += used) {
            if (chunked_decode(&c, text + at, (size_t)n - at, &used, &data, &err) == H1_ERROR) {
                assert_int_equal(err.reason, REASON_BAD_REQUEST);
                assert_string_equal(err.text, "more chunk extensions than data");
                return i;
            }
        }
    }
    return 1000;
}

/* 16 KiB more than data and no more, in all. */
static void
test_extensions_are_capped_per_body(void **state)
{
    assert_int_equal(chunks_taken(1), CHUNKED_EXCESS_MAX / 254);
    assert_int_equal(chunks_taken(127), CHUNKED_EXCESS_MAX / 128);
    assert_int_equal(chunks_taken(254), 1000);
    assert_int_equal(chunks_taken(255), 1000);
    assert_int_equal(chunks_taken(600), 1000);
}

static enum h1_result
trailers(struct arena *arena, const char *text, size_t n, const struct h1_limits *limits, struct fields *f,
         size_t *used, struct h1_error *err)
{
    fields_init(f, arena);
    return chunked_trailers(text, n, limits, f, used, err);
}

static void
test_trailers(void **state)
{
    const char *text = "X-Checksum: abc \r\nServer-Timing: db;dur=5\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    size_t whole = strlen("X-Checksum: abc \r\nServer-Timing: db;dur=5\r\n\r\n"), used;
    struct h1_error err;
    struct fields f;

    assert_int_equal(trailers(*state, "\r\n", 2, &test_limits, &f, &used, &err), H1_DONE);
    assert_int_equal(used, 2);
    assert_int_equal(f.n, 0);
    assert_int_equal(trailers(*state, text, strlen(text), &test_limits, &f, &used, &err), H1_DONE);
    assert_int_equal(used, whole);
    assert_int_equal(f.n, 2);
    slice_is(f.v[0].name, "X-Checksum", "name");
    slice_is(f.v[0].value, "abc", "value");
    for (size_t n = 0; n < whole; n++)
        assert_int_equal(trailers(*state, text, n, &test_limits, &f, &used, &err), H1_MORE);
}

static void
test_refused_trailers(void **state)
{
    static const char *const bad[] = { "Content-Length: 5",
                                       "Transfer-Encoding: chunked",
                                       "Content_Length: 5",
                                       "Host: a",
                                       "Trailer: x",
                                       "Connection: close",
                                       "Upgrade: h2c",
                                       "TE: x",
                                       "Authorization: Bearer x",
                                       "Cookie: a=b",
                                       "Set-Cookie: a=b",
                                       "Proxy-Authorization: x",
                                       "WWW-Authenticate: x",
                                       "X-Forwarded-For: 1.2.3.4",
                                       "Forwarded: for=x",
                                       "Content-Type: x",
                                       "Content-Encoding: gzip",
                                       "Content-Range: x",
                                       "Expect: x",
                                       "X-Request-Id: x",
                                       "Client-Cert: x",
                                       "A : b",
                                       " A: b",
                                       ": b",
                                       "A\x01: b",
                                       "A: b\x01",
                                       "A" };
    struct h1_error err;
    struct fields f;
    char text[64];
    size_t used;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        int n = snprintf(text, sizeof(text), "%s\r\n\r\n", bad[i]);

        if (trailers(*state, text, (size_t)n, &test_limits, &f, &used, &err) != H1_ERROR)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.reason, REASON_BAD_REQUEST);
    }
    assert_int_equal(trailers(*state, "A: b\n\r\n", 7, &test_limits, &f, &used, &err), H1_ERROR);
    assert_int_equal(trailers(*state, "\n", 1, &test_limits, &f, &used, &err), H1_ERROR);
    assert_int_equal(trailers(*state, "A: b\r\n b\r\n\r\n", 12, &test_limits, &f, &used, &err), H1_ERROR);
}

static void
test_trailer_limits(void **state)
{
    struct h1_limits limits = { .request_line = 10, .field = 10, .head = 40, .fields = 2 };
    struct h1_error err;
    struct fields f;
    size_t used;

    assert_int_equal(trailers(*state, "A: 3456789\r\nB: 1\r\n\r\n", 20, &limits, &f, &used, &err), H1_DONE);
    assert_int_equal(trailers(*state, "A: 34567890\r\n\r\n", 15, &limits, &f, &used, &err), H1_ERROR);
    assert_int_equal(err.reason, REASON_HEADERS_TOO_LARGE);
    assert_int_equal(trailers(*state, "A: 3456789012", 13, &limits, &f, &used, &err), H1_ERROR);
    assert_int_equal(trailers(*state, "A: 1\r\nB: 1\r\nC: 1\r\n\r\n", 20, &limits, &f, &used, &err), H1_ERROR);
    assert_int_equal(err.reason, REASON_HEADERS_TOO_LARGE);
    limits.fields = 100;
    assert_int_equal(
        trailers(*state, "A: 3456\r\nA: 3456\r\nA: 3456\r\nA: 3456\r\nA: 3456\r\n", 45, &limits, &f, &used, &err),
        H1_ERROR);
    assert_int_equal(err.reason, REASON_HEADERS_TOO_LARGE);
    /* What is wrong behind the limit is not looked at, so that the pieces it came in make no difference. */
    assert_int_equal(
        trailers(*state, "A: 3456\r\nA: 3456\r\nA: 3456\r\nA: 3456\r\nA: 1\n", 41, &limits, &f, &used, &err), H1_ERROR);
    assert_int_equal(err.reason, REASON_HEADERS_TOO_LARGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_in_any_pieces),
        cmocka_unit_test(test_incomplete_bodies),
        cmocka_unit_test(test_bad_framing),
        cmocka_unit_test(test_the_largest_size),
        cmocka_unit_test(test_extensions_are_capped_per_chunk),
        cmocka_unit_test(test_extensions_are_capped_per_body),
        arena_test(test_trailers),
        arena_test(test_refused_trailers),
        arena_test(test_trailer_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
