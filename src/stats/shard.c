/*
 * Slots live in pages that never move once made, so that a writer needs no lock while a series is added. All shards
 * have the same pages; an id is the number of the first slot.
 */
#include "../base/clock.h"
#include "../base/thread.h"
#include "../base/xalloc.h"
#include "stats_impl.h"

#include <stdlib.h>

#define PAGE_SHIFT 9u
#define PAGE_SLOTS (1u << PAGE_SHIFT)
#define PAGES_MAX 8192u
#define CACHE_LINE 64u

struct shard {
    uint64_t **pages; /* PAGES_MAX of them; atomic: set once */
};

/* Who uses the slots that begin here. */
struct owner {
    struct stats_family *family; /* atomic; never freed before the shards */
    struct series *series;       /* under the lock; NULL when released */
};

struct released {
    stats_id id;
    nsec_t since;
    STAILQ_ENTRY(released) next;
};
STAILQ_HEAD(released_list, released);

/* Of the workers, then the one of all other threads, then the one for values that are set. */
static struct shard *shards;
static unsigned n_workers; /* shards with a single writer, the service's included */
static struct owner **owners;
static unsigned n_pages, next_slot;
nsec_t shards_reuse_after = 60 * NSEC_PER_SEC;
static struct released_list released[STATS_SLOTS_MAX + 1]; /* by number of slots, oldest first */

#define N_SHARDS (n_workers + 2)
#define OTHERS (&shards[n_workers])
#define VALUES (&shards[n_workers + 1])

int
shards_init(unsigned workers)
{
    unsigned i;

    n_workers = workers + 1;
    shards = xcalloc(N_SHARDS, sizeof(*shards));
    for (i = 0; i < N_SHARDS; i++)
        shards[i].pages = xcalloc(PAGES_MAX, sizeof(*shards[i].pages));
    owners = xcalloc(PAGES_MAX, sizeof(*owners));
    for (i = 0; i <= STATS_SLOTS_MAX; i++)
        STAILQ_INIT(&released[i]);
    n_pages = 0;
    next_slot = 0;
    return 0;
}

void
shards_fini(void)
{
    struct released *r;
    unsigned i, page;

    for (i = 0; i < N_SHARDS; i++) {
        for (page = 0; page < n_pages; page++)
            free(shards[i].pages[page]);
        free(shards[i].pages);
    }
    for (page = 0; page < n_pages; page++)
        free(owners[page]);
    for (i = 0; i <= STATS_SLOTS_MAX; i++) {
        while ((r = STAILQ_FIRST(&released[i]))) {
            STAILQ_REMOVE_HEAD(&released[i], next);
            free(r);
        }
    }
    free(owners);
    free(shards);
    shards = NULL;
    owners = NULL;
    n_workers = n_pages = next_slot = 0;
}

static inline uint64_t *
slot_at(const struct shard *s, unsigned slot)
{
    return &__atomic_load_n(&s->pages[slot >> PAGE_SHIFT], __ATOMIC_RELAXED)[slot & (PAGE_SLOTS - 1)];
}

static inline struct owner *
owner_at(unsigned slot)
{
    return &__atomic_load_n(&owners[slot >> PAGE_SHIFT], __ATOMIC_RELAXED)[slot & (PAGE_SLOTS - 1)];
}

/* --- writing --- */

/* The shard that only this thread writes; NULL when it has none. */
static inline struct shard *
own_shard(void)
{
    return thread_number < n_workers ? &shards[thread_number] : NULL;
}

