#include "http_test.h"
#include "../../../src/http/chars.h"

static bool
in_target(unsigned char c)
{
    return c > 0x20 && c < 0x7f;
}

static bool
in_value(unsigned char c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

/* Every byte at every place of runs around the width of a vector. */
static void
test_scans_agree_with_their_definition(void **state)
{
    char run[70];

    for (unsigned c = 0; c < 256; c++) {
        for (size_t n = 1; n <= sizeof(run); n += 7) {
            for (size_t at = 0; at < n; at++) {
                memset(run, 'a', n);
                run[at] = (char)c;
                assert_ptr_equal(scan_target(run, run + n), run + (in_target((unsigned char)c) ? n : at));
                assert_ptr_equal(scan_value(run, run + n), run + (in_value((unsigned char)c) ? n : at));
                assert_ptr_equal(scan_char(run, run + n, (char)c), run + (c == 'a' ? 0 : at));
            }
        }
    }
}

static void
test_scans_stop_at_the_first(void **state)
{
    const char *s = "aaaaaaaaaaaaaaaaaaa b:c d:e\r\n";

    assert_int_equal(scan_target(s, s + strlen(s)) - s, 19);
    assert_int_equal(scan_char(s, s + strlen(s), ':') - s, 21);
    assert_int_equal(scan_value(s, s + strlen(s)) - s, 27);
    assert_ptr_equal(scan_value(s, s), s);
}

static void
test_classes_are_those_of_the_rfcs(void **state)
{
    for (unsigned c = 0; c < 256; c++) {
        bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool some = c != 0 && c < 0x80;

        assert_int_equal(char_is((char)c, CHAR_TOKEN), word || (some && strchr("!#$%&'*+-.^_`|~", (int)c)));
        assert_int_equal(char_is((char)c, CHAR_UNRESERVED), word || (some && strchr("-._~", (int)c)));
        assert_int_equal(char_is((char)c, CHAR_PATH), word || (some && strchr("-._~!$&'()*+,;=:@", (int)c)));
        assert_int_equal(char_is((char)c, CHAR_HOST), word || (some && strchr("-._", (int)c)));
    }
}

static void
test_hex_digits(void **state)
{
    static const char digits[] = "0123456789abcdefABCDEF";

    for (int c = -128; c < 128; c++) {
        const char *found = c ? strchr(digits, c) : NULL;
        long want = !found ? -1 : found - digits < 16 ? found - digits : found - digits - 6;

        assert_int_equal(char_hex((char)c), want);
        assert_int_equal(char_is((char)c, CHAR_HEX), want >= 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scans_agree_with_their_definition),
        cmocka_unit_test(test_scans_stop_at_the_first),
        cmocka_unit_test(test_classes_are_those_of_the_rfcs),
        cmocka_unit_test(test_hex_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
