#include "fixture.h"

#include "../../../src/upstream/slots.h"

#include <pthread.h>

static void
slots_are_bounded(void **state)
{
    struct cluster_state *st = cluster_state_get("u");

    assert_true(slots_acquire(st, 2));
    assert_true(slots_acquire(st, 2));
    assert_false(slots_acquire(st, 2));
    assert_true(slots_acquire(st, 3));  /* a reload may raise it */
    assert_false(slots_acquire(st, 2)); /* or lower it */
    slots_release(st);
    slots_release(st);
    assert_true(slots_acquire(st, 2));
    assert_true(slots_acquire(st, 0)); /* no bound */
    while (atomic_load(&st->connections))
        slots_release(st);
    cluster_state_put(st);
}

static void
waiting_is_bounded(void **state)
{
    struct cluster_state *st = cluster_state_get("u");

    assert_true(slots_wait_begin(st, 2, 5));
    assert_true(slots_wait_begin(st, 2, 5));
    assert_false(slots_wait_begin(st, 2, 5));
    assert_int_equal(atomic_load(&st->pending), 2);
    slots_wait_end(st, 7);
    assert_true(slots_wait_begin(st, 2, 7));
    slots_wait_end(st, 7);
    slots_wait_end(st, 0);
    assert_int_equal(atomic_load(&st->pending), 0);
    cluster_state_put(st);
}

/* A slot that reaches a worker where nobody waits any more is freed, not lost. */
static void
a_slot_passed_on_to_nobody_is_free_again(void **state)
{
    struct cluster_state *st = cluster_state_get("u");

    assert_true(slots_acquire(st, 1));
    pool_on_slot(st);
    assert_int_equal(atomic_load(&st->connections), 0);
    cluster_state_put(st);
}

static void *
churn(void *arg)
{
    struct cluster_state *st = arg;
    unsigned i, got = 0;

    for (i = 0; i < 20000; i++) {
        if (!slots_acquire(st, 3))
            continue;
        assert_true(atomic_load(&st->connections) <= 3);
        got++;
        slots_release(st);
    }
    return (void *)(uintptr_t)got;
}

static void
threads_never_exceed_the_bound(void **state)
{
    struct cluster_state *st = cluster_state_get("u");
    pthread_t threads[4];
    void *got;
    unsigned i;

    for (i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, st), 0);
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], &got);
        assert_true((uintptr_t)got > 0);
    }
    assert_int_equal(atomic_load(&st->connections), 0);
    cluster_state_put(st);
}

static void
a_state_is_found_again_by_its_name(void **state)
{
    struct cluster_state *a = cluster_state_get("a"), *b = cluster_state_get("b"), *again = cluster_state_get("a");

    assert_ptr_equal(a, again);
    assert_ptr_not_equal(a, b);
    cluster_state_put(a);
    cluster_state_put(again);
    cluster_state_put(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_bounded),
        cmocka_unit_test(waiting_is_bounded),
        cmocka_unit_test(a_slot_passed_on_to_nobody_is_free_again),
        cmocka_unit_test(threads_never_exceed_the_bound),
        cmocka_unit_test(a_state_is_found_again_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
