#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/decision.h"

static void
rows_keep_their_order_while_growing(void **state)
{
    struct decision_log log;
    struct arena a;
    unsigned i;

    arena_init(&a);
    decision_init(&log, &a);
    assert_int_equal(log.n, 0);
    for (i = 0; i < 20; i++)
        decision_add(&log, "step", SLICE("s"), VERDICT_PASS)->at = (const char *)0 + i;
    assert_int_equal(log.n, 20);
    for (i = 0; i < 20; i++)
        assert_ptr_equal(log.rows[i].at, (const char *)0 + i);
    arena_fini(&a);
}

static void
a_row_starts_empty_but_for_what_is_said(void **state)
{
    struct decision_log log;
    struct decision *d;
    struct arena a;

    arena_init(&a);
    decision_init(&log, &a);
    d = decision_add(&log, "route", SLICE("orders"), VERDICT_REFUSE);
    assert_string_equal(d->step, "route");
    assert_true(slice_eq(d->subject, SLICE("orders")));
    assert_int_equal(d->verdict, VERDICT_REFUSE);
    assert_null(d->reason);
    assert_null(d->mode);
    assert_null(d->at);
    assert_int_equal(d->detail.n, 0);
    arena_fini(&a);
}

static void
past_the_cap_the_last_row_says_so(void **state)
{
    struct decision_log log;
    struct arena a;
    unsigned i;

    arena_init(&a);
    decision_init(&log, &a);
    for (i = 0; i < DECISION_MAX; i++)
        decision_add(&log, "s", SLICE_NONE, VERDICT_PASS);
    assert_int_equal(log.rows[DECISION_MAX - 1].detail.n, 0);
    for (i = 0; i < 10; i++)
        decision_add(&log, "late", SLICE_NONE, VERDICT_ERROR)->reason = "x";
    assert_int_equal(log.n, DECISION_MAX);
    assert_string_equal(log.rows[DECISION_MAX - 1].step, "s");
    assert_true(log.rows[DECISION_MAX - 1].detail.n > 0);
    arena_fini(&a);
}

static void
verdicts_have_the_names_that_metrics_and_logs_show(void **state)
{
    assert_string_equal(verdict_name(VERDICT_PASS), "pass");
    assert_string_equal(verdict_name(VERDICT_REFUSE), "refuse");
    assert_string_equal(verdict_name(VERDICT_ERROR), "error");
    assert_string_equal(verdict_name(VERDICT_SKIP), "skip");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_keep_their_order_while_growing),
        cmocka_unit_test(a_row_starts_empty_but_for_what_is_said),
        cmocka_unit_test(past_the_cap_the_last_row_says_so),
        cmocka_unit_test(verdicts_have_the_names_that_metrics_and_logs_show),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
