#include "../../../src/store/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define MS NSEC_PER_MSEC
#define T0 (1000 * NSEC_PER_SEC)

static void
test_three_within_a_second(void **state)
{
    struct breaker b = { 0 };

    assert_false(breaker_fail(&b, T0));
    assert_false(breaker_fail(&b, T0 + 600 * MS));
    assert_false(breaker_fail(&b, T0 + 1100 * MS)); /* the first is too old */
    assert_false(b.open);
    assert_true(breaker_fail(&b, T0 + 1500 * MS));
    assert_true(b.open);
    assert_int_equal(b.wait, 500 * MS);
    assert_false(breaker_fail(&b, T0 + 1501 * MS)); /* of a call from before: nothing changes */
    assert_int_equal(b.wait, 500 * MS);
}

static void
test_doubling(void **state)
{
    struct breaker b = { 0 };
    nsec_t wait = 500 * MS;

    for (unsigned i = 0; i < 3; i++)
        breaker_fail(&b, T0);
    for (unsigned i = 0; i < 10; i++) {
        breaker_reopen(&b);
        wait = 2 * wait > 30 * NSEC_PER_SEC ? 30 * NSEC_PER_SEC : 2 * wait;
        assert_int_equal(b.wait, wait);
    }
    assert_int_equal(b.wait, 30 * NSEC_PER_SEC);
}

/* A probe that succeeds while calls still fail must not start over at 500 ms. */
static void
test_only_a_good_answer_resets(void **state)
{
    struct breaker b = { 0 };

    for (unsigned i = 0; i < 3; i++)
        breaker_fail(&b, T0);
    breaker_good(&b); /* an answer from before it opened */
    breaker_close(&b);
    assert_false(b.open);
    assert_false(breaker_fail(&b, T0 + 1));
    assert_false(breaker_fail(&b, T0 + 2));
    assert_true(breaker_fail(&b, T0 + 3));
    assert_int_equal(b.wait, 1000 * MS);
    breaker_close(&b);
    breaker_good(&b);
    for (unsigned i = 0; i < 3; i++)
        breaker_fail(&b, T0 + 10);
    assert_int_equal(b.wait, 500 * MS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_within_a_second),
        cmocka_unit_test(test_doubling),
        cmocka_unit_test(test_only_a_good_answer_resets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
