#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "split.h"

#include <math.h>
#include <string.h>

static uint64_t seed = 1;

static uint64_t
next(void)
{
    seed += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = (seed ^ seed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Pearson's chi-square of counts against weights. */
static double
chi_square(const unsigned *counts, const double *weights, unsigned n, unsigned total)
{
    double sum = 0;
    for (unsigned i = 0; i < n; i++) {
        double expected = total * weights[i] / 100;
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    return sum;
}

static void
test_random_split_has_the_weights(void **state)
{
    static const double weights[] = { 90, 7, 2.5, 0.5 };
    unsigned counts[4] = { 0 };
    for (int i = 0; i < 100000; i++)
        counts[split_random(weights, 4, next())]++;
    assert_true(chi_square(counts, weights, 4, 100000) < 16.27); /* 3 degrees of freedom, 0.1 % */
}

static void
test_keyed_split_has_the_weights(void **state)
{
    static const double weights[] = { 90, 7, 2.5, 0.5 };
    static const uint64_t seeds[] = { 11, 22, 33, 44 };
    unsigned counts[4] = { 0 };
    for (int i = 0; i < 100000; i++)
        counts[split_keyed(weights, seeds, 4, next())]++;
    assert_true(chi_square(counts, weights, 4, 100000) < 16.27);
}

static void
test_keyed_split_moves_only_what_it_must(void **state)
{
    static const uint64_t seeds[] = { 11, 22, 33 };
    static const double before[] = { 60, 30, 10 }, after[] = { 60, 30, 20 }, without[] = { 60, 0, 10 };
    unsigned moved = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t key = next();
        int a = split_keyed(before, seeds, 3, key), b = split_keyed(after, seeds, 3, key);
        assert_int_equal(a, split_keyed(before, seeds, 3, key));
        moved += a != b;
        assert_true(a == b || b == 2);            /* more weight for one: others only lose keys to it */
        int c = split_keyed(without, seeds, 3, key);
        assert_true(a == 1 ? c != 1 : c == a);    /* one is out: only its own keys move */
    }
    assert_in_range(moved, 1400, 1900);           /* 10 of 100 become 20 of 110 */
}

static void
test_weight_zero_gets_nothing(void **state)
{
    static const double weights[] = { 0, 100, 0 }, none[] = { 0, 0, 0 };
    static const uint64_t seeds[] = { 1, 2, 3 };
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(split_random(weights, 3, next()), 1);
        assert_int_equal(split_keyed(weights, seeds, 3, next()), 1);
    }
    assert_int_equal(split_random(weights, 3, 0), 1);
    assert_int_equal(split_random(weights, 3, UINT64_MAX), 1);
    assert_int_equal(split_keyed(weights, seeds, 3, 0), 1);
    assert_int_equal(split_random(none, 3, next()), -1);
    assert_int_equal(split_keyed(none, seeds, 3, next()), -1);
}

static const char *
rebalance(const double *old, const char *named, const double *wanted, unsigned n, double *out)
{
    bool mask[SPLIT_MAX] = { false };
    for (unsigned i = 0; i < n; i++)
        mask[i] = named[i] == 'x';
    return split_rebalance(old, mask, wanted, n, out);
}

static void
test_rebalance(void **state)
{
    static const double two[] = { 95, 5 }, three[] = { 60, 30, 10 }, zero[] = { 100, 0, 0 };
    double out[SPLIT_MAX];
    assert_null(rebalance(two, ".x", (double[]){ 0, 10 }, 2, out));
    assert_true(out[0] == 90 && out[1] == 10);
    assert_null(rebalance(three, "..x", (double[]){ 0, 0, 55 }, 3, out)); /* 45 left as 60 : 30 */
    assert_true(fabs(out[0] - 30) < 1e-9 && fabs(out[1] - 15) < 1e-9 && out[2] == 55);
    assert_null(rebalance(two, "xx", (double[]){ 40, 60 }, 2, out));
    assert_null(rebalance(two, "x.", (double[]){ 100, 0 }, 2, out));
    assert_true(out[0] == 100 && out[1] == 0);
    assert_null(rebalance(zero, ".x.", (double[]){ 0, 100, 0 }, 3, out));
    assert_true(out[0] == 0 && out[1] == 100 && out[2] == 0);

    assert_non_null(rebalance(two, "xx", (double[]){ 60, 50 }, 2, out));
    assert_non_null(rebalance(two, ".x", (double[]){ 0, 101 }, 2, out));
    assert_non_null(rebalance(two, ".x", (double[]){ 0, -1 }, 2, out));
    assert_non_null(rebalance(two, ".x", (double[]){ 0, NAN }, 2, out));
    assert_non_null(rebalance(two, "xx", (double[]){ 40, 50 }, 2, out));
    assert_non_null(rebalance(zero, "x..", (double[]){ 50, 0, 0 }, 3, out)); /* a rest that was all 0 */
    assert_null(rebalance(zero, "x..", (double[]){ 100, 0, 0 }, 3, out));    /* nothing is left for it */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_split_has_the_weights),
        cmocka_unit_test(test_keyed_split_has_the_weights),
        cmocka_unit_test(test_keyed_split_moves_only_what_it_must),
        cmocka_unit_test(test_weight_zero_gets_nothing),
        cmocka_unit_test(test_rebalance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
