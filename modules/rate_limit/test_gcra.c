#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gcra.h"

#define S INT64_C(1000000000)

static const struct gcra ten = { .emission_ns = S / 10, .capacity_ns = S / 2 }; /* 10/s, burst 5 */

static void
test_burst_then_rate(void **state)
{
    struct gcra_answer a;
    int64_t tat = 0, now = 100 * S;
    for (int i = 0; i < 5; i++) {
        tat = gcra_take(&ten, tat, now, &a);
        assert_true(a.allowed);
        assert_int_equal(a.left, 4 - i);
        assert_int_equal(a.full_after_ns, (i + 1) * S / 10);
        assert_int_equal(a.retry_after_ns, 0);
    }
    for (int i = 0; i < 1000; i++) {
        int64_t after = gcra_take(&ten, tat, now + S / 20, &a);
        assert_false(a.allowed);
        assert_int_equal(after, tat); /* a refused request costs nothing */
        assert_int_equal(a.left, 0);
        assert_int_equal(a.retry_after_ns, S / 20);
        assert_int_equal(a.full_after_ns, S / 2 - S / 20);
    }
    tat = gcra_take(&ten, tat, now + S / 10, &a);
    assert_true(a.allowed);
    gcra_take(&ten, tat, now + S / 10, &a);
    assert_false(a.allowed);
}

/* Whatever the pattern, no interval lets through more than burst + rate * time. */
static void
test_never_more_than_rate_and_burst(void **state)
{
    struct gcra_answer a;
    uint64_t seed = 42;
    int64_t tat = 0, start = 100 * S, now = start, passed = 0;
    for (int i = 0; i < 100000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        now += (int64_t)(seed >> 33) % (S / 50);
        tat = gcra_take(&ten, tat, now, &a);
        passed += a.allowed;
        assert_true(passed <= 5 + (now - start) / ten.emission_ns);
    }
    assert_true(passed >= (now - start) / ten.emission_ns - 5);
}

static void
test_a_faster_rate_does_not_punish_the_past(void **state)
{
    struct gcra_answer a;
    const struct gcra slow = { .emission_ns = 3600 * S, .capacity_ns = 36000 * S };
    int64_t now = 100 * S, tat = 0;
    for (int i = 0; i < 10; i++)
        tat = gcra_take(&slow, tat, now, &a);
    gcra_take(&ten, tat, now, &a);
    assert_false(a.allowed);
    assert_int_equal(a.retry_after_ns, S / 10);
    assert_int_equal(a.full_after_ns, S / 2);
}

static void
test_idle_bucket_is_full_again(void **state)
{
    struct gcra_answer a;
    int64_t tat = gcra_take(&ten, 0, 100 * S, &a);
    gcra_take(&ten, tat, 1000 * S, &a);
    assert_int_equal(a.left, 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_then_rate),
        cmocka_unit_test(test_never_more_than_rate_and_burst),
        cmocka_unit_test(test_a_faster_rate_does_not_punish_the_past),
        cmocka_unit_test(test_idle_bucket_is_full_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
