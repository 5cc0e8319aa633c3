#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/parse.h"

static void
integers(void **state)
{
    uint64_t v = 7;

    assert_int_equal(parse_u64(SLICE("0"), 9, &v), 0);
    assert_int_equal(v, 0);
    assert_int_equal(parse_u64(SLICE("0042"), 99, &v), 0);
    assert_int_equal(v, 42);
    assert_int_equal(parse_u64(SLICE("18446744073709551615"), UINT64_MAX, &v), 0);
    assert_true(v == UINT64_MAX);
    assert_int_equal(parse_u64(SLICE("18446744073709551616"), UINT64_MAX, &v), -1);
    assert_int_equal(parse_u64(SLICE("99999999999999999999999"), UINT64_MAX, &v), -1);
    assert_int_equal(parse_u64(SLICE("255"), 255, &v), 0);
    assert_int_equal(parse_u64(SLICE("256"), 255, &v), -1);
    assert_int_equal(parse_u64(SLICE("5"), 4, &v), -1);
    assert_int_equal(parse_u64(SLICE("0"), 0, &v), 0);
    assert_int_equal(parse_u64(SLICE("1"), 0, &v), -1);
}

static void
integers_are_digits_only(void **state)
{
    static const char *const bad[] = { "", "+1", "-1", " 1", "1 ", "1a", "0x1", "1.0", "1e3", "\xd9\xa1" };
    uint64_t v;
    unsigned i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse_u64(slice_str(bad[i]), UINT64_MAX, &v), -1);
    assert_int_equal(parse_u64(SLICE("1\0"), UINT64_MAX, &v), -1);
    assert_int_equal(parse_u64(SLICE_NONE, UINT64_MAX, &v), -1);
}

static void
hex(void **state)
{
    uint64_t v;

    assert_int_equal(parse_hex(SLICE("fF0"), UINT64_MAX, &v), 0);
    assert_int_equal(v, 0xff0);
    assert_int_equal(parse_hex(SLICE("ffffffffffffffff"), UINT64_MAX, &v), 0);
    assert_int_equal(parse_hex(SLICE("10000000000000000"), UINT64_MAX, &v), -1);
    assert_int_equal(parse_hex(SLICE("g"), UINT64_MAX, &v), -1);
    assert_int_equal(parse_hex(SLICE("0x1"), UINT64_MAX, &v), -1);
    assert_int_equal(parse_hex(SLICE(""), UINT64_MAX, &v), -1);
}

static void
sizes(void **state)
{
    uint64_t v;

    assert_int_equal(parse_size(SLICE("512"), &v), 0);
    assert_int_equal(v, 512);
    assert_int_equal(parse_size(SLICE("8k"), &v), 0);
    assert_int_equal(v, 8192);
    assert_int_equal(parse_size(SLICE("1M"), &v), 0);
    assert_int_equal(v, 1 << 20);
    assert_int_equal(parse_size(SLICE("17179869183g"), &v), 0);
    assert_int_equal(parse_size(SLICE("17179869184g"), &v), -1);
    assert_int_equal(parse_size(SLICE("k"), &v), -1);
    assert_int_equal(parse_size(SLICE("1kb"), &v), -1);
    assert_int_equal(parse_size(SLICE("1 k"), &v), -1);
    assert_int_equal(parse_size(SLICE(""), &v), -1);
}

static void
assert_duration(const char *text, nsec_t want)
{
    nsec_t v = -1;

    assert_int_equal(parse_duration(slice_str(text), &v), 0);
    assert_true(v == want);
}

static void
durations(void **state)
{
    static const char *const bad[] = { "", "5", "s", "5 s", "1.5s", "-1s", "5S", "5sec", "00", "5us", "ms", "106752d",
                                       "99999999999999999999s" };
    unsigned i;
    nsec_t v;

    assert_duration("0", 0);
    assert_duration("0s", 0);
    assert_duration("250ms", 250 * NSEC_PER_MSEC);
    assert_duration("5s", 5 * NSEC_PER_SEC);
    assert_duration("10m", 600 * NSEC_PER_SEC);
    assert_duration("24h", 86400 * NSEC_PER_SEC);
    assert_duration("7d", 7 * 86400LL * NSEC_PER_SEC);
    assert_duration("106751d", 106751 * 86400LL * NSEC_PER_SEC);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse_duration(slice_str(bad[i]), &v), -1);
}

static void
rates(void **state)
{
    static const char *const bad[] = { "", "100", "/s", "100/", "100/ms", "100/10s", "1.5/s",
                                       "100/s/s", "100 /s", "-1/s" };
    uint64_t count;
    unsigned i;
    nsec_t per;

    assert_int_equal(parse_rate(SLICE("100/s"), &count, &per), 0);
    assert_int_equal(count, 100);
    assert_true(per == NSEC_PER_SEC);
    assert_int_equal(parse_rate(SLICE("6000/m"), &count, &per), 0);
    assert_true(per == 60 * NSEC_PER_SEC);
    assert_int_equal(parse_rate(SLICE("1/h"), &count, &per), 0);
    assert_true(per == 3600 * NSEC_PER_SEC);
    assert_int_equal(parse_rate(SLICE("5/d"), &count, &per), 0);
    assert_true(per == 86400 * NSEC_PER_SEC);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse_rate(slice_str(bad[i]), &count, &per), -1);
}

static void
percentages(void **state)
{
    static const char *const bad[] = { "", "%", "5", "100.1%", "101%", "-1%", ".5%", "5.%", "5 %", "1e1%", "nan%",
                                       "0.1234567890123456%" };
    unsigned i;
    double v;

    assert_int_equal(parse_percent(SLICE("5%"), &v), 0);
    assert_true(v == 5);
    assert_int_equal(parse_percent(SLICE("0.5%"), &v), 0);
    assert_true(v == 0.5);
    assert_int_equal(parse_percent(SLICE("100%"), &v), 0);
    assert_true(v == 100);
    assert_int_equal(parse_percent(SLICE("33.333%"), &v), 0);
    assert_true(v > 33.3329 && v < 33.3331);
    assert_int_equal(parse_percent(SLICE("0%"), &v), 0);
    assert_true(v == 0);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse_percent(slice_str(bad[i]), &v), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(integers_are_digits_only),
        cmocka_unit_test(hex),
        cmocka_unit_test(sizes),
        cmocka_unit_test(durations),
        cmocka_unit_test(rates),
        cmocka_unit_test(percentages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
