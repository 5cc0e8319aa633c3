/* stats_impl: what the registry, the shards and the exposition know of each other. */
#ifndef STATS_STATS_IMPL_H
#define STATS_STATS_IMPL_H

#include "../base/clock.h"
#include "../base/hash.h"
#include "../base/name_map.h"
#include "stats.h"

#include <sys/queue.h>

/* Label values are chosen by configuration, yet a keyed hash costs nothing here. */
#define HASH_FUNCTION(key, len, hashv) ((hashv) = (unsigned)hash_slice(slice_of((const char *)(key), (len))))
#include <uthash.h>

/* A counter or gauge takes one slot; a histogram one for each bucket, one for +Inf, and one for the sum (a double's
 * bits). */
#define STATS_SLOTS_MAX (STATS_BUCKETS_MAX + 2)

/* The series of a family with one first label: they come and go together (a route's, an upstream's). */
struct series_owner {
    LIST_HEAD(, series) series;
    char *value; /* owned */
    size_t n;
};

struct series {
    struct stats_family *family;
    char *key; /* lengths and bytes of all values; owned */
    struct slice values[STATS_LABELS_MAX]; /* into key */
    stats_id id;
    uint64_t base[STATS_SLOTS_MAX]; /* what was in the slots when they became this series' */
    bool other;
    struct series_owner *owner; /* NULL without labels */
    LIST_ENTRY(series) of_owner;
    UT_hash_handle hh;
};

struct stats_family {
    char *name, *help;
    enum stats_kind kind;
    char *label_names[STATS_LABELS_MAX];
    unsigned n_labels;
    double buckets[STATS_BUCKETS_MAX];
    unsigned n_buckets;
    struct series *series; /* uthash head, by key; owned */
    struct series *other;  /* the one that all folds into; in `series` too */
    struct name_map owners; /* by value of the first label */
    STAILQ_ENTRY(stats_family) next;
};
STAILQ_HEAD(family_list, stats_family);

static inline unsigned
family_slots(const struct stats_family *f)
{
    return f->kind == STATS_HISTOGRAM ? f->n_buckets + 2 : 1;
}

/* --- shards (shard.c). All but the reads under the registry's lock. --- */
extern nsec_t shards_reuse_after; /* a minute; tests do not wait that long */
int shards_init(unsigned workers);
void shards_fini(void);
/* Slots for a series of this family, or 0 when there are no more. Their content is what it is: see series_settle. */
stats_id shards_alloc(struct stats_family *f, struct series *owner);
void shards_release(stats_id id); /* the series is going */
void series_settle(struct series *s);   /* its slots count from here */
uint64_t series_slot(const struct series *s, unsigned slot); /* summed, since series_settle */
double series_sum(const struct series *s);                   /* histogram: sum of what was observed */
double series_gauge(const struct series *s);
struct series *series_of(stats_id id);

/* --- registry (stats.c) --- */
void stats_lock(void);
void stats_unlock(void);
struct family_list *stats_families(void); /* under the lock */
/* A copy of the list of collectors; the caller frees it. */
struct stats_collector_ref {
    stats_collector fn;
    void *arg;
};
struct stats_collector_ref *stats_collectors_copy(unsigned *n);

#endif
