/*
 * endpoint_state: what is known at run time of one address of one upstream. Keyed by upstream, address and the text of
 * the file it came from; shared by all workers and generations; every field that changes is atomic. Counted references:
 * clusters, picks and pools hold them.
 */
#ifndef UPSTREAM_ENDPOINT_H
#define UPSTREAM_ENDPOINT_H

#include "../base/clock.h"
#include "../net/addr.h"
#include "../stats/stats.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>
#include <weir/types.h>

/* Ordered by PATCH. DRAIN and DOWN take no new requests, those in flight end; DOWN also closes idle connections. */
enum endpoint_admin { ENDPOINT_UP, ENDPOINT_DOWN, ENDPOINT_DRAIN };

#define ENDPOINT_OUTCOMES 8 /* enum weir_result */
#define ENDPOINT_WEIGHT_MAX 1000
#define ENDPOINT_AUTHORITY_MAX 262 /* a name of 255 bytes, ':' and a port */

struct endpoint_state {
    char upstream[65];
    char address[ADDR_TEXT_MAX];            /* "127.0.0.1:9001": shown in views, logs and metrics */
    char authority[ENDPOINT_AUTHORITY_MAX]; /* as written: "orders.internal:9001" (unix: "localhost") */
    char host[ENDPOINT_AUTHORITY_MAX];      /* the name in it, for SNI; "" when it was written as an address */
    struct addr addr;
    _Atomic unsigned refs;
    _Atomic unsigned weight;       /* in force; 0: no requests */
    _Atomic int weight_file;       /* of the newest live configuration; -1: in none yet */
    _Atomic int weight_override;   /* -1: none */
    _Atomic int admin;             /* enum endpoint_admin */
    _Atomic bool healthy;          /* active checks; true without them and before their first result */
    _Atomic bool retired;          /* left its upstream (file or DNS): connections to it are not kept */
    _Atomic int64_t ejected_until; /* outlier; monotonic ns, 0: never was. In the past: it is back since then */
    _Atomic unsigned active;       /* requests that hold or wait for a connection (kept by the pool) */
    _Atomic uint64_t requests_total;
    _Atomic unsigned consecutive;                /* failures in a row */
    _Atomic unsigned ejections;                  /* for growing ejection times */
    _Atomic stats_id outcome[ENDPOINT_OUTCOMES]; /* weir_upstream_requests_total by enum weir_result; 0: not made yet */
    char *key;                                   /* of the registry; owned */
    LIST_ENTRY(endpoint_state) of_upstream;      /* of the registry */
    UT_hash_handle hh;
};

/* Finds or makes; a reference. Any thread. authority: "NAME:PORT" as written in the file; NULL: it was written as an
 * address. */
struct endpoint_state *endpoint_get_as(const char *upstream, const struct addr *a, const char *authority);
struct endpoint_state *endpoint_get(const char *upstream, const struct addr *a);
void endpoint_hold(struct endpoint_state *e);
void endpoint_put(struct endpoint_state *e); /* any thread */

/* May a new request go to it? */
static inline bool
endpoint_usable(const struct endpoint_state *e, nsec_t now)
{
    return atomic_load_explicit(&e->admin, memory_order_relaxed) == ENDPOINT_UP &&
           atomic_load_explicit(&e->healthy, memory_order_relaxed) &&
           atomic_load_explicit(&e->ejected_until, memory_order_relaxed) <= now &&
           atomic_load_explicit(&e->weight, memory_order_relaxed) > 0;
}

/* Admin state, health, ejection or weight of some endpoint has changed: after the change, any thread. What was derived
 * from them is good as long as the number is the same that was read before. */
void endpoint_changed(void);
unsigned endpoint_changes(void);

const char *endpoint_state_name(const struct endpoint_state *e, nsec_t now); /* up down drain ejected */

/* What the file says of it, when that goes live: a value other than the last one ends an override. */
void endpoint_file_weight(struct endpoint_state *e, unsigned weight);
/* Orders; service thread. state NULL or weight < 0: unchanged. -1: bad state word or a weight over ENDPOINT_WEIGHT_MAX;
 * nothing is changed. */
int endpoint_order(struct endpoint_state *e, const char *state, int weight);
/* Service thread: it left its upstream (or came back). Workers close their idle connections to it. */
void endpoint_retire(struct endpoint_state *e);
void endpoint_unretire(struct endpoint_state *e);

/* Counts one finished attempt: weir_upstream_requests_total and requests_total. */
void endpoint_count(struct endpoint_state *e, enum weir_result result);
const char *result_name(enum weir_result result); /* the metric's `outcome` */
/* The upstream is gone for good: its series are dropped. */
void endpoint_drop_series(const char *upstream);

#endif
