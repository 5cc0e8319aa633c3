#include "bind.h"

#include "../base/privilege.h"
#include "tcp.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

int
bind_error(const struct addr *a, struct err *e)
{
    char text[ADDR_TEXT_MAX];
    int sys = errno;

    addr_format(a, text);
    if (sys == EADDRINUSE && addr_is_unix(a))
        err_set(e, ERR_SYSTEM,
                "%s: address already in use (another process answers there: stop it or choose another path)", text);
    else if (sys == EADDRINUSE)
        err_set(
            e, ERR_SYSTEM,
            "%s: address already in use (is another server, or another weir, running? `ss -ltnp sport = :%d` names it)",
            text, addr_port(a));
    else if (sys == EACCES && addr_is_unix(a))
        err_set(e, ERR_SYSTEM, "%s: permission denied (uid %ld needs write access to the directory)", text,
                (long)geteuid());
    else if (sys == EACCES)
        err_set(e, ERR_SYSTEM, "%s: permission denied (a port below 1024 needs root or CAP_NET_BIND_SERVICE)", text);
    else if (sys == EADDRNOTAVAIL)
        err_set(e, ERR_SYSTEM, "%s: no interface of this host has this address (`ip addr` lists them)", text);
    else if (sys == ENOENT && addr_is_unix(a))
        err_set(e, ERR_SYSTEM, "%s: the directory does not exist (create it, or choose another path)", text);
    else if (sys == EAFNOSUPPORT)
        err_set(e, ERR_SYSTEM, "%s: this host has no support for this kind of address", text);
    else
        err_errno(e, "%s: cannot listen", text);
    if (e)
        e->sys = sys;
    errno = sys;
    return -1;
}

static int
socket_new(const struct addr *a, bool shared)
{
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0 || addr_is_unix(a))
        return fd;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    tcp_prepare(fd);
    if (a->u.sa.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)); /* [::]:80 and 0.0.0.0:80 may stand side by side */
    return fd;
}

/* A port below 1024 may be bound by root alone, while there is one. */
static int
bind_raised(int fd, const struct sockaddr *sa, socklen_t len)
{
    int rc = bind(fd, sa, len);

    if (rc < 0 && errno == EACCES && sa->sa_family != AF_UNIX && privilege_raise()) {
        rc = bind(fd, sa, len);
        privilege_lower();
    }
    return rc;
}

int
bind_socket(const struct addr *a, bool shared)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_sockaddr(a, &sa);
    int fd = socket_new(a, shared), sys;

    if (fd >= 0 && bind_raised(fd, (struct sockaddr *)&sa, len) == 0)
        return fd;
    sys = errno;
    if (fd >= 0)
        close(fd);
    errno = sys;
    return -1;
}

#define NOWHERE INT_MAX /* no interface of this number comes about */

/* The kernel finds a listening socket by the packet's interface too, and by no more than the four numbers of a
 * connection whom it has answered before. */
bool
bind_hide(int fd)
{
    int device = NOWHERE;

    return setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &device, sizeof(device)) == 0;
}

bool
bind_show(int fd)
{
    int device = 0;
    socklen_t len = sizeof(device);

    if (getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &device, &len) != 0 || device != NOWHERE)
        return true;
    device = 0;
    return setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &device, sizeof(device)) == 0;
}

int
bind_remove_stale(const struct addr *a)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_sockaddr(a, &sa);
    struct stat st;
    int fd, r;

    if (lstat(a->path, &st) < 0)
        return errno == ENOENT ? 0 : -1;
    if (!S_ISSOCK(st.st_mode)) {
        errno = EEXIST;
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    r = connect(fd, (struct sockaddr *)&sa, len) < 0 ? errno : 0;
    close(fd);
    if (r == ECONNREFUSED)
        return unlink(a->path);
    errno = r == EACCES || r == EPERM ? r : EADDRINUSE;
    return -1;
}

int
bind_probe(const struct addr *a, struct err *e)
{
    int fd;

    if (addr_is_unix(a) || addr_port(a) == 0)
        return 0;
    fd = bind_socket(a, true);
    if (fd < 0)
        return bind_error(a, e);
    close(fd);
    return 0;
}
