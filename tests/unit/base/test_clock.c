#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/clock.h"

#include <pthread.h>
#include <time.h>

static void
iso(void **state)
{
    char out[25];

    assert_int_equal(clock_iso(0, out), 24);
    assert_string_equal(out, "1970-01-01T00:00:00.000Z");
    clock_iso(1795231419LL * NSEC_PER_SEC + 123 * NSEC_PER_MSEC + 999999, out);
    assert_string_equal(out, "2026-11-21T03:23:39.123Z");
    clock_iso(1795231419LL * NSEC_PER_SEC + 999 * NSEC_PER_MSEC, out); /* same second: from memory */
    assert_string_equal(out, "2026-11-21T03:23:39.999Z");
    clock_iso(951782400LL * NSEC_PER_SEC, out);
    assert_string_equal(out, "2000-02-29T00:00:00.000Z");
    clock_iso(-1, out);
    assert_string_equal(out, "1969-12-31T23:59:59.999Z");
    clock_iso(INT64_MAX, out);
    assert_string_equal(out, "2262-04-11T23:47:16.854Z");
}

static void *
reads_without_update(void *arg)
{
    nsec_t a = clock_now(), b;

    do
        b = clock_now();
    while (b == a);
    *(int *)arg = b > a && clock_wall() > 1600000000LL * NSEC_PER_SEC;
    return NULL;
}

static void
a_thread_that_never_updates_reads_each_time(void **state)
{
    int good = 0;
    pthread_t t;

    pthread_create(&t, NULL, reads_without_update, &good);
    pthread_join(t, NULL);
    assert_true(good);
}

static void
time_stands_still_between_updates(void **state)
{
    nsec_t mono, wall, from;

    clock_update();
    mono = clock_now();
    wall = clock_wall();
    from = clock_precise();
    while (clock_precise() - from < NSEC_PER_MSEC)
        ;
    assert_true(clock_now() == mono && clock_wall() == wall);
    clock_update();
    assert_true(clock_now() - mono >= NSEC_PER_MSEC);
    assert_true(clock_wall() / NSEC_PER_SEC - (nsec_t)time(NULL) <= 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso),
        cmocka_unit_test(a_thread_that_never_updates_reads_each_time),
        cmocka_unit_test(time_stands_still_between_updates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
