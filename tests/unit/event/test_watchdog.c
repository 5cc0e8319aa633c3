#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/log.h"
#include "../../../src/event/watchdog.h"
#include "../../../src/event/worker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static int log_pipe[2];
static bool seen_stuck;

/* Blocks until the log holds `text`; fails when nothing comes for ten seconds. */
static void
await_log(const char *text)
{
    static char all[4096];
    static size_t n;
    struct pollfd pfd = { .fd = log_pipe[0], .events = POLLIN };
    ssize_t got;

    while (!strstr(all, text)) {
        assert_int_equal(poll(&pfd, 1, 10000), 1);
        got = read(log_pipe[0], all + n, sizeof(all) - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
}

static void
stop_service(void *arg)
{
    loop_stop(worker_get(WORKER_SERVICE)->loop);
}

static void
hang(void *arg)
{
    await_log("[worker 1] the loop is stuck");
    seen_stuck = watchdog_stuck();
    worker_post(WORKER_SERVICE, stop_service, NULL);
}

static void
a_stuck_loop_is_reported_and_its_recovery_too(void **state)
{
    assert_int_equal(pipe(log_pipe), 0);
    log_set_fd(log_pipe[1]);
    assert_int_equal(workers_init(1), 0);
    assert_int_equal(workers_start(NULL, NULL), 0);
    assert_int_equal(watchdog_start(20 * NSEC_PER_MSEC), 0);
    assert_int_equal(watchdog_start(NSEC_PER_SEC), -1);
    worker_post(1, hang, NULL);
    loop_run(worker_get(WORKER_SERVICE)->loop);
    assert_true(seen_stuck);
    await_log("[worker 1] the loop is running again");
    assert_false(watchdog_stuck());
    watchdog_stop();
    watchdog_stop();
    workers_stop();
    workers_fini();
    log_set_fd(2);
    close(log_pipe[0]);
    close(log_pipe[1]);
}

static void
a_limit_of_nothing_is_refused(void **state)
{
    assert_int_equal(watchdog_start(0), -1);
    assert_int_equal(errno, EINVAL);
    assert_false(watchdog_stuck());
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stuck_loop_is_reported_and_its_recovery_too),
        cmocka_unit_test(a_limit_of_nothing_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
