/* netlab: what the tests of src/net share: one loop that runs until something has come true, and plain blocking peers.
 */
#ifndef NETLAB_H
#define NETLAB_H

#include "../../../src/event/loop.h"
#include "../../../src/net/addr.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

struct lab_wait {
    struct task task;
    struct timer timer, tick;
    struct loop *loop;
    bool (*done)(void *arg);
    void *arg;
    bool late;
};

static inline void
lab_on_late(struct timer *t)
{
    struct lab_wait *w = (struct lab_wait *)((char *)t - offsetof(struct lab_wait, timer));

    w->late = true;
    loop_stop(t->loop);
}

/* The condition is looked at once a millisecond: it may depend on the peer's side of a socket. */
static inline void
lab_on_tick(struct timer *t)
{
    struct lab_wait *w = (struct lab_wait *)((char *)t - offsetof(struct lab_wait, tick));

    if (w->done(w->arg))
        loop_stop(t->loop);
    else
        timer_after(t, NSEC_PER_MSEC);
}

/* Runs the loop until done(arg) says so; false after `limit`. */
static inline bool
lab_run_for(struct loop *l, bool (*done)(void *), void *arg, nsec_t limit)
{
    struct lab_wait w = { .loop = l, .done = done, .arg = arg };

    clock_update();
    timer_init(&w.timer, l, lab_on_late);
    timer_init(&w.tick, l, lab_on_tick);
    timer_after(&w.timer, limit);
    timer_after(&w.tick, NSEC_PER_MSEC); /* at least one wait */
    loop_run(l);
    timer_fini(&w.timer);
    timer_fini(&w.tick);
    return !w.late;
}

#define lab_run(l, done, arg) assert_true(lab_run_for((l), (done), (arg), 10 * NSEC_PER_SEC))

static inline bool
lab_flag(void *arg)
{
    return *(bool *)arg;
}

static inline struct addr
lab_addr(const char *text)
{
    struct addr a;

    assert_int_equal(addr_parse(slice_str(text), &a, NULL), 0);
    return a;
}

/* A listening loopback socket of the test's own, blocking; its address in *a. */
static inline int
lab_listen(struct addr *a)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    addr_from_sockaddr(a, (struct sockaddr *)&in, len);
    return fd;
}

/* A blocking client; -1 with errno. */
static inline int
lab_dial(const struct addr *a)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_sockaddr(a, &sa);
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&sa, len) == 0)
        return fd;
    close(fd);
    return -1;
}

#endif
