#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/event/offload.h"
#include "../../../src/event/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

static unsigned worked, done_calls;
static pthread_t service;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void
work(void *arg)
{
    assert_false(pthread_equal(pthread_self(), service));
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    __atomic_add_fetch(&worked, 1, __ATOMIC_SEQ_CST);
}

static void
done(void *arg)
{
    unsigned *want = arg;

    assert_true(pthread_equal(pthread_self(), service));
    assert_true(__atomic_load_n(&worked, __ATOMIC_SEQ_CST) > done_calls);
    if (++done_calls == *want)
        loop_stop(worker_self()->loop);
}

static void
open_all(void)
{
    service = pthread_self();
    worked = done_calls = 0;
    assert_int_equal(workers_init(0), 0);
    assert_int_equal(offload_init(), 0);
}

static void
work_runs_elsewhere_and_done_comes_back(void **state)
{
    unsigned want = 100, i;

    open_all();
    for (i = 0; i < want; i++)
        assert_int_equal(offload_run(work, done, &want), 0);
    loop_run(worker_get(0)->loop);
    assert_int_equal(worked, want);
    offload_fini();
    workers_fini();
}

static void
the_queue_is_bounded(void **state)
{
    unsigned want = 10000, n = 0;

    open_all();
    pthread_mutex_lock(&gate); /* every thread gets stuck in its first job */
    while (offload_run(work, done, &want) == 0 && n < 1000)
        n++;
    assert_int_equal(errno, EAGAIN);
    assert_in_range(n, 256, 260); /* and what the threads have in hand */
    pthread_mutex_unlock(&gate);
    offload_fini();
    assert_int_equal(worked, n); /* what was accepted is finished */
    workers_fini();
    assert_int_equal(done_calls, n);
}

static void
after_fini_nothing_is_accepted(void **state)
{
    unsigned want = 1;

    open_all();
    offload_fini();
    assert_int_equal(offload_run(work, done, &want), -1);
    assert_int_equal(errno, ESHUTDOWN);
    workers_fini();
}

static void
without_a_worker_there_is_no_way_back(void **state)
{
    service = pthread_self();
    worked = 0;
    offload_init();
    assert_int_equal(offload_run(work, done, NULL), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(offload_run(work, NULL, NULL), 0);
    offload_fini();
    assert_int_equal(worked, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_runs_elsewhere_and_done_comes_back),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(after_fini_nothing_is_accepted),
        cmocka_unit_test(without_a_worker_there_is_no_way_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
