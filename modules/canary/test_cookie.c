#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cookie.h"

#include <string.h>

static struct weir_str
str(const char *s)
{
    return (struct weir_str){ s, strlen(s) };
}

static void
test_reads_what_it_made(void **state)
{
    struct cookie_signer *s = cookie_signer_new("0123456789abcdef", 16, "v");
    char value[COOKIE_VALUE];
    size_t n = cookie_make(s, str("orders-v2"), 1000, 7, value);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) /* RFC 6265 4.1.1: what may stand in a cookie without quotes */
        assert_true(value[i] > 0x20 && value[i] < 0x7f && !strchr("\",;\\", value[i]));
    struct weir_str v = cookie_read(s, (struct weir_str){ value, n }, 999);
    assert_int_equal(v.n, 9);
    assert_memory_equal(v.p, "orders-v2", 9);
    assert_null(cookie_read(s, (struct weir_str){ value, n }, 1000).p);
    n = cookie_make(s, str("orders-v2"), 0, 7, value);
    assert_non_null(cookie_read(s, (struct weir_str){ value, n }, 1000000000).p);
    cookie_signer_free(s);
}

static void
test_refuses_every_change(void **state)
{
    struct cookie_signer *s = cookie_signer_new("0123456789abcdef", 16, "v");
    char value[COOKIE_VALUE];
    size_t n = cookie_make(s, str("orders-v1"), 1000, 7, value);
    for (size_t i = 0; i < n; i++) {
        char keep = value[i];
        value[i] = keep == 'A' ? 'B' : 'A';
        assert_null(cookie_read(s, (struct weir_str){ value, n }, 1).p);
        value[i] = keep;
    }
    for (size_t i = 0; i < n; i++)
        assert_null(cookie_read(s, (struct weir_str){ value, i }, 1).p);
    assert_null(cookie_read(s, (struct weir_str){ NULL, 0 }, 1).p);
    assert_null(cookie_read(s, str("orders-v1"), 1).p);
    cookie_signer_free(s);
}

static void
test_another_key_or_name_is_another_cookie(void **state)
{
    struct cookie_signer *s = cookie_signer_new("0123456789abcdef", 16, "v"),
                         *key = cookie_signer_new("0123456789abcdeF", 16, "v"),
                         *name = cookie_signer_new("0123456789abcdef", 16, "w");
    char value[COOKIE_VALUE];
    struct weir_str v = { value, cookie_make(s, str("a"), 1000, 7, value) };
    assert_non_null(cookie_read(s, v, 1).p);
    assert_null(cookie_read(key, v, 1).p);
    assert_null(cookie_read(name, v, 1).p);
    cookie_signer_free(s);
    cookie_signer_free(key);
    cookie_signer_free(name);
}

static void
test_longest_names(void **state)
{
    struct cookie_signer *s = cookie_signer_new("0123456789abcdef", 16, "v");
    char value[COOKIE_VALUE], name[201];
    memset(name, 'n', 200);
    name[200] = '\0';
    struct weir_str v = { value, cookie_make(s, (struct weir_str){ name, 64 }, 999999999999, UINT32_MAX, value) };
    assert_int_equal(cookie_read(s, v, 1).n, 64);
    assert_int_equal(cookie_make(s, str(name), 1000, 7, value), 0);
    cookie_signer_free(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_it_made),
        cmocka_unit_test(test_refuses_every_change),
        cmocka_unit_test(test_another_key_or_name_is_another_cookie),
        cmocka_unit_test(test_longest_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
