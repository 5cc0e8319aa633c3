#include "balance.h"
#include "../base/hash.h"
#include "../base/random.h"
#include "../base/xalloc.h"

#include <math.h>
#include <stdlib.h>

void
view_init(struct view *v, unsigned worker)
{
    memset(v, 0, sizeof(*v));
    v->offset = worker;
}

void
view_set(struct view *v, struct endpoint_set *set)
{
    struct endpoint_set *old = v->set;

    free(v->current);
    free(v->candidates);
    v->current = set ? xcalloc(set->n + 1, sizeof(*v->current)) : NULL;
    v->candidates = set ? xcalloc(set->n + 1, sizeof(*v->candidates)) : NULL;
    v->set = set;
    v->counted_at = 0;
    if (old)
        endpoint_set_put(old);
}

static inline struct endpoint_state *
candidate(const struct view *v, unsigned i)
{
    return v->set->entries[v->candidates[i]].e;
}

static inline unsigned
weight_of(const struct endpoint_state *e)
{
    return atomic_load_explicit(&e->weight, memory_order_relaxed);
}

/* Smooth weighted round robin: each gains its weight, the richest is taken and pays the sum of all. Weights 5, 1, 1
 * give a a b a c a a. */
static unsigned
choose_round_robin(struct view *v, unsigned n)
{
    unsigned i, best = v->candidates[0];
    int64_t total = 0;

    for (i = 0; i < n; i++) {
        unsigned at = v->candidates[i];
        int64_t w = weight_of(v->set->entries[at].e);

        v->current[at] += w;
        total += w;
        if (v->current[at] > v->current[best])
            best = at;
    }
    v->current[best] -= total;
    return best;
}

/* Is a less busy than b, for its weight? */
static inline bool
less_busy(const struct endpoint_state *a, const struct endpoint_state *b)
{
    uint64_t active_a = atomic_load_explicit(&a->active, memory_order_relaxed) + 1;
    uint64_t active_b = atomic_load_explicit(&b->active, memory_order_relaxed) + 1;

    return active_a * weight_of(b) < active_b * weight_of(a);
}

static unsigned
choose_least_request(struct view *v, unsigned n)
{
    unsigned i, best, other;

    if (n > BALANCE_EXACT_MAX) {
        best = (unsigned)random_below(n);
        other = (unsigned)random_below(n - 1);
        other += other >= best; /* never the same twice */
        return v->candidates[less_busy(candidate(v, other), candidate(v, best)) ? other : best];
    }
    best = v->turn++ % n;
    for (i = 1; i < n; i++) {
        other = (v->turn - 1 + i) % n;
        if (less_busy(candidate(v, other), candidate(v, best)))
            best = other;
    }
    return v->candidates[best];
}

static unsigned
choose_random(struct view *v, unsigned n)
{
    uint64_t total = 0, drawn;
    unsigned i;

    for (i = 0; i < n; i++)
        total += weight_of(candidate(v, i));
    drawn = random_below(total ? total : 1);
    for (i = 0; i + 1 < n; i++) {
        unsigned w = weight_of(candidate(v, i));

        if (drawn < w)
            break;
        drawn -= w;
    }
    return v->candidates[i];
}

/*
 * Rendezvous: every endpoint draws a lot from the key and its own address, the best lot wins. Whoever is missing takes
 * only its own keys along, and brings only those back. -ln(u)/w is exponential with rate w, and of such the smallest is
 * w's with probability w / (sum of all).
 */
static unsigned
choose_hash(struct view *v, unsigned n, uint64_t hash)
{
    unsigned i, best = v->candidates[0];
    double best_lot = INFINITY;

    for (i = 0; i < n; i++) {
        unsigned at = v->candidates[i];
        const struct endpoint_entry *entry = &v->set->entries[at];
        double u = ((double)(hash_mix(hash, entry->hash) >> 11) + 0.5) / (double)(1ULL << 53);
        double lot = -log(u) / weight_of(entry->e);

        if (lot < best_lot) {
            best_lot = lot;
            best = at;
        }
    }
    return best;
}

unsigned
balance_choose(enum balance b, struct view *v, unsigned n, uint64_t hash)
{
    if (b == BALANCE_HASH)
        return choose_hash(v, n, hash);
    if (n == 1)
        return v->candidates[0];
    switch (b) {
    case BALANCE_LEAST_REQUEST:
        return choose_least_request(v, n);
    case BALANCE_RANDOM:
        return choose_random(v, n);
    default:
        return choose_round_robin(v, n);
    }
}
