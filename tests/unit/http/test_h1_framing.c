/* How long a body is, on both sides: the rules whose gaps are request smuggling. */
#include "http_test.h"

#define BAD (-1)

struct row {
    const char *version, *fields;
    int kind; /* enum body_kind, or BAD */
    uint64_t length;
};

static const struct row rows[] = {
    { "1.1", "X: y", BODY_NONE, 0 },
    { "1.1", "Content-Length: 0", BODY_LENGTH, 0 },
    { "1.1", "content-LENGTH: \t 42 ", BODY_LENGTH, 42 },
    { "1.1", "Content-Length: 007", BODY_LENGTH, 7 },
    { "1.1", "Content-Length: 9223372036854775807", BODY_LENGTH, INT64_MAX },
    { "1.0", "Content-Length: 5", BODY_LENGTH, 5 },
    { "1.1", "Transfer-Encoding: chunked", BODY_CHUNKED, 0 },
    { "1.1", "transfer-ENCODING: CHUNKed ", BODY_CHUNKED, 0 },
    { "1.1", "Content-Length:", BAD, 0 },
    { "1.1", "Content-Length: 9223372036854775808", BAD, 0 },
    { "1.1", "Content-Length: 18446744073709551617", BAD, 0 },
    { "1.1", "Content-Length: 100000000000000000000000000000001", BAD, 0 },
    { "1.1", "Content-Length: +5", BAD, 0 },
    { "1.1", "Content-Length: -5", BAD, 0 },
    { "1.1", "Content-Length: 5 5", BAD, 0 },
    { "1.1", "Content-Length: 5,5", BAD, 0 },
    { "1.1", "Content-Length: 5, 5", BAD, 0 },
    { "1.1", "Content-Length: 5,", BAD, 0 },
    { "1.1", "Content-Length: 0x5", BAD, 0 },
    { "1.1", "Content-Length: 5.0", BAD, 0 },
    { "1.1", "Content-Length: 5e1", BAD, 0 },
    { "1.1", "Content-Length: \"5\"", BAD, 0 },
    { "1.1", "Content-Length: 5;", BAD, 0 },
    { "1.1", "Content-Length: a", BAD, 0 },
    { "1.1", "Content-Length: \xd9\xa5", BAD, 0 },
    { "1.1", "Content-Length: 5\r\nContent-Length: 5", BAD, 0 },
    { "1.1", "Content-Length: 5\r\nX: y\r\ncontent-length: 6", BAD, 0 },
    { "1.0", "Content-Length: 5\r\nContent-Length: 5", BAD, 0 },
    { "1.1", "Content_Length: 5", BAD, 0 },
    { "1.1", "Transfer_Encoding: chunked", BAD, 0 },
    { "1.1", "Content-Length: 5\r\nTransfer_Encoding: chunked", BAD, 0 },
    { "1.1", "Content-Length: 5\r\nTransfer-Encoding: chunked", BAD, 0 },
    { "1.1", "Transfer-Encoding: chunked\r\nContent-Length: 0", BAD, 0 },
    { "1.1", "Transfer-Encoding: chunked\r\nContent-Length: x", BAD, 0 },
    { "1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", BAD, 0 },
    { "1.1", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", BAD, 0 },
    { "1.1", "Transfer-Encoding: chunked, chunked", BAD, 0 },
    { "1.1", "Transfer-Encoding: gzip, chunked", BAD, 0 },
    { "1.1", "Transfer-Encoding: chunked, gzip", BAD, 0 },
    { "1.1", "Transfer-Encoding: identity", BAD, 0 },
    { "1.1", "Transfer-Encoding: gzip", BAD, 0 },
    { "1.1", "Transfer-Encoding:", BAD, 0 },
    { "1.1", "Transfer-Encoding: ,chunked", BAD, 0 },
    { "1.1", "Transfer-Encoding: chunked,", BAD, 0 },
    { "1.1", "Transfer-Encoding: chunked;q=1", BAD, 0 },
    { "1.1", "Transfer-Encoding: \"chunked\"", BAD, 0 },
    { "1.1", "Transfer-Encoding: xchunked", BAD, 0 },
    { "1.1", "Transfer-Encoding: chunkedx", BAD, 0 },
    { "1.1", "Transfer-Encoding: chunked chunked", BAD, 0 },
    { "1.1",
      "Transfer-Encoding: \x0b"
      "chunked",
      BAD, 0 },
    { "1.1", "Transfer-Encoding : chunked", BAD, 0 },
    { "1.1", "Transfer-Encoding:\r\n chunked", BAD, 0 },
    { "1.1", "X: y\rTransfer-Encoding: chunked", BAD, 0 },
    { "1.0", "Transfer-Encoding: chunked", BAD, 0 },
    { "1.0", "Transfer-Encoding: identity", BAD, 0 },
};

static void
test_requests(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[256];
        struct h1_error err = { .reason = REASON_COUNT };
        struct http_request r = { .port = 0 };
        size_t n = (size_t)snprintf(text, sizeof(text), "POST / HTTP/%s\r\nHost: a\r\n%s\r\n\r\n", rows[i].version,
                                    rows[i].fields);
        enum h1_result result = h1_parse_request(&r, text, n, &test_limits, NULL, *state, &err);

        if (result != (rows[i].kind == BAD ? H1_ERROR : H1_DONE))
            fail_msg("%s: %s", rows[i].fields, result == H1_DONE ? "accepted" : err.text);
        if (result == H1_DONE) {
            assert_int_equal(r.body.kind, rows[i].kind);
            assert_int_equal(r.body.length, rows[i].length);
        } else {
            assert_int_equal(err.reason, REASON_BAD_REQUEST);
        }
    }
}

static void
test_responses(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[256];
        struct h1_error err = { .reason = REASON_COUNT };
        struct http_response r;
        size_t n =
            (size_t)snprintf(text, sizeof(text), "HTTP/%s 200 OK\r\n%s\r\n\r\n", rows[i].version, rows[i].fields);
        enum h1_result result = h1_parse_response(&r, text, n, &test_limits, METHOD_GET, *state, &err);

        if (result != (rows[i].kind == BAD ? H1_ERROR : H1_DONE))
            fail_msg("%s: %s", rows[i].fields, result == H1_DONE ? "accepted" : err.text);
        if (result == H1_DONE) {
            assert_int_equal(r.body.kind, rows[i].kind == BODY_NONE ? BODY_UNTIL_CLOSE : rows[i].kind);
            assert_int_equal(r.body.length, rows[i].length);
        } else {
            assert_int_equal(err.reason, REASON_UPSTREAM_BAD_RESPONSE);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = { arena_test(test_requests), arena_test(test_responses) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
