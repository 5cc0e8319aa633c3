#include "config.h" /* _GNU_SOURCE: accept4 */

#include "acceptor.h"

#include "../base/log.h"
#include "../base/xalloc.h"
#include "bind.h"
#include "descriptors.h"
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 64
#define ACCEPTS_AT_STOP 65536 /* more than any backlog */
#define ACCEPT_PAUSE (100 * NSEC_PER_MSEC)
#define TELL_PAUSES_EVERY (10 * NSEC_PER_SEC)
#define LEAVE_GRACE (2 * NSEC_PER_SEC) /* an answer of the kernel that was lost is sent again after one second */

struct acceptor {
    struct watch watch;
    struct timer pause, grace;
    void (*gone)(void *arg); /* when the grace is over */
    struct worker *worker;
    struct listener_socket *socket; /* a reference of its own */
    acceptor_fn on_accept;
    void *arg;
    int spare;     /* of the service worker: given up for a connection where there is no other descriptor; -1: none */
    bool wildcard; /* the local address has to be asked for */
    bool stopped;
};

static atomic_uint_fast64_t pauses;

uint64_t
acceptor_pauses(void)
{
    return atomic_load_explicit(&pauses, memory_order_relaxed);
}

static bool
is_wildcard(const struct addr *a)
{
    if (addr_is_unix(a))
        return false;
    if (a->u.sa.sa_family == AF_INET)
        return a->u.in.sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr);
}

/* ------------------------------------------------------------------ out of descriptors */

static bool
is_reserved(const struct acceptor *a, int fd)
{
    return a->worker->id != WORKER_SERVICE && descriptors_reserved(DESCRIPTOR_CLIENT, fd);
}

/* The number that the next connection would get is a reserved one, or there is none: then errno says so. */
static bool
only_reserved_left(const struct acceptor *a)
{
    bool none;
    int fd;

    if (a->worker->id == WORKER_SERVICE)
        return false;
    fd = fcntl(a->watch.fd, F_DUPFD_CLOEXEC, 0);
    none = fd < 0 || is_reserved(a, fd);
    if (fd >= 0)
        close(fd);
    errno = EMFILE;
    return none;
}

