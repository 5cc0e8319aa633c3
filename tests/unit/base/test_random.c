#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/random.h"

#include <pthread.h>
#include <string.h>

static void
below_stays_below_and_reaches_all(void **state)
{
    unsigned seen[7] = { 0 }, i;

    for (i = 0; i < 7000; i++) {
        uint64_t v = random_below(7);

        assert_true(v < 7);
        seen[v]++;
    }
    for (i = 0; i < 7; i++)
        assert_in_range(seen[i], 800, 1200);
    assert_int_equal(random_below(1), 0);
    for (i = 0; i < 100; i++)
        assert_true(random_below((1ULL << 63) + 1) <= 1ULL << 63);
}

static void
bytes_fill_all_of_it(void **state)
{
    unsigned char a[600], b[600];
    unsigned i, zero = 0;

    memset(a, 0, sizeof(a));
    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    for (i = 0; i < sizeof(a); i++)
        zero += a[i] == 0;
    assert_true(zero < 30);
    random_bytes(a, 0);
}

static void *
draw(void *arg)
{
    *(uint64_t *)arg = random_u64();
    return NULL;
}

static void
threads_draw_from_different_seeds(void **state)
{
    uint64_t a, b;
    pthread_t t;

    pthread_create(&t, NULL, draw, &a);
    pthread_join(t, NULL);
    pthread_create(&t, NULL, draw, &b);
    pthread_join(t, NULL);
    assert_true(a != b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_stays_below_and_reaches_all),
        cmocka_unit_test(bytes_fill_all_of_it),
        cmocka_unit_test(threads_draw_from_different_seeds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
