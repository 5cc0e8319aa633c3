#include "handover.h"

#include "../base/xalloc.h"
#include "bind.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    int *inherited; /* not taken yet */
    unsigned n_inherited;
    uint64_t *shared, *lent;
    size_t n_shared, n_lent;
    const struct handover_holder *holder;
} ho;

uint64_t
handover_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

static bool
listens(int fd)
{
    int type = 0, accepts = 0;
    socklen_t len = sizeof(type);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
        return false;
    len = sizeof(accepts);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) == 0 && accepts;
}

bool
handover_give(int fd)
{
    if (!listens(fd)) {
        close(fd);
        return false;
    }
    pthread_mutex_lock(&lock);
    ho.inherited = xrealloc(ho.inherited, (ho.n_inherited + 1) * sizeof(*ho.inherited));
    ho.inherited[ho.n_inherited++] = fd;
    pthread_mutex_unlock(&lock);
    return true;
}

void
handover_set_lent(int fd)
{
    pthread_mutex_lock(&lock);
    ho.lent = xrealloc(ho.lent, (ho.n_lent + 1) * sizeof(*ho.lent));
    ho.lent[ho.n_lent++] = handover_cookie(fd);
    pthread_mutex_unlock(&lock);
}

void
handover_set_holder(const struct handover_holder *holder)
{
    ho.holder = holder;
}

static bool
has_address(int fd, const struct addr *a)
{
    struct sockaddr_storage sa = { 0 }; /* a unix socket without a name has no path */
    socklen_t len = sizeof(sa);
    struct addr own;

    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
        return false;
    if (sa.ss_family == AF_UNIX)
        return addr_is_unix(a) && strcmp(((struct sockaddr_un *)&sa)->sun_path, a->path) == 0;
    addr_from_sockaddr(&own, (struct sockaddr *)&sa, len);
    return addr_equal(&own, a);
}

static int
port_of(int fd)
{
    struct sockaddr_storage sa = { 0 };
    socklen_t len = sizeof(sa);
    struct addr own;

    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 || sa.ss_family == AF_UNIX)
        return 0;
    addr_from_sockaddr(&own, (struct sockaddr *)&sa, len);
    return addr_port(&own);
}

bool
handover_has_port(int port)
{
    bool found = false;

    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < ho.n_inherited; i++)
        found |= port_of(ho.inherited[i]) == port;
    pthread_mutex_unlock(&lock);
    return found;
}

int
handover_take(const struct addr *a)
{
    int fd = -1;

    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < ho.n_inherited && fd < 0; i++) {
        /* One that was hidden by a process which then fell is of no use. */
        if (!has_address(ho.inherited[i], a) || !bind_show(ho.inherited[i]))
            continue;
        fd = ho.inherited[i];
        ho.inherited[i] = ho.inherited[--ho.n_inherited];
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

void
handover_opened(int fd)
{
    if (ho.holder)
        ho.holder->opened(fd);
}

/* The lists change under the lock. */
static bool
is_among(int fd, uint64_t *const *list, const size_t *n)
{
    uint64_t cookie = handover_cookie(fd);
    bool found = false;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < *n; i++)
        found |= (*list)[i] == cookie;
    pthread_mutex_unlock(&lock);
    return found;
}

bool
handover_shared(int fd)
{
    return is_among(fd, &ho.shared, &ho.n_shared);
}

bool
handover_lent(int fd)
{
    return is_among(fd, &ho.lent, &ho.n_lent);
}

void
handover_closing(int fd)
{
    if (ho.holder && !handover_shared(fd))
        ho.holder->closing(handover_cookie(fd));
}

void
handover_share(const uint64_t *cookies, size_t n)
{
    pthread_mutex_lock(&lock);
    free(ho.shared);
    ho.shared = xmalloc((n + 1) * sizeof(*cookies));
    if (n)
        memcpy(ho.shared, cookies, n * sizeof(*cookies));
    ho.n_shared = n;
    pthread_mutex_unlock(&lock);
}

unsigned
handover_drop_rest(void)
{
    unsigned n = ho.n_inherited;

    while (ho.n_inherited) {
        int fd = ho.inherited[--ho.n_inherited];

        handover_closing(fd);
        close(fd);
    }
    free(ho.inherited);
    ho.inherited = NULL;
    return n;
}
