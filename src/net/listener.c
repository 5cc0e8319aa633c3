#include "config.h" /* _GNU_SOURCE: accept4 */

#include "listener.h"

#include "../base/log.h"
#include "../base/privilege.h"
#include "../base/xalloc.h"
#include "bind.h"
#include "descriptors.h"
#include "handover.h"
#include "tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 64
#define ACCEPTS_AT_STOP 65536 /* more than any backlog */
#define ACCEPT_PAUSE (100 * NSEC_PER_MSEC)
#define TELL_PAUSES_EVERY (10 * NSEC_PER_SEC)

struct listener_socket {
    struct listener_socket *next; /* in `sockets` until it is closed */
    struct addr addr;
    unsigned refs;
    bool ephemeral; /* port 0 was asked for */
    bool retired;
    unsigned first, last;
    dev_t dev; /* of a unix socket's file, so that no other's is removed */
    ino_t ino;
    int fds[]; /* [last - first + 1]; -1 once its worker has closed it */
};

/* Every open one of the process. Generations are built and freed on other threads than the one that publishes them. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct listener_socket *sockets;

static unsigned
fds_count(const struct listener_socket *s)
{
    return s->last - s->first + 1;
}

/* ------------------------------------------------------------------ binding */

/* SO_REUSEPORT would let a second process of the same user take half of the connections in silence. So one bind without
 * it comes first, unless a socket of this process, or one that it has inherited, has that port and would be in its way.
 * Under the lock. */
static int
check_free(const struct addr *a)
{
    int fd;

    if (addr_port(a) == 0 || handover_has_port(addr_port(a)))
        return 0;
    for (struct listener_socket *s = sockets; s; s = s->next)
        if (addr_port(&s->addr) == addr_port(a))
            return 0;
    fd = bind_socket(a, false);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

/* Copies of the first n sockets in the slots from n on. */
static int
copy_first(struct listener_socket *s, unsigned n)
{
    for (unsigned i = n; i < fds_count(s); i++) {
        s->fds[i] = fcntl(s->fds[i % n], F_DUPFD_CLOEXEC, 0);
        if (s->fds[i] < 0)
            return -1;
    }
    return 0;
}

/* Sockets that were inherited come first. Those of systemd may have Nagle's algorithm on. */
static unsigned
take_inherited(struct listener_socket *s)
{
    unsigned n = 0;

    while (n < fds_count(s) && (s->fds[n] = handover_take(&s->addr)) >= 0)
        tcp_prepare(s->fds[n++]);
    return n;
}

static int
open_tcp(struct listener_socket *s, int backlog)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    unsigned taken = take_inherited(s);

    if (taken == 0 && check_free(&s->addr) < 0)
        return -1;
    for (unsigned i = taken; i < fds_count(s); i++) {
        s->fds[i] = bind_socket(&s->addr, true);
        if (s->fds[i] < 0 && taken)
            return copy_first(s, i); /* beside one of systemd's, or of another user, nothing can be bound */
        if (s->fds[i] < 0)
            return -1;
        if (i == 0 && s->ephemeral) {
            if (getsockname(s->fds[i], (struct sockaddr *)&sa, &len) < 0)
                return -1;
            addr_from_sockaddr(&s->addr, (struct sockaddr *)&sa, len);
        }
    }
    /* After all are bound, so that a failure has accepted nothing. */
    for (unsigned i = 0; i < fds_count(s); i++)
        if (listen(s->fds[i], backlog) < 0)
            return -1;
    return 0;
}

/* Before listen, so that nobody gets in under the umask's mode. */
static int
note_file(struct listener_socket *s)
{
    struct stat st;

    if (chmod(s->addr.path, 0660) < 0 || lstat(s->addr.path, &st) < 0)
        return -1;
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    return 0;
}

static int
bind_unix(struct listener_socket *s)
{
    if (bind_remove_stale(&s->addr) < 0)
        return -1;
    s->fds[0] = bind_socket(&s->addr, false);
    return s->fds[0] < 0 ? -1 : note_file(s);
}

/* In a directory where root alone may make files; the socket is the user's all the same. */
static int
bind_unix_as_root(struct listener_socket *s)
{
    const struct privilege_user *u = privilege_assumed();

    errno = EACCES;
    if (!privilege_trusts(s->addr.path) || bind_unix(s) < 0)
        return -1;
    return lchown(s->addr.path, u->uid, u->gid);
}

static int
open_unix(struct listener_socket *s, int backlog)
{
    int rc = 0;

    s->fds[0] = handover_take(&s->addr);
    if (s->fds[0] >= 0)
        (void)!note_file(s); /* where it lies may be root's: then the file is not this process's to remove */
    else
        rc = bind_unix(s);
    if (s->fds[0] < 0 && (errno == EACCES || errno == EPERM) && privilege_raise()) {
        rc = bind_unix_as_root(s);
        privilege_lower();
    }
    if (rc < 0 || listen(s->fds[0], backlog) < 0)
        return -1;
    return copy_first(s, 1);
}

/* ------------------------------------------------------------------ registry */

