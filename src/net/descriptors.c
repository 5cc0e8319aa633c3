#include "descriptors.h"

#include "../base/clock.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define RESERVED_MAX 32 /* of a large limit; of a small one an eighth */
#define TIGHT_FOR (10 * NSEC_PER_SEC)

static atomic_int first_reserved[] = { [DESCRIPTOR_CLIENT] = INT_MAX, [DESCRIPTOR_OUTGOING] = INT_MAX };
static _Atomic nsec_t tight_until;

void
descriptors_read_limit(void)
{
    struct rlimit r;
    int reserve;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur > INT_MAX)
        return;
    reserve = r.rlim_cur / 8 < RESERVED_MAX ? (int)(r.rlim_cur / 8) : RESERVED_MAX;
    atomic_store_explicit(&first_reserved[DESCRIPTOR_CLIENT], (int)r.rlim_cur - reserve, memory_order_relaxed);
    atomic_store_explicit(&first_reserved[DESCRIPTOR_OUTGOING], (int)r.rlim_cur - reserve / 2, memory_order_relaxed);
}

bool
descriptors_reserved(enum descriptor_use use, int fd)
{
    if (fd < atomic_load_explicit(&first_reserved[DESCRIPTOR_CLIENT], memory_order_relaxed))
        return false;
    atomic_store_explicit(&tight_until, clock_now() + TIGHT_FOR, memory_order_relaxed);
    return fd >= atomic_load_explicit(&first_reserved[use], memory_order_relaxed);
}

bool
descriptors_tight(void)
{
    return clock_now() < atomic_load_explicit(&tight_until, memory_order_relaxed);
}

bool
descriptors_lack(int sys)
{
    return sys == EMFILE || sys == ENFILE || sys == ENOBUFS || sys == ENOMEM;
}
