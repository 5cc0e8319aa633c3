#include "cluster_state.h"
#include "../base/xalloc.h"
#include "endpoint_set.h"

#include <stdio.h>
#include <stdlib.h>

static struct {
    pthread_mutex_t lock;
    struct cluster_state *all; /* by name; holds no references */
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct cluster_state *
state_new(const char *name)
{
    struct cluster_state *st = aligned_alloc(alignof(struct cluster_state), sizeof(*st));

    if (!st)
        abort();
    memset(st, 0, sizeof(*st));
    snprintf(st->name, sizeof(st->name), "%s", name);
    pthread_mutex_init(&st->lock, NULL);
    return st;
}

struct cluster_state *
cluster_state_get(const char *name)
{
    struct cluster_state *st;

    pthread_mutex_lock(&registry.lock);
    HASH_FIND_STR(registry.all, name, st);
    if (!st) {
        st = state_new(name);
        HASH_ADD_STR(registry.all, name, st);
    }
    st->refs++;
    pthread_mutex_unlock(&registry.lock);
    return st;
}

void
cluster_state_hold(struct cluster_state *st)
{
    pthread_mutex_lock(&registry.lock);
    st->refs++;
    pthread_mutex_unlock(&registry.lock);
}

void
cluster_state_put(struct cluster_state *st)
{
    bool last;

    pthread_mutex_lock(&registry.lock);
    last = --st->refs == 0;
    if (last) {
        HASH_DEL(registry.all, st);
        endpoint_drop_series(st->name); /* under the lock: a new state of this name would count into new series */
    }
    pthread_mutex_unlock(&registry.lock);
    if (!last)
        return;
    pthread_mutex_destroy(&st->lock);
    free(atomic_load(&st->waits));
    free(st);
}

void
cluster_states_each(void (*fn)(struct cluster_state *st, struct endpoint_set *live, void *arg), void *arg)
{
    struct cluster_state *st, *next;

    pthread_mutex_lock(&registry.lock);
    HASH_ITER (hh, registry.all, st, next) {
        pthread_mutex_lock(&st->lock);
        fn(st, st->live, arg);
        pthread_mutex_unlock(&st->lock);
    }
    pthread_mutex_unlock(&registry.lock);
}

void
cluster_state_publish(struct cluster_state *st, struct endpoint_set *set)
{
    struct endpoint_set *old;
    unsigned i;

    pthread_mutex_lock(&st->lock);
    old = st->live;
    st->live = set;
    pthread_mutex_unlock(&st->lock);
    for (i = 0; set && i < set->n; i++)
        endpoint_unretire(set->entries[i].e);
    for (i = 0; old && i < old->n; i++) {
        if (!endpoint_set_has(set, old->entries[i].e))
            endpoint_retire(old->entries[i].e);
    }
    if (old)
        endpoint_set_put(old);
}
