#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/event/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *l;
static struct timer guard;

static void
on_guard(struct timer *t)
{
    loop_stop(t->loop);
}

/* Runs the loop for so long, or until somebody stops it. */
static void
run_for(unsigned ms)
{
    clock_update();
    timer_init(&guard, l, on_guard);
    timer_after(&guard, (nsec_t)ms * NSEC_PER_MSEC);
    loop_run(l);
    timer_fini(&guard);
}

struct pair {
    struct watch w;
    int fd, peer;
    unsigned calls, events;
    struct pair *other;
};

static void
on_ready(struct watch *w, unsigned events)
{
    struct pair *p = (struct pair *)w;

    p->calls++;
    p->events |= events;
    if (p->other) {
        watch_close(&p->other->w);
        close(p->other->fd);
    }
    loop_stop(w->loop);
}

static void
pair_open(struct pair *p)
{
    int fds[2];

    memset(p, 0, sizeof(*p));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    p->fd = fds[0];
    p->peer = fds[1];
}

static void
pair_close(struct pair *p)
{
    watch_close(&p->w);
    close(p->fd);
    close(p->peer);
}

static void
edges_come_once(void **state)
{
    struct pair p;

    l = loop_new("test");
    pair_open(&p);
    assert_int_equal(watch_open(&p.w, l, p.fd, on_ready), 0);
    assert_int_equal(p.w.fd, p.fd);
    run_for(1000);
    assert_int_equal(p.calls, 1); /* a fresh socket is writable */
    assert_int_equal(p.events, WATCH_WRITE);
    run_for(5);
    assert_int_equal(p.calls, 1);
    p.events = 0;
    assert_int_equal(write(p.peer, "x", 1), 1);
    run_for(1000);
    assert_int_equal(p.calls, 2);
    assert_true(p.events & WATCH_READ);
    run_for(5); /* not read, and yet silent */
    assert_int_equal(p.calls, 2);
    assert_int_equal(write(p.peer, "y", 1), 1);
    run_for(1000);
    assert_int_equal(p.calls, 3);
    pair_close(&p);
    loop_free(l);
}

static void
the_end_of_the_peer_is_told(void **state)
{
    struct pair p;

    l = loop_new("test");
    pair_open(&p);
    watch_open(&p.w, l, p.fd, on_ready);
    run_for(1000);
    p.events = 0;
    assert_int_equal(shutdown(p.peer, SHUT_WR), 0);
    run_for(1000);
    assert_int_equal(p.events & (WATCH_READ | WATCH_CLOSED), WATCH_READ | WATCH_CLOSED);
    p.events = 0;
    close(p.peer);
    p.peer = -1;
    run_for(1000);
    assert_int_equal(p.events, WATCH_READ | WATCH_WRITE | WATCH_CLOSED);
    pair_close(&p);
    loop_free(l);
}

static void
a_watch_closed_in_this_turn_gets_no_event(void **state)
{
    struct pair a, b;

    l = loop_new("test");
    pair_open(&a);
    pair_open(&b);
    a.other = &b;
    b.other = &a;
    watch_open(&a.w, l, a.fd, on_ready);
    watch_open(&b.w, l, b.fd, on_ready);
    run_for(20); /* both are ready in the same turn; whoever comes first closes the other */
    assert_int_equal(a.calls + b.calls, 1);
    a.other = b.other = NULL;
    if (a.calls) {
        pair_close(&a);
        close(b.peer);
    } else {
        pair_close(&b);
        close(a.peer);
    }
    loop_free(l);
}

static struct pair fresh;

static void
on_ready_replace(struct watch *w, unsigned events)
{
    struct pair *p = (struct pair *)w, *other = p->other;

    p->calls++;
    if (other->w.impl) {
        watch_close(&other->w);
        close(other->fd);
        pair_open(&fresh); /* takes the number, and in the loop the event, of the one just closed */
        assert_int_equal(watch_open(&fresh.w, l, fresh.fd, on_ready), 0);
        assert_int_equal(fresh.fd, other->fd);
    }
}

static void
a_reused_descriptor_gets_its_own_events_only(void **state)
{
    struct pair a, b, *first, *second;
    char c[4];

    l = loop_new("test");
    pair_open(&a);
    pair_open(&b);
    a.other = &b;
    b.other = &a;
    assert_int_equal(write(a.peer, "a", 1), 1);
    assert_int_equal(write(b.peer, "b", 1), 1);
    watch_open(&a.w, l, a.fd, on_ready_replace);
    watch_open(&b.w, l, b.fd, on_ready_replace);
    run_for(20);
    first = a.calls ? &a : &b;
    second = first->other;
    assert_int_equal(first->calls, 1);
    assert_int_equal(second->calls, 0);
    assert_int_equal(fresh.calls, 1);
    assert_int_equal(fresh.events, WATCH_WRITE); /* not the READ that its number was ready for before */
    assert_int_equal(read(fresh.fd, c, sizeof(c)), -1);
    pair_close(&fresh);
    pair_close(first);
    close(second->peer);
    loop_free(l);
}

static void
on_ready_close_self(struct watch *w, unsigned events)
{
    ((struct pair *)w)->calls++;
    watch_close(w);
    watch_close(w);
    assert_int_equal(w->fd, -1);
    loop_stop(l);
}

static void
a_watch_may_close_itself(void **state)
{
    struct pair p;

    l = loop_new("test");
    pair_open(&p);
    watch_open(&p.w, l, p.fd, on_ready_close_self);
    run_for(1000);
    assert_int_equal(write(p.peer, "x", 1), 1);
    run_for(5);
    assert_int_equal(p.calls, 1);
    pair_close(&p);
    loop_free(l);
}

static void
a_level_watch_repeats_until_paused(void **state)
{
    struct pair p;

    l = loop_new("test");
    pair_open(&p);
    assert_int_equal(watch_open_level(&p.w, l, p.fd, on_ready), 0);
    run_for(5);
    assert_int_equal(p.calls, 0); /* writable does not count */
    assert_int_equal(write(p.peer, "x", 1), 1);
    run_for(1000);
    run_for(1000);
    assert_int_equal(p.calls, 2);
    assert_int_equal(p.events, WATCH_READ);
    watch_pause(&p.w);
    watch_pause(&p.w);
    run_for(5);
    assert_int_equal(p.calls, 2);
    watch_resume(&p.w);
    watch_resume(&p.w);
    run_for(1000);
    assert_int_equal(p.calls, 3);
    watch_pause(&p.w);
    watch_close(&p.w);
    watch_resume(&p.w);
    pair_close(&p);
    loop_free(l);
}

static void
what_cannot_be_watched_is_refused(void **state)
{
    FILE *f = tmpfile();
    struct watch w;

    l = loop_new("test");
    errno = 0;
    assert_int_equal(watch_open(&w, l, fileno(f), on_ready), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(w.fd, -1);
    watch_close(&w);
    fclose(f);
    loop_free(l);
}

static void
a_zeroed_watch_may_be_closed(void **state)
{
    struct watch w;

    memset(&w, 0, sizeof(w));
    watch_close(&w);
    assert_null(w.impl);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_come_once),
        cmocka_unit_test(the_end_of_the_peer_is_told),
        cmocka_unit_test(a_watch_closed_in_this_turn_gets_no_event),
        cmocka_unit_test(a_reused_descriptor_gets_its_own_events_only),
        cmocka_unit_test(a_watch_may_close_itself),
        cmocka_unit_test(a_level_watch_repeats_until_paused),
        cmocka_unit_test(what_cannot_be_watched_is_refused),
        cmocka_unit_test(a_zeroed_watch_may_be_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
