#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/recycle.h"
#include "../../../src/base/xalloc.h"

#include <string.h>

static void
copies(void **state)
{
    char *p = xstrndup("abcdef", 3), *q = xstrdup("xyz");

    assert_string_equal(p, "abc");
    assert_string_equal(q, "xyz");
    p = xrealloc(p, 100);
    assert_string_equal(p, "abc");
    free(p);
    free(q);
    p = xstrndup("ab", 10);
    assert_string_equal(p, "ab");
    free(p);
}

static void
nothing_is_something(void **state)
{
    void *p = xmalloc(0), *q = xcalloc(0, 8);

    assert_non_null(p);
    assert_non_null(q);
    free(xrealloc(p, 0));
    free(q);
}

static void
recycle_is_bounded_and_last_in_first_out(void **state)
{
    struct recycle r = { 0 };
    void *p[3];
    int i;

    for (i = 0; i < 3; i++)
        p[i] = recycle_get(&r, 64);
    for (i = 0; i < 3; i++)
        recycle_put(&r, p[i], 64, 2);
    assert_int_equal(r.n, 2);
    assert_ptr_equal(recycle_get(&r, 64), p[1]);
    memset(p[1], 0, 64);
    recycle_put(&r, p[1], 64, 2);
    recycle_empty(&r, 64);
    assert_int_equal(r.n, 0);
    assert_null(r.blocks);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies),
        cmocka_unit_test(nothing_is_something),
        cmocka_unit_test(recycle_is_bounded_and_last_in_first_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
