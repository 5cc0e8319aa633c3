/* balance: choosing one of the candidates a worker's view offers. No locks, no allocation. */
#ifndef UPSTREAM_BALANCE_H
#define UPSTREAM_BALANCE_H

#include "cluster.h"
#include "endpoint_set.h"
#include "roster.h"

/* A worker's view: the set of endpoints and this worker's own balancing state. */
struct view {
    struct endpoint_set *set; /* a reference */
    int64_t *current;         /* smooth weighted round robin, by entry */
    unsigned *candidates;     /* room for every entry */
    unsigned offset;          /* where this worker begins, so that workers do not all begin with the same endpoint */
    nsec_t counted_at;        /* when panicking was last decided */
    bool panicking;
    struct roster roster;     /* of a large set */
} __attribute__((aligned(64)));

void view_init(struct view *v, unsigned worker);
void view_set(struct view *v, struct endpoint_set *set); /* takes over the reference; NULL: empties it */

#define BALANCE_EXACT_MAX 16 /* candidates up to which least_request compares all; above, two drawn at random */

/* Keys are told apart by this many classes, so that the winner of each can be remembered. */
#define BALANCE_HASH_CLASSES 65536
static inline unsigned
balance_hash_class(uint64_t hash)
{
    return (unsigned)(hash >> 48);
}
/* Who of n >= 1 places in the set wins the class of this key. */
unsigned balance_lots_winner(const struct endpoint_set *set, const uint32_t *places, unsigned n, uint64_t hash);
/* < 0: a is less busy than b for its weight, > 0: busier. */
int balance_compare_busy(const struct endpoint_state *a, const struct endpoint_state *b);

/* n >= 1 indexes into v->set->entries in v->candidates. Returns one of them. */
unsigned balance_choose(enum balance b, struct view *v, unsigned n, uint64_t hash);

#endif
