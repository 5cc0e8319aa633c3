#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/err.h"

#include <errno.h>
#include <string.h>

static void
set_formats_and_returns_minus_one(void **state)
{
    struct err e;

    assert_int_equal(err_set(&e, ERR_LIMIT, "%d of %s", 3, "four"), -1);
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_int_equal(e.sys, 0);
    assert_string_equal(e.text, "3 of four");
    err_clear(&e);
    assert_int_equal(e.kind, ERR_NONE);
    assert_string_equal(e.text, "");
}

static void
errno_is_named_and_kept(void **state)
{
    struct err e;

    errno = ENOENT;
    assert_int_equal(err_errno(&e, "open %s", "x"), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(e.kind, ERR_SYSTEM);
    assert_int_equal(e.sys, ENOENT);
    assert_string_equal(e.text, "open x: No such file or directory");
}

static void
long_text_is_cut(void **state)
{
    struct err e;

    err_set(&e, ERR_INPUT, "%1000s", "x");
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
    errno = EIO;
    err_errno(&e, "%1000s", "x");
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

static void
nobody_needs_to_listen(void **state)
{
    assert_int_equal(err_set(NULL, ERR_INPUT, "x"), -1);
    assert_int_equal(err_errno(NULL, "x"), -1);
    err_clear(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_formats_and_returns_minus_one),
        cmocka_unit_test(errno_is_named_and_kept),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(nobody_needs_to_listen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
