#include "listener.h"

#include "../base/privilege.h"
#include "../base/xalloc.h"
#include "bind.h"
#include "handover.h"
#include "tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct listener_socket {
    struct listener_socket *next; /* in `sockets` until it is closed */
    struct addr addr;
    unsigned refs;
    bool ephemeral; /* port 0 was asked for */
    bool retired;
    bool handed_over; /* a successor serves at the address */
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

void
listener_note_successor(void)
{
    pthread_mutex_lock(&lock);
    for (struct listener_socket *s = sockets; s; s = s->next)
        for (unsigned i = 0; i < fds_count(s); i++)
            s->handed_over |= s->fds[i] >= 0 && handover_shared(s->fds[i]);
    pthread_mutex_unlock(&lock);
}

bool
listener_handed_over(const struct listener_socket *s)
{
    return s->handed_over;
}

const struct addr *
listener_addr(const struct listener_socket *s)
{
    return &s->addr;
}

static int
slot_reopen(const struct addr *a)
{
    int fd = addr_is_unix(a) ? -1 : bind_socket(a, true);

    if (fd < 0 || listen(fd, SOMAXCONN) == 0)
        return fd;
    close(fd);
    return -1;
}

int
listener_slot_fd(struct listener_socket *s, unsigned worker)
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

void
listener_slot_close(struct listener_socket *s, unsigned worker)
{
    pthread_mutex_lock(&lock);
    slot_clear(s, worker - s->first);
    s->retired = true; /* the next generation that names the address gets a new one */
    pthread_mutex_unlock(&lock);
}
