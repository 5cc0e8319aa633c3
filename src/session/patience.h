/*
 * patience: how long a peer may keep waiting whom it owes bytes. It may be silent for `whole`, the time it has at
 * first; what it waits away comes back by the bytes that it delivers, at `rate` of them per second, up to `whole`
 * again. So whoever is faster than that on average is never cut, however unevenly it comes, and whoever drips is cut
 * after a little more than `whole`. At rate 0 every byte gives all of it back.
 *
 * Time counts only from patience_wait to patience_rest: not while the one who waits does not want bytes.
 */
#ifndef SESSION_PATIENCE_H
#define SESSION_PATIENCE_H

#include "../base/clock.h"

#include <stdbool.h>

struct patience {
    nsec_t since; /* waited since then; 0: nobody waits */
    nsec_t left;  /* from then on */
};

static inline void
patience_begin(struct patience *p, nsec_t whole)
{
    p->since = 0;
    p->left = whole;
}

static inline void
patience_wait(struct patience *p, nsec_t now)
{
    if (!p->since)
        p->since = now;
}

static inline void
patience_rest(struct patience *p, nsec_t now)
{
    if (p->since)
        p->left -= now - p->since;
    p->since = 0;
}

/* `bytes` came, whether they were waited for or not. */
static inline void
patience_gain(struct patience *p, nsec_t now, uint64_t bytes, uint64_t rate, nsec_t whole)
{
    bool waits = p->since != 0;
    nsec_t most = whole;

    if (!bytes)
        return;
    patience_rest(p, now);
    if (rate && bytes < (uint64_t)INT64_MAX / NSEC_PER_SEC)
        most = (p->left > 0 ? p->left : 0) + (nsec_t)(bytes * NSEC_PER_SEC / rate);
    p->left = most < whole ? most : whole;
    if (waits)
        p->since = now;
}

/* When it is over; 0: it is not running out. */
static inline nsec_t
patience_end(const struct patience *p)
{
    return p->since ? p->since + p->left : 0;
}

#endif
