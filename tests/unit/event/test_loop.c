#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/event/loop.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct loop *l;
static char order[64];

static void
note(const char *s)
{
    assert_true(strlen(order) + strlen(s) < sizeof(order));
    strcat(order, s);
}

/* One turn without waiting. */
static void
turn(void)
{
    loop_stop(l);
    loop_run(l);
}

static void
note_freed(void *p)
{
    note(p);
}

static struct task a, b, c;

static void
run_a(struct task *t)
{
    note("a");
    loop_defer_free(l, note_freed, (void *)(uintptr_t) "F");
    loop_at_turn_end(l, &c);
}

static void
run_b(struct task *t)
{
    note("b");
}

static void
run_c(struct task *t)
{
    note("c");
}

static void
open_loop(void)
{
    l = loop_new("test");
    assert_non_null(l);
    order[0] = '\0';
    a = (struct task){ .run = run_a };
    b = (struct task){ .run = run_b };
    c = (struct task){ .run = run_c };
}

static void
tasks_run_once_in_order_before_frees(void **state)
{
    open_loop();
    loop_at_turn_end(l, &a);
    loop_at_turn_end(l, &b);
    loop_at_turn_end(l, &a);
    turn();
    assert_string_equal(order, "abcF");
    turn();
    assert_string_equal(order, "abcF");
    loop_free(l);
}

static void
a_cancelled_task_does_not_run(void **state)
{
    open_loop();
    loop_at_turn_end(l, &b);
    loop_at_turn_end(l, &c);
    task_cancel(l, &b);
    task_cancel(l, &b);
    loop_at_turn_end(l, &a); /* behind c, and c is queued already */
    turn();
    assert_string_equal(order, "cacF");
    order[0] = '\0';
    loop_at_turn_end(l, &b);
    loop_at_turn_end(l, &c);
    task_cancel(l, &c); /* the last one */
    loop_at_turn_end(l, &c);
    turn();
    assert_string_equal(order, "bc");
    loop_free(l);
}

static void
run_cancel_b(struct task *t)
{
    note("x");
    task_cancel(l, &b);
    task_cancel(l, &c);
}

static void
a_task_may_cancel_others_of_its_round(void **state)
{
    struct task x = { .run = run_cancel_b };

    open_loop();
    loop_at_turn_end(l, &x);
    loop_at_turn_end(l, &b);
    loop_at_turn_end(l, &c);
    turn();
    assert_string_equal(order, "x");
    loop_at_turn_end(l, &b);
    turn();
    assert_string_equal(order, "xb");
    loop_free(l);
}

static unsigned rounds;

static void
run_again(struct task *t)
{
    rounds++;
    if (rounds < 1500)
        loop_at_turn_end(l, t);
    else
        loop_stop(l);
}

/* And the loop does not sleep on what is left. */
static void
endless_tasks_leave_a_turn_after_a_thousand_rounds(void **state)
{
    struct task t = { .run = run_again };

    open_loop();
    rounds = 0;
    loop_at_turn_end(l, &t);
    turn();
    assert_int_equal(rounds, 1000);
    loop_run(l);
    assert_int_equal(rounds, 1500);
    loop_free(l);
}

static void
free_and_defer_more(void *p)
{
    note(p);
    loop_defer_free(l, note_freed, (void *)(uintptr_t) "2");
}

static void
a_free_may_defer_another(void **state)
{
    open_loop();
    loop_defer_free(l, free_and_defer_more, (void *)(uintptr_t) "1");
    turn();
    assert_string_equal(order, "12");
    loop_defer_free(l, free_and_defer_more, (void *)(uintptr_t) "1");
    loop_free(l);
    assert_string_equal(order, "1212");
}

static void
what_is_asked_for_after_the_last_turn_is_done(void **state)
{
    open_loop();
    a.run = run_a;
    c.run = run_c;
    turn();
    loop_at_turn_end(l, &a);
    loop_last_turn(l);
    assert_string_equal(order, "acF");
    assert_null(loop_current());
    loop_free(l);
}

