#include "table.h"

#include <sched.h>
#include <stdlib.h>

#define WAYS 7 /* with the lock two cache lines */

struct table_set {
    atomic_flag lock;
    uint32_t unused;
    int64_t latest; /* the time of the last one to come */
    struct {
        uint64_t hash;
        int64_t tat; /* 0: free */
    } bucket[WAYS];
};

struct table {
    size_t n_sets;
    struct table_set *_Atomic sets; /* made with the first bucket: of ten thousand limits few see traffic */
};

_Static_assert(sizeof(struct table_set) == 128, "a set is two cache lines");

struct table *
table_new(size_t entries)
{
    struct table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->n_sets = (entries + WAYS - 1) / WAYS;
    atomic_init(&t->sets, NULL);
    return t;
}

/* Zero is an open lock and free buckets; the kernel gives such pages on first use. */
static struct table_set *
make_sets(struct table *t)
{
    struct table_set *none = NULL, *sets = calloc(t->n_sets, sizeof(*sets));
    if (!sets)
        abort(); /* as everywhere: without memory there is no going on */
    if (atomic_compare_exchange_strong(&t->sets, &none, sets))
        return sets;
    free(sets); /* another worker was first */
    return none;
}

void
table_free(struct table *t)
{
    if (!t)
        return;
    free(atomic_load(&t->sets));
    free(t);
}

static struct table_set *
set_lock(struct table *t, uint64_t hash)
{
    struct table_set *sets = atomic_load_explicit(&t->sets, memory_order_acquire);
    if (!sets)
        sets = make_sets(t);
    struct table_set *s = &sets[(uint64_t)(((unsigned __int128)hash * t->n_sets) >> 64)];
    unsigned spins = 0;
    while (atomic_flag_test_and_set_explicit(&s->lock, memory_order_acquire)) {
        if (++spins % 64 == 0)
            sched_yield();
    }
    return s;
}

/* The bucket of this hash, or the one to take for it: free or full ones have the smallest TAT. */
static unsigned
bucket_find(const struct table_set *s, uint64_t hash)
{
    unsigned least = 0;
    for (unsigned i = 0; i < WAYS; i++) {
        if (s->bucket[i].hash == hash && s->bucket[i].tat != 0)
            return i;
        if (s->bucket[i].tat < s->bucket[least].tat)
            least = i;
    }
    return least;
}

struct gcra_answer
table_take(struct table *t, uint64_t hash, const struct gcra *g, int64_t now, bool *evicted)
{
    struct gcra_answer answer;
    struct table_set *s = set_lock(t, hash);
    unsigned i = bucket_find(s, hash);
    /* A worker reads its clock once a turn. By an older one than the last taker's an empty bucket would look more than
     * empty, and be forgiven the difference each time. */
    if (now < s->latest)
        now = s->latest;
    s->latest = now;
    *evicted = s->bucket[i].hash != hash && s->bucket[i].tat > now;
    if (s->bucket[i].hash != hash) {
        s->bucket[i].hash = hash;
        s->bucket[i].tat = 0;
    }
    s->bucket[i].tat = gcra_take(g, s->bucket[i].tat, now, &answer);
    atomic_flag_clear_explicit(&s->lock, memory_order_release);
    return answer;
}