static inline void
slot_add(unsigned slot, uint64_t n)
{
    struct shard *s = own_shard();
    uint64_t *p;

    if (s) {
        p = slot_at(s, slot);
        __atomic_store_n(p, __atomic_load_n(p, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
    } else if (shards) {
        __atomic_fetch_add(slot_at(OTHERS, slot), n, __ATOMIC_RELAXED);
    }
}

static inline double
as_double(uint64_t bits)
{
    double v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

static inline uint64_t
as_bits(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static void
slot_add_double(unsigned slot, double v)
{
    struct shard *s = own_shard();
    uint64_t *p = slot_at(s ? s : OTHERS, slot), seen = __atomic_load_n(p, __ATOMIC_RELAXED);

    if (s) {
        __atomic_store_n(p, as_bits(as_double(seen) + v), __ATOMIC_RELAXED);
        return;
    }
    while (!__atomic_compare_exchange_n(p, &seen, as_bits(as_double(seen) + v), 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

void
stats_add(stats_id id, uint64_t n)
{
    slot_add(id, n);
}

void
stats_gauge_add(stats_id id, int64_t n)
{
    slot_add(id, (uint64_t)n);
}

void
stats_gauge_set(stats_id id, double v)
{
    if (shards)
        __atomic_store_n(slot_at(VALUES, id), as_bits(v), __ATOMIC_RELAXED);
}

void
stats_observe(stats_id id, double v)
{
    const struct stats_family *f;
    unsigned i = 0;

    if (!shards)
        return;
    f = __atomic_load_n(&owner_at(id)->family, __ATOMIC_RELAXED);
    if (!f || f->kind != STATS_HISTOGRAM)
        return; /* the sink */
    while (i < f->n_buckets && v > f->buckets[i])
        i++;
    slot_add(id + i, 1);
    slot_add_double(id + f->n_buckets + 1, v);
}

/* --- making and giving back, under the registry's lock --- */

static uint64_t *
page_new(void)
{
    /* Of its own cache lines: a neighbour's page must not slow down this one's writer. */
    uint64_t *page = aligned_alloc(CACHE_LINE, PAGE_SLOTS * sizeof(*page));

    return page ? memset(page, 0, PAGE_SLOTS * sizeof(*page)) : xcalloc(PAGE_SLOTS, sizeof(*page));
}

static void
add_page(void)
{
    unsigned i;

    for (i = 0; i < N_SHARDS; i++)
        __atomic_store_n(&shards[i].pages[n_pages], page_new(), __ATOMIC_RELEASE);
    __atomic_store_n(&owners[n_pages], xcalloc(PAGE_SLOTS, sizeof(**owners)), __ATOMIC_RELEASE);
    n_pages++;
}

static stats_id
take_released(unsigned slots)
{
    struct released *r = STAILQ_FIRST(&released[slots]);
    stats_id id;

    if (!r || clock_precise() - r->since < shards_reuse_after)
        return 0;
    STAILQ_REMOVE_HEAD(&released[slots], next);
    id = r->id;
    free(r);
    return id;
}

static stats_id
take_fresh(unsigned slots)
{
    stats_id id = next_slot;

    if (next_slot + slots > PAGES_MAX * PAGE_SLOTS)
        return 0;
    next_slot += slots;
    while (n_pages * PAGE_SLOTS < next_slot)
        add_page();
    return id;
}

stats_id
shards_alloc(struct stats_family *f, struct series *owner)
{
    unsigned slots = f ? family_slots(f) : 1;
    stats_id id = take_released(slots);

    if (!id)
        id = take_fresh(slots);
    if (!f || !id)
        return id; /* the sink, which is made first and is number 0; or nothing left */
    owner_at(id)->series = owner;
    __atomic_store_n(&owner_at(id)->family, f, __ATOMIC_RELAXED);
    return id;
}

void
shards_release(stats_id id)
{
    struct owner *o = owner_at(id);
    struct released *r = xcalloc(1, sizeof(*r));

    r->id = id;
    r->since = clock_precise();
    STAILQ_INSERT_TAIL(&released[family_slots(o->family)], r, next);
    o->series = NULL;
}

/* --- reading, under the registry's lock --- */

static uint64_t
slot_total(unsigned slot)
{
    uint64_t total = 0;
    unsigned i;

    for (i = 0; i <= n_workers; i++)
        total += __atomic_load_n(slot_at(&shards[i], slot), __ATOMIC_RELAXED);
    return total;
}

static double
slot_total_double(unsigned slot)
{
    double total = 0;
    unsigned i;

    for (i = 0; i <= n_workers; i++)
        total += as_double(__atomic_load_n(slot_at(&shards[i], slot), __ATOMIC_RELAXED));
    return total;
}

void
series_settle(struct series *s)
{
    const struct stats_family *f = s->family;
    unsigned i, n = family_slots(f);

    for (i = 0; i < n; i++)
        s->base[i] = slot_total(s->id + i);
    if (f->kind == STATS_HISTOGRAM)
        s->base[n - 1] = as_bits(slot_total_double(s->id + n - 1));
    __atomic_store_n(slot_at(VALUES, s->id), as_bits(0), __ATOMIC_RELAXED);
}

uint64_t
series_slot(const struct series *s, unsigned slot)
{
    return slot_total(s->id + slot) - s->base[slot];
}

double
series_sum(const struct series *s)
{
    unsigned slot = s->family->n_buckets + 1;

    return slot_total_double(s->id + slot) - as_double(s->base[slot]);
}

double
series_gauge(const struct series *s)
{
    return (double)(int64_t)series_slot(s, 0) + as_double(__atomic_load_n(slot_at(VALUES, s->id), __ATOMIC_RELAXED));
}

struct series *
series_of(stats_id id)
{
    return id < next_slot ? owner_at(id)->series : NULL;
}