static void
run_inside(struct task *t)
{
    nsec_t until = clock_precise() + 3 * NSEC_PER_MSEC;

    assert_ptr_equal(loop_current(), l);
    assert_true(loop_turn_started(l) != 0);
    while (clock_precise() < until)
        ;
}

static void
a_turn_is_timed(void **state)
{
    struct task t = { .run = run_inside };
    nsec_t lag;

    open_loop();
    loop_at_turn_end(l, &t);
    turn();
    assert_null(loop_current());
    assert_true(loop_turn_started(l) == 0);
    lag = loop_lag_max(l);
    assert_true(lag >= 3 * NSEC_PER_MSEC);
    assert_true(loop_lag_max(l) == 0);
    assert_string_equal(loop_name(l), "test");
    loop_free(l);
}

/* ------------------------------------------------------------------ many events */

#define MANY 150 /* more than two turns tell */

static struct {
    int fds[MANY];
    struct watch watches[MANY];
    struct task task;
    struct timer timer;
    unsigned told, most, turns; /* of events: in all, in one turn; turns that had some */
    unsigned told_before;       /* when the turn began */
    unsigned told_at_timer;
    size_t bytes; /* that each event brings */
} many;

static void
count_turn(struct task *t)
{
    unsigned n = many.told - many.told_before;

    many.turns++;
    many.most = n > many.most ? n : many.most;
    many.told_before = many.told;
    if (many.told == MANY)
        loop_stop(l);
}

/* The first of all sets the timer: due at once, but everything else is known already. */
static void
count_event(struct watch *w, unsigned events)
{
    if (many.told++ == 0)
        timer_set(&many.timer, clock_now());
    if (many.told == 1)
        assert_true(watch_has_news(&many.watches[20]));
    assert_false(watch_has_news(w));
    loop_note_read(l, many.bytes);
    loop_at_turn_end(l, &many.task);
}

static void
note_told(struct timer *t)
{
    many.told_at_timer = many.told;
}

/* An event at each, until all are told. */
static void
wake_all(size_t bytes)
{
    uint64_t one = 1;

    many.told = many.told_before = many.most = many.turns = many.told_at_timer = 0;
    many.bytes = bytes;
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(write(many.fds[i], &one, sizeof(one)), sizeof(one));
    loop_run(l);
    assert_int_equal(many.told, MANY);
    assert_int_equal(many.told_at_timer, MANY);
}

static void
many_events_take_several_turns_and_timers_wait_for_them(void **state)
{
    open_loop();
    many.bytes = 0;
    many.task.run = count_turn;
    timer_init(&many.timer, l, note_told);
    for (unsigned i = 0; i < MANY; i++) {
        many.fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        assert_int_equal(watch_open(&many.watches[i], l, many.fds[i], count_event), 0);
    }
    loop_run(l); /* that they can be written to; libevent asks the kernel for more at once as it finds more */
    assert_int_equal(many.told, MANY);
    wake_all(0);
    assert_int_equal(many.turns, 3);
    assert_int_equal(many.most, 64);
    wake_all(100 * 1024);
    assert_int_equal(many.turns, 50);
    assert_int_equal(many.most, 3);
    for (unsigned i = 0; i < MANY; i++) {
        watch_close(&many.watches[i]);
        close(many.fds[i]);
    }
    timer_fini(&many.timer);
    loop_free(l);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_run_once_in_order_before_frees),
        cmocka_unit_test(a_cancelled_task_does_not_run),
        cmocka_unit_test(a_task_may_cancel_others_of_its_round),
        cmocka_unit_test(endless_tasks_leave_a_turn_after_a_thousand_rounds),
        cmocka_unit_test(a_free_may_defer_another),
        cmocka_unit_test(what_is_asked_for_after_the_last_turn_is_done),
        cmocka_unit_test(a_turn_is_timed),
        cmocka_unit_test(many_events_take_several_turns_and_timers_wait_for_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
