#include "http_test.h"

#include "../../../src/http/grpc.h"

#define MS NSEC_PER_MSEC
#define S NSEC_PER_SEC

static void
test_content_types(void **state)
{
    static const struct {
        const char *value;
        bool is;
    } rows[] = {
        { "application/grpc", true },
        { "Application/gRPC", true },
        { "application/grpc+proto", true },
        { "application/grpc+json", true },
        { "application/grpc;charset=utf-8", true },
        { "application/grpc ; x=y", true },
        { "application/grpc-web", false },
        { "application/grpc-web+proto", false },
        { "application/grpc-web-text", false },
        { "application/grpcx", false },
        { "application/grp", false },
        { "application/json", false },
        { "", false },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t n = strlen(rows[i].value);
        char *copy = exact_copy(rows[i].value, n);

        if (grpc_content_type(slice_of(copy, n)) != rows[i].is)
            fail_msg("%s", rows[i].value);
        free(copy);
    }
    assert_false(grpc_content_type(SLICE_NONE));
}

static void
test_timeouts_are_read(void **state)
{
    static const struct {
        const char *value;
        nsec_t length; /* -1: refused */
    } rows[] = {
        { "1n", 1 },
        { "7u", 7000 },
        { "100m", 100 * MS },
        { "1S", S },
        { "2M", 120 * S },
        { "3H", 3 * 3600 * S },
        { "0n", 0 },
        { "000000001S", -1 }, /* nine digits */
        { "00000001S", S },
        { "99999999n", 99999999 },
        { "99999999S", 99999999 * S },
        { "99999999H", 100LL * 365 * 24 * 3600 * S }, /* no more than a century */
        { "876001H", 100LL * 365 * 24 * 3600 * S },
        { "875999H", 875999LL * 3600 * S },
        { "100000000n", -1 },
        { "", -1 },
        { "1", -1 },
        { "S", -1 },
        { "1s", -1 },
        { "1h", -1 },
        { "-1S", -1 },
        { "+1S", -1 },
        { "1.5S", -1 },
        { " 1S", -1 },
        { "1 S", -1 },
        { "1SS", -1 },
        { "1S,2S", -1 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t n = strlen(rows[i].value);
        char *copy = exact_copy(rows[i].value, n);
        nsec_t got = -1;

        if (grpc_timeout_parse(slice_of(copy, n), &got) != (rows[i].length < 0 ? -1 : 0) || got != rows[i].length)
            fail_msg("%s: %lld", rows[i].value, (long long)got);
        free(copy);
    }
}

static void
test_timeouts_are_written(void **state)
{
    static const struct {
        nsec_t left;
        const char *value;
    } rows[] = {
        { -5, "1n" },
        { 0, "1n" },
        { 1, "1n" },
        { 99999999, "99999999n" },
        { 100000000, "100000u" },
        { 100000999, "100000u" }, /* never more than what is left */
        { S, "1000000u" },
        { 99999999999, "99999999u" },
        { 100 * S, "100000m" },
        { 100LL * 365 * 24 * 3600 * S, "52560000M" },
        { INT64_MAX, "2562047H" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *out = malloc(GRPC_TIMEOUT_MAX);
        nsec_t again;
        size_t n = grpc_timeout_write(out, rows[i].left);

        slice_is(slice_of(out, n), rows[i].value, "written");
        assert_int_equal(grpc_timeout_parse(slice_of(out, n), &again), 0);
        assert_true(again <= rows[i].left || rows[i].left < 1);
        free(out);
    }
}

static void
test_statuses(void **state)
{
    enum grpc_status s;

    assert_int_equal(GRPC_STATUS_COUNT, 17);
    assert_int_equal(GRPC_UNAUTHENTICATED, 16);
    assert_string_equal(grpc_status_name(GRPC_DEADLINE_EXCEEDED), "DEADLINE_EXCEEDED");
    assert_string_equal(grpc_status_word(GRPC_DEADLINE_EXCEEDED), "deadline_exceeded");
    assert_string_equal(grpc_status_name(GRPC_STATUS_COUNT), "UNKNOWN");
    for (unsigned i = 0; i < GRPC_STATUS_COUNT; i++) {
        char code[8];

        assert_true(grpc_status_find(slice_str(grpc_status_word((enum grpc_status)i)), &s));
        assert_int_equal(s, i);
        snprintf(code, sizeof(code), "%u", i);
        assert_int_equal(grpc_status_parse(slice_str(code)), i);
    }
    assert_false(grpc_status_find(SLICE("UNAVAILABLE"), &s));
    assert_false(grpc_status_find(SLICE("unavail"), &s));
    assert_int_equal(grpc_status_parse(SLICE("17")), GRPC_UNKNOWN);
    assert_int_equal(grpc_status_parse(SLICE("-1")), GRPC_UNKNOWN);
    assert_int_equal(grpc_status_parse(SLICE("0x")), GRPC_UNKNOWN);
    assert_int_equal(grpc_status_parse(SLICE("")), GRPC_UNKNOWN);
}

static void
test_what_clients_make_of_http(void **state)
{
    static const struct {
        int http;
        enum grpc_status grpc;
    } rows[] = {
        { 400, GRPC_INTERNAL },      { 401, GRPC_UNAUTHENTICATED }, { 403, GRPC_PERMISSION_DENIED },
        { 404, GRPC_UNIMPLEMENTED }, { 429, GRPC_UNAVAILABLE },     { 502, GRPC_UNAVAILABLE },
        { 503, GRPC_UNAVAILABLE },   { 504, GRPC_UNAVAILABLE },     { 500, GRPC_UNKNOWN },
        { 302, GRPC_UNKNOWN },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(grpc_of_http(rows[i].http), rows[i].grpc);
}

static void
test_what_weir_says_for_its_reasons(void **state)
{
    static const struct {
        const char *code;
        enum grpc_status grpc;
    } rows[] = {
        { "no_route", GRPC_UNIMPLEMENTED },
        { "method_not_allowed", GRPC_UNIMPLEMENTED },
        { "bad_request", GRPC_INTERNAL },
        { "uri_too_long", GRPC_RESOURCE_EXHAUSTED },
        { "headers_too_large", GRPC_RESOURCE_EXHAUSTED },
        { "body_too_large", GRPC_RESOURCE_EXHAUSTED },
        { "request_timeout", GRPC_DEADLINE_EXCEEDED },
        { "no_healthy_endpoint", GRPC_UNAVAILABLE },
        { "overflow_connections", GRPC_RESOURCE_EXHAUSTED },
        { "overflow_pending", GRPC_RESOURCE_EXHAUSTED },
        { "overflow_requests", GRPC_RESOURCE_EXHAUSTED },
        { "draining", GRPC_UNAVAILABLE },
        { "connect_failed", GRPC_UNAVAILABLE },
        { "connect_timeout", GRPC_UNAVAILABLE },
        { "upstream_reset", GRPC_UNAVAILABLE },
        { "upstream_tls_error", GRPC_UNAVAILABLE },
        { "upstream_bad_response", GRPC_INTERNAL },
        { "upstream_timeout", GRPC_DEADLINE_EXCEEDED },
        { "client_closed", GRPC_CANCELLED },
        { "loop_detected", GRPC_INTERNAL },
        { "expectation_failed", GRPC_INTERNAL },
        { "store_unavailable", GRPC_UNAVAILABLE },
        { "policy_error", GRPC_INTERNAL },
    };
    static const struct {
        int http;
        enum grpc_status grpc;
    } of_modules[] = {
        { 401, GRPC_UNAUTHENTICATED },    { 403, GRPC_PERMISSION_DENIED }, { 413, GRPC_RESOURCE_EXHAUSTED },
        { 429, GRPC_RESOURCE_EXHAUSTED }, { 503, GRPC_UNAVAILABLE },       { 500, GRPC_INTERNAL },
        { 415, GRPC_UNIMPLEMENTED },      { 409, GRPC_UNKNOWN },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (grpc_of_reason(reason_find(rows[i].code)) != rows[i].grpc)
            fail_msg("%s: %s", rows[i].code, grpc_status_name(grpc_of_reason(reason_find(rows[i].code))));
    for (size_t i = 0; i < ARRAY_SIZE(of_modules); i++) {
        struct reason r = { "x", of_modules[i].http, "X", "x", false, false };

        assert_int_equal(grpc_of_reason(&r), of_modules[i].grpc);
    }
}

/* What breakers and outlier detection count as failures. */
static void
test_failures_of_origins_are_5xx(void **state)
{
    static const enum grpc_status failures[] = { GRPC_UNKNOWN, GRPC_DEADLINE_EXCEEDED, GRPC_INTERNAL, GRPC_UNAVAILABLE,
                                                 GRPC_DATA_LOSS };

    for (unsigned i = 0; i < GRPC_STATUS_COUNT; i++) {
        bool failure = false;

        for (size_t f = 0; f < ARRAY_SIZE(failures); f++)
            failure |= failures[f] == (enum grpc_status)i;
        assert_int_equal(grpc_to_http((enum grpc_status)i) >= 500, failure);
        assert_in_range(grpc_to_http((enum grpc_status)i), 200, 599);
    }
    assert_int_equal(grpc_to_http(GRPC_OK), 200);
    assert_int_equal(grpc_to_http(GRPC_UNAVAILABLE), 503);
    assert_int_equal(grpc_to_http(GRPC_DEADLINE_EXCEEDED), 504);
    assert_int_equal(grpc_to_http(GRPC_RESOURCE_EXHAUSTED), 429);
}

static void
test_messages(void **state)
{
    static const struct {
        const char *text, *encoded;
    } rows[] = {
        { "", "" },        { "all is well", "all is well" }, { "100%", "100%25" }, { "a\nb", "a%0Ab" },
        { "\x7f", "%7F" }, { "h\xc3\xa4h", "h%C3%A4h" },     { "~ ", "~ " },       { "%%", "%25%25" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t n = strlen(rows[i].text);
        char *copy = exact_copy(rows[i].text, n);
        struct slice got = grpc_message(*state, slice_of(copy, n));

        slice_is(got, rows[i].encoded, rows[i].text);
        assert_true(field_is_value(got));
        free(copy);
    }
}

static void
test_messages_of_a_body(void **state)
{
    static const char body[] = "\0\0\0\0\003abc" "\0\0\0\0\0" "\001\0\0\001\0";
    char large[5 + 256];
    struct slice all = slice_of(body, sizeof(body) - 1);

    memcpy(large, body + all.n - 5, 5);
    memset(large + 5, 'x', 256);
    for (size_t cut = 0; cut <= all.n; cut++) {
        struct grpc_framing good = { 0 }, bad = { 0 };

        assert_true(grpc_framing_within(&good, slice_of(body, cut), 256));
        assert_true(grpc_framing_within(&good, slice_from(all, cut), 256));
        assert_int_equal(good.seen, all.n);
        assert_true(grpc_framing_within(&good, slice_of(large + 5, 256), 256));
        assert_true(grpc_framing_within(&good, slice_of(large, sizeof(large)), 256));
        assert_int_equal(good.prefix, 0);
        /* The third is longer than this. */
        assert_false(grpc_framing_within(&bad, slice_of(body, cut), 255) &&
                     grpc_framing_within(&bad, slice_from(all, cut), 255));
    }
    assert_false(grpc_framing_within(&(struct grpc_framing){ 0 }, SLICE("\0\377\377\377\377"), UINT32_MAX - 1));
    assert_true(grpc_framing_within(&(struct grpc_framing){ 0 }, SLICE("\0\377\377\377\377"), UINT32_MAX));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_timeouts_are_read),
        cmocka_unit_test(test_timeouts_are_written),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_what_clients_make_of_http),
        cmocka_unit_test(test_what_weir_says_for_its_reasons),
        cmocka_unit_test(test_failures_of_origins_are_5xx),
        arena_test(test_messages),
        cmocka_unit_test(test_messages_of_a_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
