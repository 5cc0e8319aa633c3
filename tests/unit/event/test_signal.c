#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/event/loop.h"

#include <signal.h>
#include <unistd.h>

static struct loop *l;
static unsigned got;

static void
on_signal(int signo, void *arg)
{
    assert_int_equal(signo, SIGUSR1);
    assert_ptr_equal(loop_current(), l);
    ++*(unsigned *)arg;
    loop_stop(l);
}

static void
a_signal_comes_to_the_loop(void **state)
{
    struct signal_watch *s;

    l = loop_new("test");
    got = 0;
    s = signal_watch_new(l, SIGUSR1, on_signal, &got);
    assert_non_null(s);
    kill(getpid(), SIGUSR1);
    loop_run(l);
    assert_int_equal(got, 1);
    kill(getpid(), SIGUSR1);
    loop_run(l);
    assert_int_equal(got, 2);
    signal_watch_free(s);
    signal_watch_free(NULL);
    loop_free(l);
}

static struct signal_watch *mine;

static void
on_signal_free(int signo, void *arg)
{
    signal_watch_free(mine);
    got++;
    loop_stop(l);
}

static void
a_signal_watch_may_free_itself(void **state)
{
    l = loop_new("test");
    got = 0;
    mine = signal_watch_new(l, SIGUSR2, on_signal_free, NULL);
    kill(getpid(), SIGUSR2);
    loop_run(l);
    assert_int_equal(got, 1);
    loop_free(l);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_comes_to_the_loop),
        cmocka_unit_test(a_signal_watch_may_free_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
