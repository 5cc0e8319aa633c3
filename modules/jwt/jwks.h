/*
 * jwks: the key set behind one URL, shared by all generations and workers (keyed state), fetched by the service loop:
 * at start, again after 80 % of its TTL, and early when a token names a key that is not there. One fetch at a time.
 * While the provider is away the old keys serve on for 24 hours.
 */
#ifndef JWKS_H
#define JWKS_H

#include "keys.h"

#include <pthread.h>
#include <sys/queue.h>
#include <weir/module.h>

#define JWKS_STALE_NS (24 * 3600 * INT64_C(1000000000))
#define JWKS_PARK_NS INT64_C(1000000000) /* a request waits at most this long for keys */

/* A request that waits for a fetch. In its exchange's memory, on one list, touched by its own worker or under the lock.
 */
struct jwks_waiter {
    LIST_ENTRY(jwks_waiter) link;
    struct jwks *jwks;       /* where it waits; NULL: nowhere */
    struct weir_exchange *x;
    struct weir_timer *timer;
    unsigned worker;
};

LIST_HEAD(jwks_waiters, jwks_waiter);

struct jwks {
    struct weir_state *self;
    char *url;                    /* for fetches, logs and views */

    /* Any thread. */
    _Atomic uint64_t version;     /* one more whenever the keys change: verified tokens are forgotten */
    _Atomic unsigned users;       /* live generations' policies */
    _Atomic int64_t ttl_ns, refetch_ns, timeout_ns; /* of the latest generation */

    pthread_mutex_t lock;         /* for what follows, for a few instructions */
    struct keyset *keys;          /* NULL: none */
    int64_t fetched_at;           /* monotonic, the last good fetch; 0: never */
    int64_t tried_at, next_try;   /* start of the last fetch; time of the next */
    bool fetching;                /* asked for or under way */
    unsigned failures;            /* in a row */
    char error[128];              /* of the last failure */
    struct jwks_waiters waiters;

    /* Service loop only. */
    struct weir_timer *timer;
    struct weir_call *call;
    uint64_t text_hash;           /* of the set that the keys are made of */
    struct weir_metric *age, *good, *bad;
};

enum jwks_wanted {
    JWKS_WAITING,  /* the waiter is on the list: resume comes */
    JWKS_FRESH,    /* a fetch has ended meanwhile: look again */
    JWKS_NOT       /* no fetch is due */
};

struct jwks_settings {
    int64_t ttl_ns, refetch_ns, timeout_ns;
};

struct jwks_status {
    unsigned keys, failures;
    int64_t age_ns;               /* -1: never fetched */
    char error[128];
};

extern const struct weir_host *jwt_host;

/* The state of a URL; put with host->state_put. *out is its data. */
struct weir_state *jwks_get(const char *url, struct jwks **out);
void jwks_start(struct jwks *j, const struct jwks_settings *s); /* service loop */
void jwks_stop(struct jwks *j);                                 /* any thread; once for each start */

/* Has it keys, or has it failed to get them? */
bool jwks_settled(struct jwks *j);
/* The keys of now, held; NULL: none. */
struct keyset *jwks_keys(struct jwks *j);
/* The keys do not serve this request (none at all, or not the one its token names, since `version`): asks for a fetch
 * if one is due, and waits for it. */
enum jwks_wanted jwks_want(struct jwks *j, uint64_t version, struct jwks_waiter *w, struct weir_exchange *x);
/* The exchange goes on or is over: off the list. On its worker. */
void jwks_leave(struct jwks_waiter *w);
/* Seconds until the next fetch, at least 1. */
int64_t jwks_retry_after(struct jwks *j);
void jwks_read(struct jwks *j, struct jwks_status *out);

#endif
