/*
 * state: what a store is at run time, over all generations: where it is, its settings, and a lane for each worker.
 * Keyed by name, URL and TLS settings; kept while any store of the key lives. Counted references.
 */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "../base/arena.h"
#include "../event/worker.h"
#include "../net/resolver.h"
#include "../stats/stats.h"
#include "map.h"
#include "url.h"

#include <pthread.h>
#include <stdatomic.h>

struct finder;
struct lane;

#define STATE_TOLD 4

enum store_error { STORE_TIMEOUT, STORE_UNAVAILABLE, STORE_SERVER, STORE_ERRORS };
enum lane_status { LANE_NONE, LANE_CONNECTING, LANE_UP, LANE_DOWN };

struct lane_view {                /* what a worker shows of its lane; relaxed */
    _Atomic unsigned char status; /* enum lane_status */
    _Atomic int64_t latency;      /* moving average, ns; 0: no reply yet */
};

struct state_settings {
    struct slice name, url, ca; /* ca: a path, or empty */
    bool verify;
};

struct store_state {
    struct store_state *next; /* in the registry, newest first; under its lock */
    unsigned users;           /* stores; under the registry's lock */
    atomic_uint holds;        /* the users together, each message under way, each lane */

    /* Constant. */
    struct arena arena;
    char *key;                  /* holds the password */
    const char *name, *subject; /* "store main" */
    struct store_url url;
    struct tls_client *tls;   /* NULL: plain */
    struct slice server_name; /* for TLS; empty: the address is checked */
    stats_id errors[STORE_ERRORS], latency;

    _Atomic nsec_t timeout; /* of the store built last: bounds probes */
    atomic_bool asked;      /* a refresh is on its way to the finder */
    atomic_bool nowhere;    /* the finder cannot say where it is */

    pthread_mutex_t lock;
    uint64_t told[STATE_TOLD]; /* under lock: hashes of the troubles in the log since it was up */
    unsigned n_told;           /* under lock */
    struct store_map *map;     /* under lock; NULL: not known yet */
    bool closing;              /* under lock: no more lanes */
    bool opened[WORKER_MAX];   /* under lock: that worker has a lane */

    struct lane *lanes[WORKER_MAX]; /* each its own worker's */
    struct lane_view views[WORKER_MAX];

    /* Service thread. */
    unsigned started;
    bool opened_all;
    struct finder *finder; /* NULL: the address is literal, or not started */
};

/* Finds or makes; one user more. NULL with *e: TLS settings. `u` is copied by parsing the URL again. Any thread. */
struct store_state *store_state_get(const struct state_settings *s, struct err *e);
void state_release(struct store_state *st); /* one user less; the last one closes the lanes on their workers */
void store_state_hold(struct store_state *st);
void store_state_put(struct store_state *st);

/* Service thread. Counted: start and stop come in pairs. */
void state_start(struct store_state *st, struct resolver *r);
void state_stop(struct store_state *st);
void state_publish(struct store_state *st, struct store_map *m); /* takes the reference over; lanes follow it */

void state_nowhere(struct store_state *st, const char *why); /* it cannot be found; where it was last stays */

/* The calling worker's lane, opened when it is missing. NULL: closing. */
struct lane *state_lane(struct store_state *st);
struct store_map *state_map(struct store_state *st); /* a reference, or NULL */
void state_refresh(struct store_state *st);          /* any thread: the map seems old */

/* The log gets one line per trouble, not per worker and try. */
void state_trouble(struct store_state *st, const char *text);
void state_recovered(struct store_state *st);
enum lane_status state_status(const struct store_state *st, nsec_t *latency); /* *latency -1: none */

#endif
