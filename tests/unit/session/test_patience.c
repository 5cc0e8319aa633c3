#include "../../../src/session/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SEC NSEC_PER_SEC
#define WHOLE (30 * SEC)

static void
test_silence_ends_it(void **state)
{
    struct patience p;

    patience_begin(&p, WHOLE);
    assert_int_equal(patience_end(&p), 0);
    patience_wait(&p, 100 * SEC);
    assert_int_equal(patience_end(&p), 130 * SEC);
    patience_wait(&p, 120 * SEC); /* it waits already */
    assert_int_equal(patience_end(&p), 130 * SEC);
    patience_gain(&p, 120 * SEC, 0, 500, WHOLE);
    assert_int_equal(patience_end(&p), 130 * SEC);
}

static void
test_without_a_rate_each_byte_gives_all_back(void **state)
{
    struct patience p;

    patience_begin(&p, WHOLE);
    patience_wait(&p, 100 * SEC);
    for (int i = 1; i < 100; i++) {
        patience_gain(&p, (100 + 29 * i) * SEC, 1, 0, WHOLE);
        assert_int_equal(patience_end(&p), (130 + 29 * i) * SEC);
    }
}

/* One byte each second at 500 a second: 2 ms are given back each time. */
static void
test_a_drip_is_cut(void **state)
{
    struct patience p;
    int i;

    patience_begin(&p, WHOLE);
    patience_wait(&p, 100 * SEC);
    for (i = 1; (100 + i) * SEC < patience_end(&p); i++)
        patience_gain(&p, (100 + i) * SEC, 1, 500, WHOLE);
    assert_int_equal(i, 31);
}

static void
test_the_rate_itself_is_fast_enough(void **state)
{
    struct patience p;

    patience_begin(&p, WHOLE);
    patience_wait(&p, 100 * SEC);
    for (int i = 1; i < 1000; i++) {
        assert_true(patience_end(&p) > (100 + 20 * i) * SEC);
        patience_gain(&p, (100 + 20 * i) * SEC, 20 * 500, 500, WHOLE); /* in bursts */
    }
    assert_int_equal(p.left, WHOLE);
    patience_gain(&p, 20081 * SEC, 1, 500, WHOLE); /* nothing is saved up beyond the whole */
    assert_true(p.left < WHOLE);
}

static void
test_only_waiting_counts(void **state)
{
    struct patience p;

    patience_begin(&p, WHOLE);
    patience_wait(&p, 100 * SEC);
    patience_rest(&p, 110 * SEC);
    assert_int_equal(patience_end(&p), 0);
    patience_rest(&p, 500 * SEC);
    patience_wait(&p, 1000 * SEC);
    assert_int_equal(patience_end(&p), 1020 * SEC);
    patience_rest(&p, 1010 * SEC);
    patience_gain(&p, 5000 * SEC, 2500, 500, WHOLE); /* it does not wait and will not by that */
    assert_int_equal(patience_end(&p), 0);
    patience_wait(&p, 6000 * SEC);
    assert_int_equal(patience_end(&p), 6015 * SEC);
}

static void
test_large_numbers(void **state)
{
    struct patience p;

    patience_begin(&p, WHOLE);
    patience_wait(&p, 100 * SEC);
    patience_gain(&p, 129 * SEC, UINT64_MAX, 1, WHOLE);
    assert_int_equal(patience_end(&p), 159 * SEC);
    patience_gain(&p, 188 * SEC, (uint64_t)INT64_MAX / NSEC_PER_SEC - 1, 1, WHOLE);
    assert_int_equal(patience_end(&p), 218 * SEC);
    patience_gain(&p, 500 * SEC, 500, 500, WHOLE); /* far too late: what is owed is not carried on */
    assert_int_equal(patience_end(&p), 501 * SEC);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence_ends_it),
        cmocka_unit_test(test_without_a_rate_each_byte_gives_all_back),
        cmocka_unit_test(test_a_drip_is_cut),
        cmocka_unit_test(test_the_rate_itself_is_fast_enough),
        cmocka_unit_test(test_only_waiting_counts),
        cmocka_unit_test(test_large_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
