#include "../../../src/base/name_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MANY 2000

static char names[MANY][16];

static struct slice
name(unsigned i)
{
    snprintf(names[i], sizeof(names[i]), "name-%u", i);
    return slice_str(names[i]);
}

static void
finds_what_was_put(void **state)
{
    struct name_map m = { 0 };
    int a, b;

    assert_null(name_map_get(&m, SLICE("x")));
    name_map_put(&m, SLICE("x"), &a);
    name_map_put(&m, SLICE(""), &b);
    assert_ptr_equal(name_map_get(&m, SLICE("x")), &a);
    assert_ptr_equal(name_map_get(&m, SLICE("")), &b);
    name_map_put(&m, SLICE("x"), &b);
    assert_ptr_equal(name_map_get(&m, SLICE("x")), &b);
    assert_int_equal(m.n, 2);
    name_map_fini(&m);
    assert_null(name_map_get(&m, SLICE("x")));
}

static void
taking_out_hides_no_other(void **state)
{
    struct name_map m = { 0 };
    unsigned i;

    for (i = 0; i < MANY; i++)
        name_map_put(&m, name(i), names[i]);
    for (i = 0; i < MANY; i += 2)
        name_map_del(&m, slice_str(names[i]));
    name_map_del(&m, SLICE("never there"));
    assert_int_equal(m.n, MANY / 2);
    for (i = 0; i < MANY; i++)
        assert_ptr_equal(name_map_get(&m, slice_str(names[i])), i % 2 ? names[i] : NULL);
    /* What comes and goes does not make it grow. */
    size_t room = m.room;
    for (i = 0; i < MANY * 10; i++) {
        name_map_put(&m, slice_str(names[i % MANY / 2 * 2]), names[0]);
        name_map_del(&m, slice_str(names[i % MANY / 2 * 2]));
    }
    assert_int_equal(m.room, room);
    name_map_fini(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_put),
        cmocka_unit_test(taking_out_hides_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
