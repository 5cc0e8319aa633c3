#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/random.h"
#include "../../../src/event/loop.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct loop *l;

struct probe {
    struct timer t;
    nsec_t due, fired;
    unsigned calls;
};

static unsigned left;

static void
on_fire(struct timer *t)
{
    struct probe *p = (struct probe *)t;

    p->calls++;
    p->fired = clock_precise();
    assert_false(timer_is_set(t));
    if (--left == 0)
        loop_stop(t->loop);
}

static void
arm(struct probe *p, nsec_t delay)
{
    p->due = clock_now() + delay;
    timer_set(&p->t, p->due);
}

static void
timers_fire_in_order_and_never_early(void **state)
{
    struct probe p[50];
    unsigned i, k;

    l = loop_new("test");
    clock_update();
    for (i = 0; i < 50; i++) {
        memset(&p[i], 0, sizeof(p[i]));
        timer_init(&p[i].t, l, on_fire);
        arm(&p[i], (nsec_t)random_below(30 * NSEC_PER_MSEC));
    }
    left = 50;
    loop_run(l);
    for (i = 0; i < 50; i++) {
        assert_int_equal(p[i].calls, 1);
        assert_true(p[i].fired >= p[i].due);
        for (k = 0; k < i; k++)
            assert_true(p[i].due < p[k].due ? p[i].fired <= p[k].fired : p[i].fired >= p[k].fired || p[i].due == p[k].due);
        timer_fini(&p[i].t);
    }
    loop_free(l);
}

static void
moving_later_costs_a_store_and_is_honoured(void **state)
{
    struct probe p = { 0 };
    nsec_t armed;

    l = loop_new("test");
    clock_update();
    timer_init(&p.t, l, on_fire);
    arm(&p, 2 * NSEC_PER_MSEC);
    armed = p.t.armed;
    arm(&p, 10 * NSEC_PER_MSEC);
    assert_true(p.t.armed == armed);
    left = 1;
    loop_run(l);
    assert_int_equal(p.calls, 1);
    assert_true(p.fired >= p.due);
    timer_fini(&p.t);
    loop_free(l);
}

static void
moving_sooner_is_honoured(void **state)
{
    struct probe p = { 0 };

    l = loop_new("test");
    clock_update();
    timer_init(&p.t, l, on_fire);
    arm(&p, 3600 * NSEC_PER_SEC);
    arm(&p, NSEC_PER_MSEC);
    left = 1;
    loop_run(l);
    assert_true(p.fired - p.due < NSEC_PER_SEC);
    timer_fini(&p.t);
    loop_free(l);
}

static struct probe victim;

static void
on_fire_clear(struct timer *t)
{
    timer_clear(&victim.t);
    timer_clear(&victim.t);
    on_fire(t);
}

static void
a_cleared_timer_does_not_fire(void **state)
{
    struct probe p = { 0 }, last = { 0 };

    l = loop_new("test");
    clock_update();
    memset(&victim, 0, sizeof(victim));
    timer_init(&p.t, l, on_fire_clear);
    timer_init(&victim.t, l, on_fire);
    timer_init(&last.t, l, on_fire);
    arm(&p, NSEC_PER_MSEC);
    arm(&victim, NSEC_PER_MSEC + 1); /* due in the same turn */
    arm(&last, 3 * NSEC_PER_MSEC);
    left = 2;
    loop_run(l);
    assert_int_equal(victim.calls, 0);
    assert_int_equal(p.calls + last.calls, 2);
    arm(&victim, NSEC_PER_MSEC); /* and may be set again */
    left = 1;
    loop_run(l);
    assert_int_equal(victim.calls, 1);
    timer_fini(&victim.t);
    timer_fini(&p.t);
    timer_fini(&last.t);
    loop_free(l);
}

static void
on_fire_fini(struct timer *t)
{
    timer_fini(t);
    free(t);
    loop_stop(l);
}

static void
a_timer_may_end_itself(void **state)
{
    struct probe *p = calloc(1, sizeof(*p));

    l = loop_new("test");
    timer_init(&p->t, l, on_fire_fini);
    timer_after(&p->t, 0);
    loop_run(l);
    loop_free(l);
}

