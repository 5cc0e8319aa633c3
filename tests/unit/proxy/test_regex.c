#include "rig.h"

#include "../../../src/proxy/regex.h"

#include <stdlib.h>
#include <string.h>

static struct arena arena;

static struct regex *
compiled(const char *pattern)
{
    char error[200];
    struct regex *r = regex_new(slice_str(pattern), &arena, error, sizeof error);
    if (!r)
        fail_msg("%s: %s", pattern, error);
    return r;
}

static int
test(const char *pattern, const char *subject)
{
    return regex_test(compiled(pattern), slice_str(subject));
}

static void
it_matches_anywhere_unless_anchored(void **state)
{
    (void)state;
    assert_int_equal(test("b", "abc"), 1);
    assert_int_equal(test("^b", "abc"), 0);
    assert_int_equal(test("^/v[0-9]+/x$", "/v12/x"), 1);
    assert_int_equal(test("^/v[0-9]+/x$", "/v/x"), 0);
    assert_int_equal(test("", ""), 1);
    assert_int_equal(regex_test(compiled("^$"), SLICE_NONE), 1);
}

static void
dollar_is_the_very_end(void **state)
{
    (void)state;
    assert_int_equal(test("^a$", "a\n"), 0);
    assert_int_equal(test("^a.b$", "a\nb"), 1);
}

static void
a_bad_pattern_says_where(void **state)
{
    char error[200];
    (void)state;
    assert_null(regex_new(SLICE("a(b"), &arena, error, sizeof error));
    has(error, "at character 4");
}

/* Whatever it is given, it answers soon; and "unknown" is no "no". */
static void
a_pattern_that_explodes_is_unknown(void **state)
{
    char subject[64];
    (void)state;
    memset(subject, 'a', sizeof subject);
    subject[sizeof subject - 1] = 'b';
    assert_int_equal(regex_test(compiled("^(a+)+$"), slice_of(subject, sizeof subject)), -1);
}

static void
long_subjects_do_not_exhaust_it(void **state)
{
    static char subject[8192];
    (void)state;
    for (size_t i = 0; i < sizeof subject; i++)
        subject[i] = "ab"[i % 3 == 0];
    assert_int_equal(regex_test(compiled("^(a|b)*$"), slice_of(subject, sizeof subject)), 1);
}

static int
teardown(void **state)
{
    (void)state;
    regex_thread_fini();
    regex_thread_fini(); /* idempotent */
    arena_fini(&arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_matches_anywhere_unless_anchored), cmocka_unit_test(dollar_is_the_very_end),
        cmocka_unit_test(a_bad_pattern_says_where),            cmocka_unit_test(a_pattern_that_explodes_is_unknown),
        cmocka_unit_test(long_subjects_do_not_exhaust_it),
    };
    arena_init(&arena);
    return cmocka_run_group_tests(tests, NULL, teardown);
}
