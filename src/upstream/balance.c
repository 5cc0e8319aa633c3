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
    roster_fini(&v->roster);
    if (set && set->n >= ROSTER_FROM)
        roster_init(&v->roster, set->n);
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

int
balance_compare_busy(const struct endpoint_state *a, const struct endpoint_state *b)
{
    uint64_t busy_a = (uint64_t)atomic_load_explicit(&a->active, memory_order_relaxed) * weight_of(b);
    uint64_t busy_b = (uint64_t)atomic_load_explicit(&b->active, memory_order_relaxed) * weight_of(a);

    return busy_a < busy_b ? -1 : busy_a > busy_b;
}

/* Equals share by weight: most of the time nobody is busy, and an endpoint that then gets nothing is one nobody hears
 * of until it is needed. */
static unsigned
choose_least_request(struct view *v, unsigned n)
{
    unsigned i, equals = 1;

    if (n > BALANCE_EXACT_MAX) {
        unsigned one = (unsigned)random_below(n), other = (unsigned)random_below(n - 1);
        other += other >= one; /* never the same twice */
        return v->candidates[balance_compare_busy(candidate(v, other), candidate(v, one)) < 0 ? other : one];
    }
    for (i = 1; i < n; i++) {
        int busier = balance_compare_busy(candidate(v, i), candidate(v, 0));

        if (busier < 0)
            equals = 0;
        if (busier <= 0)
            v->candidates[equals++] = v->candidates[i];
    }
    return choose_round_robin(v, equals);
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
 * w's with probability w / (sum of all). As -ln(u) >= 1 - u, most need no logarithm to have lost.
 */
unsigned
balance_lots_winner(const struct endpoint_set *set, const uint32_t *places, unsigned n, uint64_t hash)
{
    uint64_t key = hash_mix(balance_hash_class(hash), 0);
    unsigned i, best = places[0];
    double best_lot = INFINITY;

    for (i = 0; i < n; i++) {
        const struct endpoint_entry *entry = &set->entries[places[i]];
        double u = ((double)(hash_mix(key, entry->hash) >> 11) + 0.5) / (double)(1ULL << 53);
        double weight = weight_of(entry->e), lot;

        if (1 - u >= best_lot * weight)
            continue;
        lot = -log(u) / weight;
        if (lot < best_lot) {
            best_lot = lot;
            best = places[i];
        }
    }
    return best;
}

unsigned
balance_choose(enum balance b, struct view *v, unsigned n, uint64_t hash)
{
    if (b == BALANCE_HASH)
        return balance_lots_winner(v->set, v->candidates, n, hash);
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