static void
spare_open(struct acceptor *a)
{
    if (a->spare < 0 && a->worker->id == WORKER_SERVICE)
        a->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
spare_close(struct acceptor *a)
{
    if (a->spare >= 0)
        close(a->spare);
    a->spare = -1;
}

/* True when there is something to try again with. */
static bool
spare_use(struct acceptor *a, int sys)
{
    if (a->spare < 0 || (sys != EMFILE && sys != ENFILE))
        return false;
    spare_close(a);
    return true;
}

/* The pauses are counted one by one; a line says so now and then. */
static void
tell_pause(const struct acceptor *a, int sys)
{
    static _Atomic nsec_t quiet_until;
    static atomic_uint_fast64_t told;
    nsec_t now = clock_now(), until = atomic_load_explicit(&quiet_until, memory_order_relaxed);
    uint64_t n = atomic_fetch_add_explicit(&pauses, 1, memory_order_relaxed) + 1;
    char text[ADDR_TEXT_MAX];

    if (now < until || !atomic_compare_exchange_strong(&quiet_until, &until, now + TELL_PAUSES_EVERY))
        return;
    n -= atomic_exchange_explicit(&told, n, memory_order_relaxed);
    addr_format(listener_addr(a->socket), text);
    errno = sys;
    log_warning("listener", "%s: accepting pauses for 100 ms, %llu times since the last line: %m%s", text,
                (unsigned long long)n,
                sys == EMFILE ? " (raise the limit of open files: LimitNOFILE= or ulimit -n)" : "");
}

static void
acceptor_pause(struct acceptor *a, int sys)
{
    tell_pause(a, sys);
    descriptors_read_limit();
    watch_pause(&a->watch);
    timer_after(&a->pause, ACCEPT_PAUSE);
}

/* ------------------------------------------------------------------ connections */

static void
hand_over(struct acceptor *a, int fd, const struct addr *peer)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct addr local = *listener_addr(a->socket);

    if (a->wildcard && getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
        addr_from_sockaddr(&local, (struct sockaddr *)&sa, len);
    a->on_accept(fd, peer, &local, a->arg);
}

/* Errors of one connection that died in the queue; accept(2) also gives pending errors of the network here. */
static bool
concerns_one(int sys)
{
    return sys == ECONNABORTED || sys == EINTR || sys == EPROTO || sys == EPERM || sys == ENETDOWN ||
           sys == ENOPROTOOPT || sys == EHOSTDOWN || sys == ENONET || sys == EHOSTUNREACH || sys == EOPNOTSUPP ||
           sys == ENETUNREACH;
}

/* A connection has come with this descriptor. -1 with errno: it was one of the last. */
static int
take(struct acceptor *a, int fd, const struct addr *peer)
{
    bool last = is_reserved(a, fd);

    if (last && descriptors_reserved(DESCRIPTOR_OUTGOING, fd))
        close(fd); /* nobody knew how tight it is: those are the service worker's */
    else
        hand_over(a, fd, peer);
    errno = EMFILE;
    return last ? -1 : 0;
}

/* Up to `max` connections. 0: the queue is empty or max was reached; -1 with errno: accepting does not work now. */
static int
accept_some(struct acceptor *a, int fd, unsigned max)
{
    struct sockaddr_storage sa;
    struct addr peer;

    while (max-- && !a->stopped) {
        socklen_t len = sizeof(sa);
        int got = -1;

        if (!descriptors_tight() || !only_reserved_left(a))
            got = accept4(fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (got >= 0) {
            addr_from_sockaddr(&peer, (struct sockaddr *)&sa, len);
            if (take(a, got, &peer) < 0)
                return -1;
        } else if (errno == EAGAIN) {
            return 0;
        } else if (!concerns_one(errno) && !spare_use(a, errno)) {
            return -1;
        }
    }
    return 0;
}

/* ------------------------------------------------------------------ life */

/* Level-triggered: what is left in the queue wakes the worker again in the next turn. */
static void
acceptor_on_ready(struct watch *w, unsigned events)
{
    struct acceptor *a = (struct acceptor *)((char *)w - offsetof(struct acceptor, watch));

    spare_open(a);
    if (accept_some(a, w->fd, ACCEPTS_PER_TURN) < 0 && !a->stopped)
        acceptor_pause(a, errno);
}

static void
acceptor_on_timer(struct timer *t)
{
    struct acceptor *a = (struct acceptor *)((char *)t - offsetof(struct acceptor, pause));

    spare_open(a);
    descriptors_read_limit();
    if (only_reserved_left(a))
        acceptor_pause(a, EMFILE);
    else
        watch_resume(&a->watch);
}

static void
acceptor_on_grace(struct timer *t)
{
    struct acceptor *a = (struct acceptor *)((char *)t - offsetof(struct acceptor, grace));

    acceptor_stop(a);
    a->gone(a->arg);
}

struct acceptor *
acceptor_start(struct worker *w, struct listener_socket *s, acceptor_fn on_accept, void *arg)
{
    struct acceptor *a;
    char text[ADDR_TEXT_MAX];
    int fd = listener_slot_fd(s, w->id);

    if (fd < 0) {
        addr_format(listener_addr(s), text);
        log_error("listener", "%s: worker %u has no socket for it", text, w->id);
        return NULL;
    }
    a = xcalloc(1, sizeof(*a));
    a->worker = w;
    a->socket = s;
    a->on_accept = on_accept;
    a->arg = arg;
    a->wildcard = is_wildcard(listener_addr(s));
    a->spare = -1;
    descriptors_read_limit();
    spare_open(a);
    timer_init(&a->pause, w->loop, acceptor_on_timer);
    timer_init(&a->grace, w->loop, acceptor_on_grace);
    if (watch_open_level(&a->watch, w->loop, fd, acceptor_on_ready) < 0) {
        addr_format(listener_addr(s), text);
        log_error("listener", "%s: worker %u cannot watch it: %m", text, w->id);
        spare_close(a);
        free(a);
        return NULL;
    }
    listener_hold(s);
    return a;
}

/*
 * A connection that completes its handshake between the last accept and the close is reset. So no handshake begins any
 * more: the client's SYN is dropped, and the next one, a second later, finds the address closed or goes to another
 * socket that listens there. The program sees the segment from its TCP header on; byte 13 holds the flags.
 */
static void
refuse_handshakes(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
        listen(fd, 0); /* a kernel that lets root alone do this: at most one gets in */
}

static void
empty_queue(struct acceptor *a, int fd)
{
    if (!addr_is_unix(listener_addr(a->socket)) && !handover_lent(fd))
        refuse_handshakes(fd);
    accept_some(a, fd, ACCEPTS_AT_STOP);
}

void
acceptor_stop(struct acceptor *a)
{
    if (a->stopped)
        return;
    if (!handover_shared(a->watch.fd))
        empty_queue(a, a->watch.fd);
    a->stopped = true;
    watch_close(&a->watch);
    timer_fini(&a->pause);
    timer_fini(&a->grace);
    spare_close(a);
    listener_slot_close(a->socket, a->worker->id);
    listener_put(a->socket);
    a->socket = NULL;
    loop_defer_free(a->worker->loop, free, a);
}

bool
acceptor_leave(struct acceptor *a, void (*gone)(void *arg))
{
    int fd = a->watch.fd;

    if (addr_is_unix(listener_addr(a->socket)) || listener_handed_over(a->socket) || handover_lent(fd) ||
        !bind_hide(fd)) {
        acceptor_stop(a);
        return false;
    }
    a->gone = gone;
    timer_after(&a->grace, LEAVE_GRACE);
    return true;
}
