#include "held.h"

#include "../base/xalloc.h"
#include "../net/handover.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static struct held *held;
static unsigned n_held;

bool
held_add(int fd, pid_t owner)
{
    uint64_t cookie = handover_cookie(fd);

    for (unsigned i = 0; i < n_held; i++) {
        if (held[i].cookie == cookie) {
            close(fd);
            return false;
        }
    }
    held = xrealloc(held, (n_held + 1) * sizeof *held);
    held[n_held++] = (struct held){ cookie, fd, owner, false };
    return true;
}

static void
drop(unsigned i)
{
    close(held[i].fd);
    held[i] = held[--n_held];
}

void
held_drop(uint64_t cookie)
{
    for (unsigned i = n_held; i-- > 0;)
        if (held[i].cookie == cookie)
            drop(i);
}

void
held_drop_of(pid_t owner)
{
    for (unsigned i = n_held; i-- > 0;)
        if (held[i].owner == owner)
            drop(i);
}

void
held_mark_unwanted(uint64_t cookie)
{
    for (unsigned i = 0; i < n_held; i++)
        held[i].unwanted |= held[i].cookie == cookie;
}

void
held_settle_unwanted(bool drop_them)
{
    for (unsigned i = n_held; i-- > 0;) {
        if (held[i].unwanted && drop_them)
            drop(i);
        else
            held[i].unwanted = false;
    }
}

void
held_over_exec(bool keep)
{
    for (unsigned i = 0; i < n_held; i++)
        fcntl(held[i].fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

const struct held *
held_all(unsigned *n)
{
    *n = n_held;
    return held;
}
