#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/thread.h"
#include "../../../src/event/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define N 3u

static unsigned started, stopped, freed, late;
static pthread_t threads[N + 1];

static void
free_late(void *p)
{
    __atomic_add_fetch(&freed, 1, __ATOMIC_SEQ_CST);
    free(p);
}

static void
on_start(struct worker *w)
{
    sigset_t blocked;

    assert_ptr_equal(worker_self(), w);
    assert_int_equal(worker_self_id(), w->id);
    assert_int_equal(thread_number, w->id);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    assert_true(sigismember(&blocked, SIGTERM));
    threads[w->id] = pthread_self();
    w->user = malloc(8);
    __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
}

static void
on_stop(struct worker *w)
{
    loop_defer_free(w->loop, free_late, w->user);
    w->user = NULL;
    __atomic_add_fetch(&stopped, 1, __ATOMIC_SEQ_CST);
}

static unsigned hops;

static void
stop(void *arg)
{
    loop_stop(worker_self()->loop);
}

static void
hop(void *arg)
{
    struct worker *w = worker_self();

    assert_ptr_equal(loop_current(), w->loop);
    if (w->id != WORKER_SERVICE)
        assert_true(pthread_equal(threads[w->id], pthread_self()));
    if (++hops == 40)
        worker_post(WORKER_SERVICE, stop, NULL);
    else
        worker_post(hops % (N + 1), hop, NULL);
}

static void
messages_run_on_the_thread_they_are_for(void **state)
{
    started = stopped = freed = hops = 0;
    assert_int_equal(workers_init(N), 0);
    assert_int_equal(workers_count(), N);
    assert_int_equal(worker_self_id(), WORKER_SERVICE);
    assert_ptr_equal(worker_self(), worker_get(WORKER_SERVICE));
    assert_int_equal(thread_number, WORKER_SERVICE);
    assert_null(worker_get(N + 1));
    assert_int_equal(workers_start(on_start, on_stop), 0);
    worker_post(1, hop, NULL);
    loop_run(worker_get(WORKER_SERVICE)->loop);
    workers_stop();
    assert_int_equal(hops, 40);
    assert_int_equal(started, N);
    assert_int_equal(stopped, N);
    assert_int_equal(freed, N); /* on its own thread, before it ended */
    workers_stop();
    workers_fini();
    assert_null(worker_self());
    assert_int_equal(thread_number, THREAD_NONE);
    assert_null(worker_get(0));
}

static void
count_late(void *arg)
{
    assert_int_equal(worker_self_id(), (unsigned)(uintptr_t)arg);
    assert_non_null(worker_self()->user); /* on_stop has not run yet */
    __atomic_add_fetch(&late, 1, __ATOMIC_SEQ_CST);
}

static void
what_was_posted_before_stop_runs_before_on_stop(void **state)
{
    uintptr_t i, id;

    late = 0;
    assert_int_equal(workers_init(N), 0);
    assert_int_equal(workers_start(on_start, on_stop), 0);
    for (i = 0; i < 100; i++) {
        for (id = 1; id <= N; id++)
            worker_post((unsigned)id, count_late, (void *)id);
    }
    workers_stop();
    assert_int_equal(late, 100 * N);
    workers_fini();
}

static void
bounds_are_checked(void **state)
{
    assert_int_equal(workers_init(WORKER_MAX), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(workers_init(0), 0);
    assert_int_equal(workers_init(0), -1);
    assert_int_equal(workers_start(NULL, NULL), 0);
    workers_stop();
    workers_fini();
    workers_fini();
}

static void *
ask_id(void *arg)
{
    *(unsigned *)arg = worker_self_id();
    return worker_self();
}

static void
another_thread_is_no_worker(void **state)
{
    unsigned id = 99;
    pthread_t t;
    void *self;

    workers_init(1);
    pthread_create(&t, NULL, ask_id, &id);
    pthread_join(t, &self);
    assert_null(self);
    assert_int_equal(id, WORKER_SERVICE);
    workers_fini();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_run_on_the_thread_they_are_for),
        cmocka_unit_test(what_was_posted_before_stop_runs_before_on_stop),
        cmocka_unit_test(bounds_are_checked),
        cmocka_unit_test(another_thread_is_no_worker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
