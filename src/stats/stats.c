#include "stats.h"
#include "../base/xalloc.h"
#include "stats_impl.h"

#include <pthread.h>
#include <stdlib.h>

#define STATS_CAP_DEFAULT 10000u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    bool open;
    struct family_list families;
    unsigned n_series, cap;
    struct stats_collector_ref *collectors;
    unsigned n_collectors;
} reg = { .families = STAILQ_HEAD_INITIALIZER(reg.families), .cap = STATS_CAP_DEFAULT };

void
stats_lock(void)
{
    pthread_mutex_lock(&lock);
}

void
stats_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

struct family_list *
stats_families(void)
{
    return &reg.families;
}

int
stats_init(unsigned workers)
{
    stats_lock();
    shards_init(workers);
    shards_alloc(NULL, NULL); /* number 0: the sink */
    reg.open = true;
    stats_unlock();
    return 0;
}

static struct series_owner *
owner_get(struct stats_family *f, struct slice value)
{
    struct series_owner *o = name_map_get(&f->owners, value);

    if (o)
        return o;
    o = xcalloc(1, sizeof(*o));
    LIST_INIT(&o->series);
    o->value = xstrndup(value.p, value.n);
    o->n = value.n;
    name_map_put(&f->owners, slice_of(o->value, o->n), o);
    return o;
}

static void
owner_leave(struct series *s)
{
    struct series_owner *o = s->owner;

    if (!o)
        return;
    LIST_REMOVE(s, of_owner);
    if (!LIST_EMPTY(&o->series))
        return;
    name_map_del(&s->family->owners, slice_of(o->value, o->n));
    free(o->value);
    free(o);
}

static void
series_free(struct series *s)
{
    owner_leave(s);
    HASH_DEL(s->family->series, s);
    free(s->key);
    free(s);
}

static void
family_free(struct stats_family *f)
{
    struct series *s, *next;
    unsigned i;

    HASH_ITER(hh, f->series, s, next)
        series_free(s);
    for (i = 0; i < f->n_labels; i++)
        free(f->label_names[i]);
    name_map_fini(&f->owners);
    free(f->name);
    free(f->help);
    free(f);
}

void
stats_fini(void)
{
    struct stats_family *f;

    stats_lock();
    while ((f = STAILQ_FIRST(&reg.families))) {
        STAILQ_REMOVE_HEAD(&reg.families, next);
        family_free(f);
    }
    if (reg.open)
        shards_fini();
    free(reg.collectors);
    reg.collectors = NULL;
    reg.n_collectors = reg.n_series = 0;
    reg.cap = STATS_CAP_DEFAULT;
    reg.open = false;
    stats_unlock();
}

void
stats_set_cap(unsigned series)
{
    stats_lock();
    reg.cap = series;
    stats_unlock();
}

/* --- families --- */

static struct stats_family *
family_find(const char *name)
{
    struct stats_family *f;

    STAILQ_FOREACH(f, &reg.families, next) {
        if (strcmp(f->name, name) == 0)
            return f;
    }
    return NULL;
}

static bool
name_valid(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    return *name && !(*name >= '0' && *name <= '9') && name[strspn(name, letters)] == '\0';
}

static bool
declaration_valid(const char *name, const char *const *label_names, unsigned n_labels, unsigned n_buckets)
{
    unsigned i;

    if (!name_valid(name) || n_labels > STATS_LABELS_MAX || n_buckets > STATS_BUCKETS_MAX)
        return false;
    for (i = 0; i < n_labels; i++) {
        if (!name_valid(label_names[i]))
            return false;
    }
    return true;
}

static struct stats_family *
family_new(const char *name, enum stats_kind kind, const char *help)
{
    struct stats_family *f = xcalloc(1, sizeof(*f));

    f->name = xstrdup(name);
    f->help = xstrdup(help);
    f->kind = kind;
    STAILQ_INSERT_TAIL(&reg.families, f, next);
    return f;
}

struct stats_family *
stats_family(const char *name, enum stats_kind kind, const char *help, const char *const *label_names,
             unsigned n_labels, const double *buckets, unsigned n_buckets)
{
    struct stats_family *f;
    unsigned i;

    if (!declaration_valid(name, label_names, n_labels, n_buckets))
        return NULL;
    stats_lock();
    f = family_find(name);
    if (f && (f->kind != kind || f->n_labels != n_labels)) {
        f = NULL;
    } else if (!f) {
        f = family_new(name, kind, help);
        f->n_labels = n_labels;
        for (i = 0; i < f->n_labels; i++)
            f->label_names[i] = xstrdup(label_names[i]);
        f->n_buckets = kind == STATS_HISTOGRAM ? n_buckets : 0;
        for (i = 0; i < f->n_buckets; i++)
            f->buckets[i] = buckets[i];
    }
    stats_unlock();
    return f;
}

/* --- series --- */