static unsigned turns;
static struct task each_turn;

static void
count_turn(struct task *t)
{
    turns++;
}

static void
on_fire_past(struct timer *t)
{
    struct probe *p = (struct probe *)t;

    loop_at_turn_end(t->loop, &each_turn);
    if (++p->calls == 10)
        loop_stop(t->loop);
    else
        timer_set(t, 1); /* long ago */
}

static void
a_timer_that_is_always_due_does_not_hold_the_loop(void **state)
{
    struct probe p = { 0 };

    l = loop_new("test");
    turns = 0;
    each_turn = (struct task){ .run = count_turn };
    timer_init(&p.t, l, on_fire_past);
    timer_set(&p.t, 1);
    loop_run(l);
    assert_int_equal(p.calls, 10);
    assert_int_equal(turns, 10);
    timer_fini(&p.t);
    loop_free(l);
}

static unsigned readable;

static void
on_readable(struct watch *w, unsigned events)
{
    if (++readable == 100)
        loop_stop(w->loop); /* it should not come to that */
}

static void
on_fire_stop(struct timer *t)
{
    loop_stop(t->loop);
}

static void
an_event_that_is_always_there_does_not_hold_a_timer(void **state)
{
    struct timer t;
    struct watch w;
    int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);

    l = loop_new("test");
    readable = 0;
    assert_int_equal(watch_open_level(&w, l, fd, on_readable), 0);
    timer_init(&t, l, on_fire_stop);
    timer_set(&t, 1); /* due in the next turn */
    loop_run(l);
    assert_true(readable < 10);
    timer_fini(&t);
    watch_close(&w);
    close(fd);
    loop_free(l);
}

static void
far_future_does_not_overflow(void **state)
{
    struct probe far = { 0 }, p = { 0 };

    l = loop_new("test");
    timer_init(&far.t, l, on_fire);
    timer_after(&far.t, INT64_MAX);
    assert_true(far.t.deadline == INT64_MAX);
    timer_init(&p.t, l, on_fire);
    timer_after(&p.t, NSEC_PER_MSEC);
    left = 1;
    loop_run(l);
    assert_int_equal(far.calls, 0);
    timer_fini(&far.t);
    timer_fini(&p.t);
    loop_free(l);
}

/* Against what was asked for, with everything that may happen to a timer mixed. */
static void
random_settings_fire_once_each_and_never_early(void **state)
{
    enum { N = 300 };
    static struct probe p[N];
    unsigned i, k, expect = 0;

    l = loop_new("test");
    clock_update();
    memset(p, 0, sizeof(p));
    for (i = 0; i < N; i++)
        timer_init(&p[i].t, l, on_fire);
    for (k = 0; k < 5000; k++) {
        struct probe *x = &p[random_below(N)];

        switch (random_below(4)) {
        case 0:
            timer_clear(&x->t);
            break;
        case 1:
            timer_fini(&x->t);
            break;
        default:
            arm(x, (nsec_t)random_below(20 * NSEC_PER_MSEC));
        }
    }
    for (i = 0; i < N; i++) {
        p[i].due = p[i].t.deadline;
        expect += timer_is_set(&p[i].t);
    }
    left = expect;
    assert_true(expect > 10);
    loop_run(l);
    for (i = 0; i < N; i++) {
        assert_int_equal(p[i].calls, p[i].due != 0);
        assert_true(p[i].fired >= p[i].due);
        timer_fini(&p[i].t);
    }
    loop_free(l);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_and_never_early),
        cmocka_unit_test(moving_later_costs_a_store_and_is_honoured),
        cmocka_unit_test(moving_sooner_is_honoured),
        cmocka_unit_test(a_cleared_timer_does_not_fire),
        cmocka_unit_test(a_timer_may_end_itself),
        cmocka_unit_test(a_timer_that_is_always_due_does_not_hold_the_loop),
        cmocka_unit_test(an_event_that_is_always_there_does_not_hold_a_timer),
        cmocka_unit_test(far_future_does_not_overflow),
        cmocka_unit_test(random_settings_fire_once_each_and_never_early),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
