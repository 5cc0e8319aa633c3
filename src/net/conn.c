#include "conn.h"

#include "../base/log.h"
#include "../base/xalloc.h"
#include "client_count.h"
#include "descriptors.h"
#include "tcp.h"
#include "tls_conn.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <unistd.h>

static_assert(CONN_READABLE == WATCH_READ && CONN_WRITABLE == WATCH_WRITE, "a watch's bits are a conn's bits");

#define LINGER_BYTES (256u * 1024)
#define LINGER_TIME (2 * NSEC_PER_SEC)

int
conn_fail(struct conn *c, enum err_kind kind, int sys, const char *text)
{
    if (c->error)
        return CONN_ERROR;
    c->error = xcalloc(1, sizeof(*c->error));
    c->broken = true;
    if (sys) {
        errno = sys;
        err_errno(c->error, "%s", text);
        c->error->kind = kind;
    } else {
        err_set(c->error, kind, "%s", text);
    }
    return CONN_ERROR;
}

const char *
conn_error(const struct conn *c)
{
    return c->error ? c->error->text : "";
}

enum err_kind
conn_error_kind(const struct conn *c)
{
    return c->error ? c->error->kind : ERR_NONE;
}

const char *
conn_subject(struct conn *c)
{
    char peer[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX + 32];

    if (!c->subject) {
        addr_format(&c->peer, peer);
        snprintf(text, sizeof(text), "conn %llu %s", (unsigned long long)c->id, peer);
        c->subject = xstrdup(text);
    }
    return c->subject;
}

/* ------------------------------------------------------------------ events */

static void
connect_done(struct conn *c)
{
    int sys = 0;
    socklen_t len = sizeof(sys);
    char peer[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX + 16];

    c->connecting = false;
    if (getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
        sys = errno;
    if (!sys)
        return;
    addr_format(&c->peer, peer);
    snprintf(text, sizeof(text), "connect to %s", peer);
    conn_fail(c, ERR_SYSTEM, sys, text);
}

struct announcement {
    size_t n;
    char bytes[];
};

void
conn_announce(struct conn *c, struct slice bytes)
{
    assert(c->connecting && bytes.n <= 256 && !c->announcement);
    c->announcement = xmalloc(sizeof(*c->announcement) + bytes.n);
    c->announcement->n = bytes.n;
    memcpy(c->announcement->bytes, bytes.p, bytes.n);
}

/* The socket is new: it takes them all. */
static void
announce(struct conn *c)
{
    struct iovec iov = { c->announcement->bytes, c->announcement->n };
    ssize_t sent = tcp_send(c, &iov, 1);

    if (sent < 0 || (size_t)sent != c->announcement->n)
        conn_fail(c, ERR_CLOSED, sent < 0 ? errno : 0, "the connection took no PROXY header");
    free(c->announcement);
    c->announcement = NULL;
}

/* One more step of coming up. True when the session is to be told: it is up, or it will never be. */
static bool
establish(struct conn *c, unsigned events)
{
    if (c->connecting) {
        if (!(events & WATCH_WRITE))
            return false;
        connect_done(c);
        if (c->announcement && !c->broken)
            announce(c);
    }
    if (!c->broken && c->handshaking) {
        c->ready |= events & (CONN_READABLE | CONN_WRITABLE);
        if (c->ops->handshake(c) == CONN_AGAIN)
            return false;
        c->handshaking = false;
    }
    c->ready = CONN_READABLE | CONN_WRITABLE;
    return true;
}

static void
on_watch(struct watch *w, unsigned events)
{
    struct conn *c = (struct conn *)((char *)w - offsetof(struct conn, watch));
    unsigned told;

    c->blocked &= (unsigned char)~events;
    if (events & WATCH_CLOSED)
        c->closed_seen = true;
    if (c->connecting || c->handshaking)
        told = establish(c, events) ? CONN_READABLE | CONN_WRITABLE : 0;
    else
        told = c->ops->on_events(c, events & (CONN_READABLE | CONN_WRITABLE));
    if (told && c->on_ready)
        c->on_ready(c, told);
}

void
conn_go_on(struct conn *c)
{
    if (c->watch.fd >= 0 && c->handshaking && establish(c, 0) && c->on_ready)
        c->on_ready(c, CONN_READABLE | CONN_WRITABLE);
}

static void
on_kick(struct task *t)
{
    struct conn *c = (struct conn *)((char *)t - offsetof(struct conn, kick));
    unsigned events = c->kick_events;

    c->kick_events = 0;
    if (events && c->on_ready)
        c->on_ready(c, events);
}

/* ------------------------------------------------------------------ beginning */

/* Owns the fd from here on, also when it fails. */
static struct conn *
conn_new(struct loop *l, int fd, const struct addr *peer)
{
    static atomic_uint_fast64_t last_id;
    struct conn *c = xcalloc(1, sizeof(*c));

    c->ops = &tcp_ops;
    c->peer = *peer;
    c->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
    c->kick.run = on_kick;
    if (watch_open(&c->watch, l, fd, on_watch) < 0) {
        int sys = errno;

        close(fd);
        free(c);
        errno = sys;
        return NULL;
    }
    return c;
}

static void
conn_free(void *p)
{
    struct conn *c = p;

    if (c->ops->fini)
        c->ops->fini(c);
    free(c->error);
    free(c->subject);
    free(c->announcement);
    free(c);
}

struct conn *
conn_accepted(struct loop *l, int fd, const struct addr *peer, const struct addr *local, struct tls_server *tls)
{
    struct conn *c = conn_new(l, fd, peer);

    if (!c)
        return NULL;
    if (local)
        c->local = *local;
    if (tls) {
        tls_conn_accept(c, tls);
        c->handshaking = true;
    } else {
        c->ready = CONN_READABLE | CONN_WRITABLE;
    }
    return c;
}

/* Of the descriptors the last ones are not for this. -1 with errno. */
static int
outgoing_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), sys = errno;

    if (fd >= 0 && !descriptors_reserved(DESCRIPTOR_OUTGOING, fd))
        return fd;
    if (fd >= 0) {
        close(fd);
        sys = EMFILE;
    }
    descriptors_read_limit();
    errno = sys;
    return -1;
}

