/* wire: the far end of a connection under test, and a loop that runs until something has happened. */
#ifndef TEST_WIRE_H
#define TEST_WIRE_H

#include "../../../src/base/strbuf.h"
#include "../../../src/base/xalloc.h"
#include "../../../src/event/loop.h"
#include "../../../src/net/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define WIRE_TICK (NSEC_PER_MSEC / 5)
#define WIRE_PATIENCE (10 * NSEC_PER_SEC)

/* ------------------------------------------------------------------ a loop that runs until a condition holds */

struct until {
    struct timer timer;
    bool (*holds)(void *arg);
    void *arg;
    nsec_t give_up;
    bool held;
};

static inline void
until_tick(struct timer *t)
{
    struct until *u = (struct until *)((char *)t - offsetof(struct until, timer));

    u->held = u->holds(u->arg);
    if (u->held || clock_now() > u->give_up)
        loop_stop(t->loop);
    else
        timer_after(t, WIRE_TICK);
}

static inline bool
run_until(struct loop *l, bool (*holds)(void *), void *arg)
{
    struct until u = { .holds = holds, .arg = arg };

    clock_update();
    u.give_up = clock_now() + WIRE_PATIENCE;
    timer_init(&u.timer, l, until_tick);
    timer_after(&u.timer, 1);
    loop_run(l);
    timer_fini(&u.timer);
    return u.held;
}

static inline bool
time_is_over(void *arg)
{
    return clock_now() >= *(nsec_t *)arg;
}

/* For showing that something does not happen. */
static inline void
run_for(struct loop *l, nsec_t time)
{
    clock_update();
    time += clock_now();
    assert_true(run_until(l, time_is_over, &time));
}

struct text_wanted {
    const struct strbuf *in;
    const char *text;
};

static inline bool
text_is_there(void *arg)
{
    const struct text_wanted *want = arg;

    return want->in->p && strstr(want->in->p, want->text);
}

/* Runs until it is: for what owners of streams note of what they are told. */
static inline void
expect_in(struct loop *l, const struct strbuf *in, const char *text)
{
    struct text_wanted want = { in, text };

    if (!run_until(l, text_is_there, &want))
        fail_msg("expected \"%s\" in \"%s\"", text, in->p ? in->p : "");
}

/* ------------------------------------------------------------------ the far end */

struct wire {
    int fd;
    struct loop *loop;
    struct watch watch;
    struct strbuf got;
    size_t seen; /* of got: taken by wire_expect */
    bool paused; /* does not read */
    bool eof, reset;
    const char *to_send; /* what the socket did not take yet */
    size_t left;
};

static inline void
wire_push(struct wire *w)
{
    while (w->left) {
        ssize_t n = send(w->fd, w->to_send, w->left, MSG_NOSIGNAL);

        if (n < 0)
            return;
        w->to_send += n;
        w->left -= (size_t)n;
    }
}

static inline void
wire_pull(struct wire *w)
{
    char buf[65536];
    ssize_t n;

    while (!w->paused && !w->eof && !w->reset) {
        n = recv(w->fd, buf, sizeof(buf), 0);
        if (n > 0)
            strbuf_add(&w->got, buf, (size_t)n);
        else if (n == 0)
            w->eof = true;
        else if (errno == EAGAIN)
            return;
        else
            w->reset = true;
    }
}

static inline void
wire_ready(struct watch *watch, unsigned events)
{
    struct wire *w = (struct wire *)((char *)watch - offsetof(struct wire, watch));

    wire_push(w);
    wire_pull(w);
}

/* Two ends of a TCP connection on loopback: fds[0] the one that connected. Buffers are small so that back-pressure
 * shows soon. */
static inline void
tcp_pair(int fds[2])
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(sin);
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 65536, on = 1;

    assert_true(l >= 0);
    setsockopt(l, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    assert_int_equal(bind(l, (struct sockaddr *)&sin, sizeof(sin)), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(getsockname(l, (struct sockaddr *)&sin, &len), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fds[0], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    assert_int_equal(connect(fds[0], (struct sockaddr *)&sin, sizeof(sin)), 0);
    fds[1] = accept(l, NULL, NULL);
    assert_true(fds[1] >= 0);
    close(l);
    for (int i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    }
}

/* The near end becomes a conn. */
static inline struct conn *
wire_open(struct wire *w, struct loop *l)
{
    struct addr a;
    int fds[2];
    struct conn *c;

    memset(w, 0, sizeof(*w));
    tcp_pair(fds);
    w->fd = fds[0];
    w->loop = l;
    strbuf_init(&w->got, 64 << 20);
    assert_int_equal(watch_open(&w->watch, l, w->fd, wire_ready), 0);
    assert_int_equal(addr_parse(SLICE("127.0.0.1:4711"), &a, NULL), 0);
    c = conn_accepted(l, fds[1], &a, &a, NULL);
    assert_non_null(c);
    return c;
}

static inline void
wire_close(struct wire *w)
{
    watch_close(&w->watch);
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    strbuf_fini(&w->got);
}

static inline void
wire_reset(struct wire *w)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    watch_close(&w->watch);
    setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(w->fd);
    w->fd = -1;
}

static inline void
wire_send(struct wire *w, const char *p, size_t n)
{
    assert_int_equal(w->left, 0);
    w->to_send = p;
    w->left = n;
    wire_push(w);
}

static inline void
wire_sends(struct wire *w, const char *s)
{
    wire_send(w, s, strlen(s));
}

static inline void
wire_fin(struct wire *w)
{
    shutdown(w->fd, SHUT_WR);
}

struct wire_wants {
    struct wire *w;
    const char *text;
};

/* Where `text` begins behind what was expected before; NULL: it has not come. */
static inline const char *
wire_find(const struct wire *w, const char *text)
{
    return w->got.n > w->seen ? memmem(w->got.p + w->seen, w->got.n - w->seen, text, strlen(text)) : NULL;
}

static inline bool
wire_has(void *arg)
{
    struct wire_wants *want = arg;
    struct wire *w = want->w;

    wire_pull(w);
    return wire_find(w, want->text) != NULL;
}

/* Runs until `text` came after what was expected before; returns the text from there up to its end. */
static inline const char *
wire_expect(struct wire *w, const char *text)
{
    struct wire_wants want = { w, text };
    static char all[65536]; /* the end of what came, when that is longer */
    const char *at;
    size_t n;

    if (!run_until(w->loop, wire_has, &want))
        fail_msg("expected \"%s\" in \"%s\"", text, w->got.n > w->seen ? w->got.p + w->seen : "");
    at = wire_find(w, text) + strlen(text);
    n = (size_t)(at - (w->got.p + w->seen));
    if (n >= sizeof(all))
        n = sizeof(all) - 1;
    memcpy(all, at - n, n);
    all[n] = '\0';
    w->seen = (size_t)(at - w->got.p);
    return all;
}

static inline bool
wire_over(void *arg)
{
    struct wire *w = arg;

    wire_pull(w);
    return w->eof || w->reset;
}

/* Runs until the other side has closed; what was not expected yet is returned. */
static inline const char *
wire_expect_end(struct wire *w)
{
    assert_true(run_until(w->loop, wire_over, w));
    return w->got.n > w->seen ? w->got.p + w->seen : "";
}

static inline const char *
wire_rest(struct wire *w)
{
    return w->got.n > w->seen ? w->got.p + w->seen : "";
}

#endif
