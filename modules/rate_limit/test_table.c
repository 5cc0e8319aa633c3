#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "table.h"

#include <pthread.h>

#define S INT64_C(1000000000)

static const struct gcra slow = { .emission_ns = 10 * S, .capacity_ns = 50 * S }; /* 6/m, burst 5 */

static void
test_each_hash_has_its_bucket(void **state)
{
    struct table *t = table_new(1000);
    bool evicted;
    for (uint64_t k = 1; k <= 20; k++) {
        for (int i = 0; i < 5; i++)
            assert_true(table_take(t, k * UINT64_C(0x9e3779b97f4a7c15), &slow, 100 * S, &evicted).allowed);
        assert_false(table_take(t, k * UINT64_C(0x9e3779b97f4a7c15), &slow, 100 * S, &evicted).allowed);
        assert_false(evicted);
    }
    table_free(t);
}

static void
test_hash_zero_is_a_key_like_any(void **state)
{
    struct table *t = table_new(1);
    bool evicted;
    for (int i = 0; i < 5; i++)
        assert_true(table_take(t, 0, &slow, 100 * S, &evicted).allowed);
    assert_false(table_take(t, 0, &slow, 100 * S, &evicted).allowed);
    table_free(t);
}

static void
test_the_fullest_bucket_makes_room(void **state)
{
    struct table *t = table_new(7); /* one set */
    bool evicted;
    for (uint64_t k = 1; k <= 7; k++) {
        for (uint64_t i = 0; i < (k == 3 ? 1 : 4); i++)
            table_take(t, k, &slow, 100 * S, &evicted);
        assert_false(evicted);
    }
    assert_int_equal(table_take(t, 8, &slow, 100 * S, &evicted).left, 4);
    assert_true(evicted);
    assert_int_equal(table_take(t, 1, &slow, 100 * S, &evicted).left, 0); /* the others are still known */
    assert_false(evicted);
    /* A bucket that is full again has nothing to remember. */
    assert_int_equal(table_take(t, 9, &slow, 1000 * S, &evicted).left, 4);
    assert_false(evicted);
    table_free(t);
}

struct job {
    struct table *table;
    unsigned allowed;
};

static void *
take_many(void *arg)
{
    struct job *j = arg;
    bool evicted;
    for (int i = 0; i < 20000; i++)
        j->allowed += table_take(j->table, 77 + (uint64_t)(i % 2), &slow, 100 * S, &evicted).allowed;
    return NULL;
}

static void
test_threads_never_take_the_same_token(void **state)
{
    struct table *t = table_new(100);
    struct job jobs[4] = { { t, 0 }, { t, 0 }, { t, 0 }, { t, 0 } };
    pthread_t threads[4];
    unsigned allowed = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, take_many, &jobs[i]);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        allowed += jobs[i].allowed;
    }
    assert_int_equal(allowed, 10); /* two buckets of five */
    table_free(t);
}

/* Two workers, one of which is always 3 s behind: together no more than five and one in ten seconds. */
static void
test_a_clock_that_is_behind_gains_nothing(void **state)
{
    struct table *t = table_new(100);
    bool evicted;
    int allowed = 0;
    for (int s = 0; s < 1000; s++) {
        allowed += table_take(t, 5, &slow, (100 + s) * S, &evicted).allowed;
        allowed += table_take(t, 5, &slow, (97 + s) * S, &evicted).allowed;
    }
    assert_in_range(allowed, 5 + 98, 5 + 99);
    table_free(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_hash_has_its_bucket),
        cmocka_unit_test(test_hash_zero_is_a_key_like_any),
        cmocka_unit_test(test_the_fullest_bucket_makes_room),
        cmocka_unit_test(test_threads_never_take_the_same_token),
        cmocka_unit_test(test_a_clock_that_is_behind_gains_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