/* All values in one run of bytes, each behind its length, so that no two lists of values give the same key. */
static char *
key_new(const struct stats_family *f, const struct slice *values, size_t *len)
{
    unsigned i;
    char *key, *to;

    for (*len = 0, i = 0; i < f->n_labels; i++)
        *len += sizeof(values[i].n) + values[i].n;
    key = to = xmalloc(*len);
    for (i = 0; i < f->n_labels; i++) {
        memcpy(to, &values[i].n, sizeof(values[i].n));
        to += sizeof(values[i].n);
        if (values[i].n)
            memcpy(to, values[i].p, values[i].n);
        to += values[i].n;
    }
    return key;
}

static void
point_values(struct series *s, const struct slice *values)
{
    const char *at = s->key;
    unsigned i;

    for (i = 0; i < s->family->n_labels; i++) {
        at += sizeof(values[i].n);
        s->values[i] = slice_of(at, values[i].n);
        at += values[i].n;
    }
}

/* Takes the key. NULL when there is no place left. */
static struct series *
series_new(struct stats_family *f, const struct slice *values, char *key, size_t len)
{
    struct series *s = xcalloc(1, sizeof(*s));

    s->family = f;
    s->key = key;
    s->id = shards_alloc(f, s);
    if (!s->id) {
        free(key);
        free(s);
        return NULL;
    }
    point_values(s, values);
    series_settle(s);
    HASH_ADD_KEYPTR(hh, f->series, s->key, len, s);
    if (f->n_labels) {
        s->owner = owner_get(f, s->values[0]);
        LIST_INSERT_HEAD(&s->owner->series, s, of_owner);
    }
    reg.n_series++;
    return s;
}

static struct series *
series_find(struct stats_family *f, const struct slice *values, bool make)
{
    size_t len;
    char *key = key_new(f, values, &len);
    struct series *s;

    HASH_FIND(hh, f->series, key, len, s);
    if (s || !make) {
        free(key);
        return s;
    }
    return series_new(f, values, key, len);
}

/* The one that all series past the cap fold into; it does not itself count against the cap. */
static struct series *
other_series(struct stats_family *f)
{
    struct slice values[STATS_LABELS_MAX];
    unsigned i;

    if (!f->other) {
        for (i = 0; i < STATS_LABELS_MAX; i++)
            values[i] = SLICE("other");
        f->other = series_find(f, values, true);
        if (f->other)
            f->other->other = true;
    }
    return f->other;
}

stats_id
stats_series(struct stats_family *f, const struct slice *values)
{
    struct series *s = NULL;
    stats_id id;

    stats_lock();
    if (reg.open && f) {
        s = series_find(f, values, f->n_labels == 0 || reg.n_series < reg.cap);
        if (!s)
            s = other_series(f);
    }
    id = s ? s->id : 0;
    stats_unlock();
    return id;
}

static void
drop(struct series *s)
{
    if (s->other)
        return;
    shards_release(s->id);
    series_free(s);
    reg.n_series--;
}

void
stats_drop(struct stats_family *f, struct slice value)
{
    struct series_owner *o;
    struct series *s, *next;

    if (!f)
        return;
    stats_lock();
    o = name_map_get(&f->owners, value);
    for (s = o ? LIST_FIRST(&o->series) : NULL; s; s = next) { /* the owner goes with its last one */
        next = LIST_NEXT(s, of_owner);
        drop(s);
    }
    stats_unlock();
}

void
stats_drop_series(stats_id id)
{
    struct series *s;

    stats_lock();
    s = reg.open ? series_of(id) : NULL;
    if (s)
        drop(s);
    stats_unlock();
}

uint64_t
stats_counter_value(stats_id id)
{
    uint64_t total = 0;
    struct series *s;
    unsigned i;

    stats_lock();
    s = reg.open ? series_of(id) : NULL;
    if (s && s->family->kind == STATS_HISTOGRAM) {
        for (i = 0; i <= s->family->n_buckets; i++)
            total += series_slot(s, i);
    } else if (s) {
        total = series_slot(s, 0);
    }
    stats_unlock();
    return total;
}

int64_t
stats_gauge_value(stats_id id)
{
    struct series *s;
    int64_t v = 0;

    stats_lock();
    s = reg.open ? series_of(id) : NULL;
    if (s)
        v = (int64_t)series_gauge(s);
    stats_unlock();
    return v;
}

/* --- collectors --- */

void
stats_add_collector(stats_collector fn, void *arg)
{
    stats_lock();
    reg.collectors = xrealloc(reg.collectors, (reg.n_collectors + 1) * sizeof(*reg.collectors));
    reg.collectors[reg.n_collectors++] = (struct stats_collector_ref){ fn, arg };
    stats_unlock();
}

void
stats_del_collector(stats_collector fn, void *arg)
{
    unsigned i, kept = 0;

    stats_lock();
    for (i = 0; i < reg.n_collectors; i++) {
        if (reg.collectors[i].fn != fn || reg.collectors[i].arg != arg)
            reg.collectors[kept++] = reg.collectors[i];
    }
    reg.n_collectors = kept;
    stats_unlock();
}

struct stats_collector_ref *
stats_collectors_copy(unsigned *n)
{
    struct stats_collector_ref *copy;

    stats_lock();
    *n = reg.n_collectors;
    copy = xcalloc(*n, sizeof(*copy));
    if (*n)
        memcpy(copy, reg.collectors, *n * sizeof(*copy));
    stats_unlock();
    return copy;
}