static int
connect_socket(const struct addr *to, struct err *e)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_sockaddr(to, &sa);
    char text[ADDR_TEXT_MAX];
    int fd;

    addr_format(to, text);
    fd = outgoing_socket(sa.ss_family);
    if (fd < 0) {
        err_errno(e, "socket for %s", text);
        if (e && descriptors_lack(e->sys))
            e->kind = ERR_LIMIT;
        return -1;
    }
    if (!addr_is_unix(to))
        tcp_prepare(fd);
    /* An interrupted non-blocking connect goes on by itself, as EINPROGRESS does. */
    if (connect(fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS && errno != EINTR) {
        err_errno(e, "connect to %s", text);
        close(fd);
        return -1;
    }
    return fd;
}

struct conn *
conn_connect(struct loop *l, const struct addr *to, const struct tls_client *tls, struct slice server_name,
             struct err *e)
{
    int fd = connect_socket(to, e);
    struct conn *c;

    if (fd < 0)
        return NULL;
    c = conn_new(l, fd, to);
    if (!c) {
        err_errno(e, "watching a new connection");
        return NULL;
    }
    c->connecting = true;
    if (tls) {
        c->handshaking = true;
        if (tls_conn_connect(c, tls, server_name, e) < 0) {
            conn_close(c);
            return NULL;
        }
    }
    return c;
}

void
conn_attach(struct conn *c, void (*on_ready)(struct conn *, unsigned), void *owner)
{
    c->on_ready = on_ready;
    c->owner = owner;
}

/* ------------------------------------------------------------------ moving bytes */

/* What there is to say without asking the transport; 0: nothing. */
static inline ssize_t
unread_state(const struct conn *c)
{
    if (c->broken)
        return CONN_ERROR;
    if (c->eof)
        return CONN_EOF;
    return c->connecting || c->handshaking ? CONN_AGAIN : 0;
}

