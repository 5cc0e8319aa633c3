/*
 * cluster_state: what an upstream is at run time, under its name, over all generations: counts that its limits look at,
 * answers of its names, probes of its endpoints. Counted references; any thread. What is marked so belongs to the
 * service thread alone.
 */
#ifndef UPSTREAM_CLUSTER_STATE_H
#define UPSTREAM_CLUSTER_STATE_H

#include "../base/clock.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uthash.h>

struct cluster_private;
struct endpoint_set;
struct name_watch;
struct probe;

/* Per worker: when its oldest waiting request began to wait; 0: none waits. */
struct slot_waits {
    unsigned n;
    _Atomic int64_t since[];
};

struct cluster_state {
    alignas(64) _Atomic unsigned requests;    /* between cluster_enter and cluster_leave */
    _Atomic unsigned retries;                 /* in flight */
    alignas(64) _Atomic unsigned connections; /* open, opening, or promised to a waiting worker (slots.h) */
    _Atomic unsigned pending;                 /* requests waiting for one */
    _Atomic unsigned limit;                   /* of connections, as last used */
    _Atomic(struct slot_waits *) waits;       /* made at the first wait */
    _Atomic int64_t shed_at;                  /* when workers were last asked to give up idle connections */

    alignas(64) char name[65];
    unsigned refs; /* under the registry's lock */
    UT_hash_handle hh;

    pthread_mutex_t lock;          /* names' answers, `live`, ejecting */
    struct name_watch *names;      /* list changed by the service thread under lock */
    struct endpoint_set *live;     /* same; NULL while no cluster of this name is live; a reference */
    struct cluster_private *owner; /* service thread: the live cluster */
    struct probe *probes;          /* service thread */
};

struct cluster_state *cluster_state_get(const char *name); /* finds or makes; a reference */
void cluster_state_hold(struct cluster_state *st);
void cluster_state_put(struct cluster_state *st);

/* Calls fn with each state and its live set (NULL: none), all under the registry's lock: nothing of this directory may
 * be called but what takes no lock. */
void cluster_states_each(void (*fn)(struct cluster_state *st, struct endpoint_set *live, void *arg), void *arg);

/* Service thread. `set` (a reference is taken over; NULL: the upstream is gone) becomes the live one: who is no more in
 * it retires. */
void cluster_state_publish(struct cluster_state *st, struct endpoint_set *set);

#endif
