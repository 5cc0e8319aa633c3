#include "http_test.h"

static void
test_every_core_reason_has_a_complete_row(void **state)
{
    static const char *const codes[REASON_COUNT] = {
#define X(id, code) [REASON_##id] = #code,
        REASON_LIST(X)
#undef X
    };

    for (unsigned i = 0; i < REASON_COUNT; i++) {
        const struct reason *r = reason_get((enum reason_id)i);

        assert_non_null(r->code);
        assert_string_equal(r->code, codes[i]);
        assert_ptr_equal(reason_find(codes[i]), r);
        assert_true(r->status == 0 || (r->status >= 400 && r->status <= 599));
        assert_true(r->title && r->title[0]);
        assert_true(r->proxy_error && r->proxy_error[0]);
        assert_true(r->status != 0 || r->close);
    }
    assert_null(reason_get(REASON_COUNT));
    assert_null(reason_find("no_such_reason"));
}

/* The statuses that clients are promised. */
static void
test_statuses(void **state)
{
    static const struct {
        const char *code;
        int status;
        const char *proxy_error;
    } rows[] = {
        { "no_route", 404, "destination_not_found" },
        { "method_not_allowed", 405, "http_request_error" },
        { "bad_request", 400, "http_request_error" },
        { "uri_too_long", 414, "http_request_error" },
        { "headers_too_large", 431, "http_request_error" },
        { "body_too_large", 413, "http_request_error" },
        { "request_timeout", 408, "http_request_error" },
        { "no_healthy_endpoint", 503, "destination_unavailable" },
        { "overflow_connections", 503, "connection_limit_reached" },
        { "overflow_pending", 503, "connection_limit_reached" },
        { "overflow_requests", 503, "connection_limit_reached" },
        { "draining", 503, "proxy_internal_response" },
        { "store_unavailable", 503, "proxy_internal_error" },
        { "connect_failed", 502, "connection_refused" },
        { "upstream_reset", 502, "connection_terminated" },
        { "upstream_bad_response", 502, "http_protocol_error" },
        { "upstream_tls_error", 502, "tls_protocol_error" },
        { "connect_timeout", 504, "connection_timeout" },
        { "upstream_timeout", 504, "http_response_timeout" },
        { "body_aborted", 0, "http_response_incomplete" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct reason *r = reason_find(rows[i].code);

        assert_non_null(r);
        assert_int_equal(r->status, rows[i].status);
        assert_string_equal(r->proxy_error, rows[i].proxy_error);
    }
}

static void
test_lost_framing_closes(void **state)
{
    assert_true(reason_get(REASON_BAD_REQUEST)->close && reason_get(REASON_URI_TOO_LONG)->close);
    assert_true(reason_get(REASON_HEADERS_TOO_LARGE)->close && reason_get(REASON_BODY_TOO_LARGE)->close);
    assert_false(reason_get(REASON_NO_ROUTE)->close || reason_get(REASON_METHOD_NOT_ALLOWED)->close);
    assert_true(reason_get(REASON_CONNECT_FAILED)->upstream);
    assert_false(reason_get(REASON_OVERFLOW_PENDING)->upstream);
}

static void
test_modules_add_reasons(void **state)
{
    static const struct reason row = { "test_limited", 429, "Too many", "http_request_denied", false, false };
    static const struct reason again = { "test_limited", 429, "Too many", "http_request_denied", false, false };
    static const struct reason other = { "test_limited", 503, "Too many", "http_request_denied", false, false };
    static const struct reason core = { "no_route", 200, "No route", "destination_not_found", false, false };

    assert_null(reason_find("test_limited"));
    assert_int_equal(reason_add(&row), 0);
    assert_ptr_equal(reason_find("test_limited"), &row);
    assert_int_equal(reason_add(&again), 0);
    assert_ptr_equal(reason_find("test_limited"), &row);
    assert_int_equal(reason_add(&other), -1);
    assert_int_equal(reason_add(&core), -1);
    assert_int_equal(reason_find("no_route")->status, 404);
}

static void
test_the_table_has_an_end(void **state)
{
    static struct reason rows[300];
    static char codes[300][16];
    unsigned added = 0;

    for (unsigned i = 0; i < 300; i++) {
        snprintf(codes[i], sizeof(codes[i]), "full_%u", i);
        rows[i] = (struct reason){ codes[i], 403, "Full", "http_request_denied", false, false };
        added += reason_add(&rows[i]) == 0;
    }
    assert_in_range(added, 200, 256);
    assert_ptr_equal(reason_find("full_0"), &rows[0]);
    assert_null(reason_find("full_299"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_core_reason_has_a_complete_row),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_lost_framing_closes),
        cmocka_unit_test(test_modules_add_reasons),
        cmocka_unit_test(test_the_table_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
