#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/clock.h"
#include "../../../src/policy/host.h"
#include "../../../src/policy/module.h"

#include <pthread.h>

static unsigned made, ended;

static void
init(void *p)
{
    *(int *)p = 7;
    __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
}

static void
fini(void *p)
{
    __atomic_add_fetch(&ended, 1, __ATOMIC_RELAXED);
}

static struct weir_state *
get(const char *key)
{
    return keyed_state_get(key, sizeof(int), init, fini);
}

static int
setup(void **state)
{
    keyed_state_sweep(INT64_MAX);
    made = ended = 0;
    return 0;
}

static void
the_same_key_is_the_same_memory(void **state)
{
    struct weir_state *a = get("a"), *again = get("a"), *b = get("b");

    assert_ptr_equal(keyed_state_data(a), keyed_state_data(again));
    assert_ptr_not_equal(keyed_state_data(a), keyed_state_data(b));
    assert_int_equal(*(int *)keyed_state_data(a), 7);
    assert_int_equal(made, 2);
    keyed_state_put(a);
    keyed_state_put(again);
    keyed_state_put(b);
}

static void
it_is_kept_for_a_minute_after_the_last_put(void **state)
{
    struct weir_state *a = get("a");
    nsec_t before;

    *(int *)keyed_state_data(a) = 42;
    before = clock_precise();
    keyed_state_put(a);
    keyed_state_sweep(before + 59 * NSEC_PER_SEC);
    a = get("a");
    assert_int_equal(*(int *)keyed_state_data(a), 42); /* found again, as after a reload */
    keyed_state_sweep(INT64_MAX);
    assert_int_equal(ended, 0); /* somebody holds it */
    keyed_state_put(a);
    keyed_state_sweep(clock_precise() + 61 * NSEC_PER_SEC);
    assert_int_equal(ended, 1);
    a = get("a");
    assert_int_equal(*(int *)keyed_state_data(a), 7);
    keyed_state_put(a);
}

static void
every_hold_needs_its_put(void **state)
{
    struct weir_state *a = get("a");

    keyed_state_hold(a);
    keyed_state_put(a);
    keyed_state_sweep(INT64_MAX);
    assert_int_equal(ended, 0);
    keyed_state_put(a);
    keyed_state_sweep(INT64_MAX);
    assert_int_equal(ended, 1);
    keyed_state_put(NULL);
}

/* Two modules that chose one key do not get each other's memory where its size tells them apart. */
static void
another_size_is_another_state(void **state)
{
    struct weir_state *a = get("a"), *b = keyed_state_get("a", 8, NULL, NULL);

    assert_ptr_not_equal(keyed_state_data(a), keyed_state_data(b));
    keyed_state_put(a);
    keyed_state_put(b);
}

static void *
churn(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        struct weir_state *s = get(i % 2 ? "x" : "y");

        keyed_state_sweep(INT64_MAX);
        assert_int_equal(*(int *)keyed_state_data(s), 7);
        keyed_state_put(s);
    }
    return NULL;
}

static void
any_thread_may_use_it(void **state)
{
    pthread_t t[4];

    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, churn, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    keyed_state_sweep(INT64_MAX);
    assert_int_equal(made, ended);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_same_key_is_the_same_memory, setup),
        cmocka_unit_test_setup(it_is_kept_for_a_minute_after_the_last_put, setup),
        cmocka_unit_test_setup(every_hold_needs_its_put, setup),
        cmocka_unit_test_setup(another_size_is_another_state, setup),
        cmocka_unit_test_setup(any_thread_may_use_it, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
