#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/arena.h"

static void
allocations_are_aligned_and_apart(void **state)
{
    struct arena a;
    char *p[200];
    unsigned i, k;

    arena_init(&a);
    for (i = 0; i < 200; i++) {
        p[i] = arena_alloc(&a, i + 1);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        memset(p[i], (int)i, i + 1);
    }
    for (i = 0; i < 200; i++) {
        for (k = 0; k <= i; k++)
            assert_int_equal((unsigned char)p[i][k], i);
    }
    assert_int_equal(a.used, 200 * 201 / 2);
    arena_fini(&a);
}

static void
a_large_block_leaves_the_room_of_the_chunk_in_use(void **state)
{
    struct arena a;
    char *small, *large, *next;

    arena_init(&a);
    small = arena_alloc(&a, 16);
    large = arena_alloc(&a, 1 << 20);
    memset(large, 1, 1 << 20);
    next = arena_alloc(&a, 16);
    assert_true(next > small && next < small + 256);
    arena_fini(&a);
    /* and as the very first one */
    large = arena_alloc(&a, 8192);
    memset(large, 1, 8192);
    assert_non_null(arena_alloc(&a, 1));
    arena_fini(&a);
}

static void
zero_bytes_are_an_allocation_too(void **state)
{
    struct arena a;
    void *p;

    arena_init(&a);
    p = arena_alloc(&a, 0);
    assert_non_null(p);
    assert_ptr_not_equal(p, arena_alloc(&a, 0));
    arena_fini(&a);
}

static void
chunks_are_recycled(void **state)
{
    struct arena a;
    void *first;

    arena_init(&a);
    first = arena_alloc(&a, 100);
    arena_fini(&a);
    assert_ptr_equal(arena_alloc(&a, 100), first);
    arena_fini(&a);
    arena_thread_fini();
}

static void
zalloc_clears_a_recycled_chunk(void **state)
{
    struct arena a;
    char *p;
    int i;

    arena_init(&a);
    memset(arena_alloc(&a, 1000), 0xff, 1000);
    arena_fini(&a);
    p = arena_zalloc(&a, 1000);
    for (i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    arena_fini(&a);
}

static void
copies_end_with_nul(void **state)
{
    struct arena a;
    struct slice s;

    arena_init(&a);
    assert_string_equal(arena_strndup(&a, "abcdef", 3), "abc");
    assert_string_equal(arena_strndup(&a, NULL, 0), "");
    s = arena_slice(&a, slice_of("xyz!", 3));
    assert_int_equal(s.n, 3);
    assert_string_equal(s.p, "xyz");
    arena_fini(&a);
}

static void
printf_short_and_long(void **state)
{
    struct arena a;
    struct slice s;
    char filler[2000];

    arena_init(&a);
    s = arena_printf(&a, "%s-%d", "a", 7);
    assert_int_equal(s.n, 3);
    assert_string_equal(s.p, "a-7");
    memset(filler, 'x', sizeof(filler) - 1);
    filler[sizeof(filler) - 1] = '\0';
    s = arena_printf(&a, "<%s>", filler);
    assert_int_equal(s.n, sizeof(filler) + 1);
    assert_int_equal(s.p[0], '<');
    assert_int_equal(s.p[s.n - 1], '>');
    assert_int_equal(s.p[s.n], '\0');
    s = arena_printf(&a, "%511s", "e"); /* just fits, and just not, the buffer on the stack */
    assert_int_equal(s.n, 511);
    s = arena_printf(&a, "%512s", "e");
    assert_int_equal(s.n, 512);
    assert_int_equal(s.p[511], 'e');
    arena_fini(&a);
}

static char order[8];

static void
note(void *arg)
{
    strcat(order, arg);
}

static struct arena nested;

static void
note_and_register(void *arg)
{
    note(arg);
    arena_on_fini(&nested, note, (void *)(uintptr_t) "z");
}

static void
disposers_run_in_reverse_order_once(void **state)
{
    struct arena a;

    order[0] = '\0';
    arena_init(&a);
    arena_on_fini(&a, note, (void *)(uintptr_t) "1");
    arena_on_fini(&a, note, (void *)(uintptr_t) "2");
    arena_on_fini(&a, note, (void *)(uintptr_t) "3");
    arena_fini(&a);
    assert_string_equal(order, "321");
    arena_fini(&a);
    assert_string_equal(order, "321");
}

static void
a_disposer_may_register_another(void **state)
{
    order[0] = '\0';
    arena_init(&nested);
    arena_on_fini(&nested, note_and_register, (void *)(uintptr_t) "a");
    arena_fini(&nested);
    assert_string_equal(order, "az");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(a_large_block_leaves_the_room_of_the_chunk_in_use),
        cmocka_unit_test(zero_bytes_are_an_allocation_too),
        cmocka_unit_test(chunks_are_recycled),
        cmocka_unit_test(zalloc_clears_a_recycled_chunk),
        cmocka_unit_test(copies_end_with_nul),
        cmocka_unit_test(printf_short_and_long),
        cmocka_unit_test(disposers_run_in_reverse_order_once),
        cmocka_unit_test(a_disposer_may_register_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
