#include "roster.h"
#include "../base/random.h"
#include "../base/xalloc.h"
#include "balance.h"

#include <stdlib.h>

#define DUE_SCALE (UINT64_C(1) << 20) /* virtual time between two picks of an endpoint of weight 1 */

void
roster_init(struct roster *r, unsigned room)
{
    *r = (struct roster){ 0 };
    r->members = xcalloc(room, sizeof(*r->members));
    r->sums = xcalloc(room, sizeof(*r->sums));
    r->heap = xcalloc(room, sizeof(*r->heap));
    r->due = xcalloc(room, sizeof(*r->due));
}

void
roster_fini(struct roster *r)
{
    free(r->members);
    free(r->sums);
    free(r->heap);
    free(r->due);
    free(r->winners);
    memset(r, 0, sizeof(*r));
}

bool
roster_fresh(const struct roster *r, nsec_t now)
{
    return r->made && r->changes == endpoint_changes() && now < r->valid_until;
}

void
roster_begin(struct roster *r, const struct endpoint_set *set, nsec_t now)
{
    r->changes = endpoint_changes();
    r->valid_until = INT64_MAX;
    for (unsigned i = 0; i < set->n; i++) {
        nsec_t until = atomic_load(&set->entries[i].e->ejected_until);

        if (until > now && until < r->valid_until)
            r->valid_until = until;
    }
}

static inline unsigned
weight_at(const struct endpoint_set *set, uint32_t place)
{
    unsigned w = atomic_load_explicit(&set->entries[place].e->weight, memory_order_relaxed);

    return w ? w : 1; /* changed since: the next look makes the roster anew */
}

/* ------------------------------------------------------------------ round robin */

static inline bool
before(const struct roster *r, uint32_t a, uint32_t b)
{
    uint64_t due_a = r->due[r->members[a]], due_b = r->due[r->members[b]];

    return due_a < due_b || (due_a == due_b && a < b);
}

static void
sift_down(struct roster *r, unsigned at)
{
    uint32_t moved = r->heap[at];

    for (unsigned child; (child = 2 * at + 1) < r->n; at = child) {
        if (child + 1 < r->n && before(r, r->heap[child + 1], r->heap[child]))
            child++;
        if (!before(r, r->heap[child], moved))
            break;
        r->heap[at] = r->heap[child];
    }
    r->heap[at] = moved;
}

/* Who comes back is due as soon as somebody who was there all the time, and makes up for nothing. */
static void
make_heap(struct roster *r, const struct endpoint_set *set)
{
    for (unsigned i = 0; i < r->n; i++) {
        uint64_t soonest = r->now + DUE_SCALE / weight_at(set, r->members[i]);

        if (r->due[r->members[i]] < r->now || r->due[r->members[i]] > soonest)
            r->due[r->members[i]] = soonest;
        r->heap[i] = i;
    }
    for (unsigned i = r->n / 2; i-- > 0;)
        sift_down(r, i);
}

static unsigned
choose_round_robin(struct roster *r, const struct endpoint_set *set)
{
    uint32_t place = r->members[r->heap[0]];

    r->now = r->due[place];
    r->due[place] += DUE_SCALE / weight_at(set, place);
    sift_down(r, 0);
    return place;
}

/* ------------------------------------------------------------------ the others */

/* Index of a member drawn by weight. */
static unsigned
draw(const struct roster *r)
{
    uint64_t drawn = random_below(r->sums[r->n - 1]);
    unsigned low = 0, high = r->n - 1;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (drawn < r->sums[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static unsigned
choose_least_request(const struct roster *r, const struct endpoint_set *set)
{
    unsigned one = draw(r), other = draw(r);

    if (other == one) /* never the same twice */
        other = one + 1 == r->n ? 0 : one + 1;
    const struct endpoint_state *a = set->entries[r->members[one]].e, *b = set->entries[r->members[other]].e;

    return r->members[balance_compare_busy(b, a) < 0 ? other : one];
}

static unsigned
choose_hash(struct roster *r, const struct endpoint_set *set, uint64_t hash)
{
    uint16_t *winner = &r->winners[balance_hash_class(hash)];

    if (!*winner) {
        unsigned best = balance_lots_winner(set, r->members, r->n, hash);

        for (unsigned i = 0; i < r->n; i++) {
            if (r->members[i] == best)
                *winner = (uint16_t)(i + 1);
        }
    }
    return r->members[*winner - 1];
}

void
roster_make(struct roster *r, const struct endpoint_set *set, enum balance b)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < r->n; i++)
        r->sums[i] = sum += weight_at(set, r->members[i]);
    if (b == BALANCE_ROUND_ROBIN)
        make_heap(r, set);
    if (b == BALANCE_HASH && !r->winners)
        r->winners = xcalloc(BALANCE_HASH_CLASSES, sizeof(*r->winners));
    else if (b == BALANCE_HASH)
        memset(r->winners, 0, BALANCE_HASH_CLASSES * sizeof(*r->winners));
    r->made = true;
}

unsigned
roster_choose(struct roster *r, const struct endpoint_set *set, enum balance b, uint64_t hash)
{
    if (r->n == 1)
        return r->members[0];
    switch (b) {
    case BALANCE_HASH:
        return choose_hash(r, set, hash);
    case BALANCE_LEAST_REQUEST:
        return choose_least_request(r, set);
    case BALANCE_RANDOM:
        return r->members[draw(r)];
    default:
        return choose_round_robin(r, set);
    }
}