static void
unlink_own(const struct listener_socket *s)
{
    struct stat st;

    if (s->ino && lstat(s->addr.path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
        unlink(s->addr.path);
}

/* Whoever holds copies is told with the last one here. */
static void
slot_clear(struct listener_socket *s, unsigned slot)
{
    int fd = s->fds[slot];
    uint64_t cookie = handover_cookie(fd);
    bool last = true;

    s->fds[slot] = -1;
    for (unsigned i = 0; i < fds_count(s); i++)
        if (s->fds[i] >= 0 && handover_cookie(s->fds[i]) == cookie)
            last = false;
    if (handover_shared(fd))
        s->ino = 0; /* the file is the successor's */
    else if (last)
        handover_closing(fd);
    close(fd);
}

static void
socket_free(struct listener_socket *s)
{
    for (unsigned i = 0; i < fds_count(s); i++)
        if (s->fds[i] >= 0)
            slot_clear(s, i);
    if (addr_is_unix(&s->addr))
        unlink_own(s);
    free(s);
}

static struct listener_socket *
find(const struct addr *a, unsigned first, unsigned last)
{
    for (struct listener_socket *s = sockets; s; s = s->next)
        if (!s->retired && !s->ephemeral && s->first == first && s->last == last && addr_equal(&s->addr, a))
            return s;
    return NULL;
}

static struct listener_socket *
socket_make(const struct addr *a, unsigned first, unsigned last, int backlog, struct err *e)
{
    unsigned n = last - first + 1;
    struct listener_socket *s = xcalloc(1, sizeof(*s) + n * sizeof(s->fds[0]));
    char text[ADDR_TEXT_MAX];

    s->addr = *a;
    s->refs = 1;
    s->first = first;
    s->last = last;
    s->ephemeral = addr_port(a) == 0;
    for (unsigned i = 0; i < n; i++)
        s->fds[i] = -1;
    if ((addr_is_unix(a) ? open_unix(s, backlog) : open_tcp(s, backlog)) == 0)
        return s;
    if (errno == EEXIST && addr_is_unix(a)) {
        addr_format(a, text);
        err_set(e, ERR_SYSTEM, "%s: the path exists and is not a socket (remove it, or choose another path)", text);
    } else {
        bind_error(a, e);
    }
    socket_free(s);
    return NULL;
}

struct listener_socket *
listener_open(const struct addr *a, unsigned first, unsigned last, int backlog, struct err *e)
{
    struct listener_socket *s;

    pthread_mutex_lock(&lock);
    s = addr_port(a) == 0 ? NULL : find(a, first, last);
    if (s) {
        s->refs++;
    } else {
        s = socket_make(a, first, last, backlog, e);
        if (s) {
            s->next = sockets;
            sockets = s;
            for (unsigned i = 0; i < fds_count(s); i++)
                handover_opened(s->fds[i]);
        }
    }
    pthread_mutex_unlock(&lock);
    return s;
}

void
listener_hold(struct listener_socket *s)
{
    pthread_mutex_lock(&lock);
    s->refs++;
    pthread_mutex_unlock(&lock);
}

void
listener_put(struct listener_socket *s)
{
    struct listener_socket **at;
    bool last;

    if (!s)
        return;
    pthread_mutex_lock(&lock);
    last = --s->refs == 0;
    if (last) {
        for (at = &sockets; *at != s; at = &(*at)->next)
            ;
        *at = s->next;
        socket_free(s);
    }
    pthread_mutex_unlock(&lock);
}

void
listener_retire(struct listener_socket *s)
{
    pthread_mutex_lock(&lock);
    s->retired = true;
    /* Its path is free for a successor; connections that are queued are still accepted. */
    if (addr_is_unix(&s->addr)) {
        unlink_own(s);
        s->ino = 0;
    }
    pthread_mutex_unlock(&lock);
}

const struct addr *
listener_addr(const struct listener_socket *s)
{
    return &s->addr;
}

/* A generation may come back to an address while the workers are still leaving it: then the slot is filled again. */
static int
slot_reopen(const struct addr *a)
{
    int fd = addr_is_unix(a) ? -1 : bind_socket(a, true);

    if (fd < 0 || listen(fd, SOMAXCONN) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The worker's own slot; -1 when it has none. */
static int
slot_fd(struct listener_socket *s, unsigned worker)
{
    int *fd;

    if (worker < s->first || worker > s->last)
        return -1;
    pthread_mutex_lock(&lock);
    fd = &s->fds[worker - s->first];
    if (*fd < 0 && (*fd = slot_reopen(&s->addr)) >= 0)
        handover_opened(*fd);
    pthread_mutex_unlock(&lock);
    return *fd;
}

static void
slot_close(struct listener_socket *s, unsigned worker)
{
    pthread_mutex_lock(&lock);
    slot_clear(s, worker - s->first);
    s->retired = true; /* the next generation that names the address gets a new one */
    pthread_mutex_unlock(&lock);
}

/* ------------------------------------------------------------------ accepting */

struct acceptor {
    struct watch watch;
    struct timer pause;
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
    addr_format(&a->socket->addr, text);
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
    struct addr local = a->socket->addr;

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

struct acceptor *
acceptor_start(struct worker *w, struct listener_socket *s, acceptor_fn on_accept, void *arg)
{
    struct acceptor *a;
    char text[ADDR_TEXT_MAX];
    int fd = slot_fd(s, w->id);

    if (fd < 0) {
        addr_format(&s->addr, text);
        log_error("listener", "%s: worker %u has no socket for it", text, w->id);
        return NULL;
    }
    a = xcalloc(1, sizeof(*a));
    a->worker = w;
    a->socket = s;
    a->on_accept = on_accept;
    a->arg = arg;
    a->wildcard = is_wildcard(&s->addr);
    a->spare = -1;
    descriptors_read_limit();
    spare_open(a);
    timer_init(&a->pause, w->loop, acceptor_on_timer);
    if (watch_open_level(&a->watch, w->loop, fd, acceptor_on_ready) < 0) {
        addr_format(&s->addr, text);
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
    if (!addr_is_unix(&a->socket->addr))
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
    spare_close(a);
    slot_close(a->socket, a->worker->id);
    listener_put(a->socket);
    a->socket = NULL;
    loop_defer_free(a->worker->loop, free, a);
}