ssize_t
conn_read(struct conn *c, void *p, size_t n)
{
    ssize_t state = unread_state(c);

    return state ? state : c->ops->read(c, p, n);
}

ssize_t
conn_readv(struct conn *c, const struct iovec *iov, int n)
{
    ssize_t state = unread_state(c);

    return state ? state : c->ops->readv(c, iov, n);
}

ssize_t
conn_writev(struct conn *c, const struct iovec *iov, int n)
{
    if (c->broken)
        return CONN_ERROR;
    if (c->connecting || c->handshaking)
        return CONN_AGAIN;
    return c->ops->writev(c, iov, n);
}

size_t
conn_outstanding(const struct conn *c)
{
    int n = 0;

    if (c->watch.fd < 0 || ioctl(c->watch.fd, SIOCOUTQ, &n) < 0 || n < 0)
        return 0;
    return (size_t)n;
}

void
conn_shutdown(struct conn *c)
{
    if (c->shut || c->broken || c->connecting || c->handshaking || c->watch.fd < 0)
        return;
    c->shut = true;
    c->ops->shutdown(c);
}

void
conn_kick(struct conn *c, unsigned events)
{
    if (c->watch.fd < 0)
        return;
    c->kick_events |= (unsigned char)events;
    loop_at_turn_end(c->watch.loop, &c->kick);
}

/* ------------------------------------------------------------------ end */

void
conn_close(struct conn *c)
{
    struct loop *l = c->watch.loop;
    int fd = c->watch.fd;

    if (fd < 0)
        return;
    if (c->tls)
        conn_shutdown(c); /* close_notify: the peer can tell the end from a cut */
    task_cancel(l, &c->kick);
    c->on_ready = NULL;
    watch_close(&c->watch);
    close(fd);
    client_count_give(c->counted);
    loop_defer_free(l, conn_free, c);
}

struct lingering {
    struct timer timer;
    struct conn *conn;
    size_t left; /* bytes that may still be dropped */
    LIST_ENTRY(lingering) all;
};

/* Of this thread: a connection never changes it. */
static _Thread_local LIST_HEAD(, lingering) lingering;

static void
linger_end(struct lingering *lg)
{
    LIST_REMOVE(lg, all);
    timer_fini(&lg->timer);
    conn_close(lg->conn);
    free(lg);
}

static void
linger_on_timer(struct timer *t)
{
    linger_end((struct lingering *)((char *)t - offsetof(struct lingering, timer)));
}

static void
linger_on_ready(struct conn *c, unsigned events)
{
    struct lingering *lg = c->owner;
    char sink[16 * 1024];
    ssize_t n;

    for (;;) {
        n = conn_read(c, sink, sizeof(sink));
        if (n == CONN_AGAIN)
            return;
        if (n < 0 || (size_t)n >= lg->left)
            break;
        lg->left -= (size_t)n;
    }
    linger_end(lg);
}

void
conn_linger(struct conn *c)
{
    struct lingering *lg;

    if (c->watch.fd < 0)
        return;
    if (c->broken || c->connecting || c->handshaking) {
        conn_close(c);
        return;
    }
    conn_shutdown(c);
    if (c->eof) {
        conn_close(c);
        return;
    }
    lg = xcalloc(1, sizeof(*lg));
    lg->conn = c;
    lg->left = LINGER_BYTES;
    LIST_INSERT_HEAD(&lingering, lg, all);
    timer_init(&lg->timer, c->watch.loop, linger_on_timer);
    timer_after(&lg->timer, LINGER_TIME);
    conn_attach(c, linger_on_ready, lg);
    conn_kick(c, CONN_READABLE);
}

void
conn_linger_no_more(struct loop *l)
{
    struct lingering *lg, *next;

    for (lg = LIST_FIRST(&lingering); lg; lg = next) {
        next = LIST_NEXT(lg, all);
        if (lg->timer.loop == l)
            linger_end(lg);
    }
}

const char *
conn_alpn(const struct conn *c)
{
    return c->tls ? tls_conn_alpn(c) : "";
}

const struct client_cert *
conn_client_cert(const struct conn *c)
{
    return c->tls ? tls_conn_client_cert(c) : NULL;
}
