#include "http_test.h"

static void
test_methods(void **state)
{
    for (unsigned m = METHOD_OTHER + 1; m < METHOD_COUNT; m++)
        assert_int_equal(method_lookup(slice_str(method_name((enum http_method)m))), m);
    assert_string_equal(method_name(METHOD_OTHER), "other");
    assert_string_equal(method_name((enum http_method)99), "other");
}

static void
test_methods_are_case_sensitive_and_whole(void **state)
{
    static const char *const other[] = { "",     "get", "Get",    "GE",    "GETS",  "P",
                                         "PUTT", "POS", "PATCHY", "HEAD ", "other", "PROPFIND" };

    for (size_t i = 0; i < ARRAY_SIZE(other); i++)
        assert_int_equal(method_lookup(slice_str(other[i])), METHOD_OTHER);
}

static void
test_idempotent_and_safe(void **state)
{
    assert_true(method_idempotent(METHOD_GET) && method_idempotent(METHOD_PUT) && method_idempotent(METHOD_DELETE));
    assert_true(method_idempotent(METHOD_HEAD) && method_idempotent(METHOD_OPTIONS) && method_idempotent(METHOD_TRACE));
    assert_false(method_idempotent(METHOD_POST) || method_idempotent(METHOD_PATCH) ||
                 method_idempotent(METHOD_CONNECT));
    assert_false(method_idempotent(METHOD_OTHER));
    assert_true(method_safe(METHOD_GET) && method_safe(METHOD_HEAD) && method_safe(METHOD_OPTIONS) &&
                method_safe(METHOD_TRACE));
    assert_false(method_safe(METHOD_PUT) || method_safe(METHOD_DELETE) || method_safe(METHOD_POST) ||
                 method_safe(METHOD_OTHER));
}

static void
test_phrases(void **state)
{
    assert_string_equal(status_phrase(100), "Continue");
    assert_string_equal(status_phrase(200), "OK");
    assert_string_equal(status_phrase(431), "Request Header Fields Too Large");
    assert_string_equal(status_phrase(511), "Network Authentication Required");
    assert_string_equal(status_phrase(299), "");
    assert_string_equal(status_phrase(-1), "");
    assert_string_equal(status_phrase(0), "");
    assert_string_equal(status_phrase(512), "");
    assert_string_equal(status_phrase(999), "");
}

static void
test_statuses_without_a_body(void **state)
{
    assert_true(status_has_no_body(100) && status_has_no_body(101) && status_has_no_body(199));
    assert_true(status_has_no_body(204) && status_has_no_body(304));
    assert_false(status_has_no_body(200) || status_has_no_body(205) || status_has_no_body(303) ||
                 status_has_no_body(99));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_methods_are_case_sensitive_and_whole),
        cmocka_unit_test(test_idempotent_and_safe),
        cmocka_unit_test(test_phrases),
        cmocka_unit_test(test_statuses_without_a_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
