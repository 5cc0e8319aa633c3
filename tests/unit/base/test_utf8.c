#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/utf8.h"

#include <string.h>

static void
accepts_the_ends_of_each_range(void **state)
{
    assert_int_equal(utf8_multibyte("\xc2\x80", 2), 2);
    assert_int_equal(utf8_multibyte("\xdf\xbf", 2), 2);
    assert_int_equal(utf8_multibyte("\xe0\xa0\x80", 3), 3);
    assert_int_equal(utf8_multibyte("\xed\x9f\xbf", 3), 3);
    assert_int_equal(utf8_multibyte("\xef\xbf\xbf", 3), 3);
    assert_int_equal(utf8_multibyte("\xf0\x90\x80\x80", 4), 4);
    assert_int_equal(utf8_multibyte("\xf4\x8f\xbf\xbf", 4), 4);
}

static void
refuses_what_rfc_3629_forbids(void **state)
{
    static const char *const bad[] = {
        "\xc0\x80", "\xc1\xbf",         /* overlong, two bytes */
        "\xe0\x9f\xbf",                 /* overlong, three */
        "\xf0\x8f\xbf\xbf",             /* overlong, four */
        "\xed\xa0\x80",                 /* surrogate */
        "\xf4\x90\x80\x80",             /* past U+10FFFF */
        "\xf5\x80\x80\x80", "\xff\xff", /* no first byte at all */
        "\x80\x80",                     /* continuation */
        "\xe2\x28\xa1", "\xe2\x82\x28", "\xc3(",
        "ab",
    };
    unsigned i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(utf8_multibyte(bad[i], strlen(bad[i])), 0);
}

static void
does_not_read_past_the_end(void **state)
{
    assert_int_equal(utf8_multibyte("\xe2\x82\xac", 2), 0);
    assert_int_equal(utf8_multibyte("\xc3\xbc", 1), 0);
    assert_int_equal(utf8_multibyte("\xc3\xbc", 0), 0);
}

static void
controls_of_the_upper_range_are_not_printable(void **state)
{
    assert_int_equal(utf8_printable("\xc2\x9b", 2), 0);
    assert_int_equal(utf8_printable("\xc2\xa0", 2), 2);
    assert_int_equal(utf8_multibyte("\xc2\x9b", 2), 2);
}

static void
whole_strings(void **state)
{
    assert_true(utf8_valid("", 0));
    assert_true(utf8_valid("a\xc3\xbc\n", 4));
    assert_false(utf8_valid("a\xc3", 2));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_the_ends_of_each_range),
        cmocka_unit_test(refuses_what_rfc_3629_forbids),
        cmocka_unit_test(does_not_read_past_the_end),
        cmocka_unit_test(controls_of_the_upper_range_are_not_printable),
        cmocka_unit_test(whole_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
