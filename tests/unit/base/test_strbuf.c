#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/strbuf.h"

static void
grows_and_stays_terminated(void **state)
{
    struct strbuf b;
    int i;

    strbuf_init(&b, 1 << 20);
    assert_int_equal(strbuf_slice(&b).n, 0);
    for (i = 0; i < 5000; i++)
        strbuf_addc(&b, (char)('a' + i % 26));
    assert_int_equal(b.n, 5000);
    assert_int_equal(strlen(b.p), 5000);
    assert_int_equal(b.p[4999], 'a' + 4999 % 26);
    assert_false(b.truncated);
    strbuf_clear(&b);
    assert_string_equal(b.p, "");
    strbuf_fini(&b);
}

static void
past_the_cap_bytes_are_dropped(void **state)
{
    struct strbuf b;

    strbuf_init(&b, 5);
    strbuf_adds(&b, "abc");
    assert_false(b.truncated);
    strbuf_adds(&b, "defg");
    assert_true(b.truncated);
    assert_string_equal(b.p, "abcde");
    strbuf_addf(&b, "%d", 12);
    assert_string_equal(b.p, "abcde");
    strbuf_clear(&b);
    assert_false(b.truncated);
    strbuf_addf(&b, "%s", "1234567");
    assert_true(b.truncated);
    assert_string_equal(b.p, "12345");
    strbuf_fini(&b);
    strbuf_init(&b, 0);
    strbuf_addc(&b, 'x');
    assert_true(b.truncated);
    assert_int_equal(b.n, 0);
    strbuf_fini(&b);
}

static void
formats_within_and_past_the_room(void **state)
{
    struct strbuf b;

    strbuf_init(&b, 10000);
    strbuf_addf(&b, "%s=%d", "n", 42);
    strbuf_addf(&b, "%s", "");
    strbuf_addf(&b, "%3000s", "|");
    assert_int_equal(b.n, 3004);
    assert_int_equal(b.p[3003], '|');
    assert_memory_equal(b.p, "n=42", 4);
    strbuf_fini(&b);
}

static void
numbers(void **state)
{
    struct strbuf b;

    strbuf_init(&b, 100);
    strbuf_addu(&b, 0);
    strbuf_addc(&b, ' ');
    strbuf_addu(&b, UINT64_MAX);
    assert_string_equal(b.p, "0 18446744073709551615");
    strbuf_fini(&b);
}

static void
assert_json(struct slice in, const char *want)
{
    struct strbuf b;

    strbuf_init(&b, 1000);
    strbuf_addc(&b, '>');
    strbuf_addjson(&b, in);
    assert_string_equal(b.p + 1, want);
    strbuf_fini(&b);
}

static void
json_escapes_what_is_no_text(void **state)
{
    assert_json(SLICE_NONE, "");
    assert_json(SLICE("plain"), "plain");
    assert_json(SLICE("a\"b\\c"), "a\\\"b\\\\c");
    assert_json(SLICE("\b\f\n\r\t\x01\0"), "\\b\\f\\n\\r\\t\\u0001\\u0000");
    assert_json(SLICE("\x7f"), "\\u007f");
    assert_json(SLICE("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
    assert_json(SLICE("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80");
    assert_json(SLICE("\xff\xc3"), "\\u00ff\\u00c3");
    assert_json(SLICE("\xc2\x9b"), "\\u00c2\\u009b"); /* CSI */
    assert_json(SLICE("\xe2\x82"), "\\u00e2\\u0082"); /* cut short */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_stays_terminated),
        cmocka_unit_test(past_the_cap_bytes_are_dropped),
        cmocka_unit_test(formats_within_and_past_the_room),
        cmocka_unit_test(numbers),
        cmocka_unit_test(json_escapes_what_is_no_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
