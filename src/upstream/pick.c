/* cluster_pick: which endpoint of a cluster a request goes to. Which ones may be used at all is decided here, balance.c
 * chooses one of them, and for a large set a roster keeps both. */
#include "cluster.h"
#include "cluster_private.h"

#define ROSTER_DRAWS 4 /* for one that was not tried yet */

enum tier {
    TIER_USABLE,
    TIER_EJECTED, /* ejected ones too: when there is nobody else, an ejection does not take the last endpoint */
    TIER_PANIC    /* unhealthy ones too */
};

static inline bool
in_tier(const struct endpoint_state *e, enum tier tier, nsec_t now)
{
    if (tier == TIER_USABLE)
        return endpoint_usable(e, now);
    return atomic_load_explicit(&e->admin, memory_order_relaxed) == ENDPOINT_UP &&
           atomic_load_explicit(&e->weight, memory_order_relaxed) > 0 &&
           (tier == TIER_PANIC || atomic_load_explicit(&e->healthy, memory_order_relaxed));
}

static bool
was_tried(const struct pick *p, const struct endpoint_state *e)
{
    unsigned i;

    for (i = 0; i < p->n_tried; i++) {
        if (p->tried[i] == e)
            return true;
    }
    return false;
}

/* Fills v->candidates; how many. Those tried are left out while there are others. */
static unsigned
gather(struct view *v, const struct pick *p, enum tier tier, nsec_t now)
{
    unsigned i, n = 0, tried = 0, size = v->set->n, at = v->offset % size;

    for (i = 0; i < size; i++, at = at + 1 == size ? 0 : at + 1) {
        const struct endpoint_state *e = v->set->entries[at].e;

        if (!in_tier(e, tier, now))
            continue;
        if (p->n_tried && was_tried(p, e))
            v->candidates[size - ++tried] = at; /* from the other end: n + tried <= size */
        else
            v->candidates[n++] = at;
    }
    if (n || !tried)
        return n;
    memmove(v->candidates, v->candidates + size - tried, tried * sizeof(*v->candidates));
    return tried;
}

/* Decided once a turn: usable endpoints are fewer than `panic` of those that are not ordered out. */
static bool
panicking(struct view *v, double panic, nsec_t now)
{
    unsigned i, usable = 0, all = 0;

    if (panic <= 0)
        return false;
    if (v->counted_at == now)
        return v->panicking;
    for (i = 0; i < v->set->n; i++) {
        const struct endpoint_state *e = v->set->entries[i].e;

        all += in_tier(e, TIER_PANIC, now);
        usable += endpoint_usable(e, now);
    }
    v->counted_at = now;
    v->panicking = usable * 100.0 < panic * all;
    return v->panicking;
}

/* All that may be picked now, in v->candidates; how many. */
static unsigned
candidates(struct cluster *c, struct view *v, const struct pick *p)
{
    nsec_t now = clock_now();
    unsigned n;

    if (!v || !v->set || v->set->n == 0)
        return 0;
    if (panicking(v, c->panic, now))
        return gather(v, p, TIER_PANIC, now);
    n = gather(v, p, TIER_USABLE, now);
    return n ? n : gather(v, p, TIER_EJECTED, now);
}

/* The roster of a large view, as it is now; NULL: a small one. */
static struct roster *
roster_of(struct cluster *c, struct view *v)
{
    struct roster *r = v && v->set && v->set->n >= ROSTER_FROM ? &v->roster : NULL;
    nsec_t now = clock_now();

    if (!r || roster_fresh(r, now))
        return r;
    roster_begin(r, v->set, now);
    v->counted_at = 0; /* what this turn has counted may be older than what the roster is derived from */
    r->n = candidates(c, v, &(struct pick){ 0 });
    memcpy(r->members, v->candidates, r->n * sizeof(*r->members));
    roster_make(r, v->set, c->balance);
    return r;
}

/* A place in the set that may be used now; false: none. */
static bool
choose(struct cluster *c, struct view *v, const struct pick *p, unsigned *at)
{
    struct roster *r = roster_of(c, v);
    unsigned i, n;

    if (r && r->n == 0)
        return false;
    /* Keys of one that was tried go where they would if it were not there: that is for the long way to say. */
    for (i = 0; r && i < ROSTER_DRAWS && (c->balance != BALANCE_HASH || p->n_tried == 0); i++) {
        *at = roster_choose(r, v->set, c->balance, p->hash);
        if (!was_tried(p, v->set->entries[*at].e))
            return true;
    }
    n = candidates(c, v, p);
    if (n)
        *at = balance_choose(c->balance, v, n, p->hash);
    return n > 0;
}

struct endpoint_state *
cluster_pick(struct cluster *c, struct pick *p)
{
    struct view *v = cluster_view(c->priv);
    struct endpoint_state *e;
    unsigned at;

    if (!choose(c, v, p, &at))
        return NULL;
    e = v->set->entries[at].e;
    endpoint_hold(e);
    if (p->n_tried < sizeof(p->tried) / sizeof(p->tried[0]) && !was_tried(p, e))
        p->tried[p->n_tried++] = e;
    return e;
}

bool
cluster_healthy(struct cluster *c)
{
    static const struct pick none;
    struct view *v = cluster_view(c->priv);
    const struct roster *r = roster_of(c, v);

    return r ? r->n > 0 : candidates(c, v, &none) > 0;
}
