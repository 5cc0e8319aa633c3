#include "http_test.h"

#include "../../../src/base/clock.h"
#include "../../../src/http/limit.h"

static void
test_names(void **state)
{
    assert_string_equal(limit_name(LIMIT_NONE), "");
    assert_string_equal(limit_block(LIMIT_NONE), "");
    for (int i = LIMIT_NONE + 1; i < LIMITS; i++) {
        const char *block = limit_block((enum limit_id)i);

        assert_true(strcmp(block, "limits") == 0 || strcmp(block, "timeouts") == 0);
        assert_true(limit_name((enum limit_id)i)[0] != '\0');
    }
    assert_string_equal(limit_name(LIMITS), "");
    assert_string_equal(limit_block(LIMITS), "");
}

static void
test_detail(void **state)
{
    static const struct {
        enum limit_id limit;
        int64_t value;
        const char *want;
    } rows[] = {
        { LIMIT_REQUEST_LINE, 8192, "x: `limits request_line` is 8192 bytes" },
        { LIMIT_FIELDS, 100, "x: `limits fields` is 100" },
        { LIMIT_BODY_RATE, 500, "x: `limits body_rate` is 500 bytes per second" },
        { LIMIT_HEAD_TIME, 10 * NSEC_PER_SEC, "x: `timeouts head` is 10s" },
        { LIMIT_WRITE_TIME, 1500 * NSEC_PER_MSEC, "x: `timeouts write` is 1500ms" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        slice_is(limit_detail(*state, rows[i].limit, rows[i].value, "x"), rows[i].want, rows[i].want);
    slice_is(limit_words(*state, "max_body", LIMIT_BYTES, 0, "y"), "y: `max_body` is 0 bytes", "words");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(test_names),
        arena_test(test_detail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
