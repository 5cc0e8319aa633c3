/*
 * endpoint_state: what is known at run time of one address of one upstream. Keyed by (upstream name, address as written or resolved), shared by all workers and
 * generations; every field that changes is atomic. Counted references: clusters, picks and pools hold them.
 */
#ifndef UPSTREAM_ENDPOINT_H
#define UPSTREAM_ENDPOINT_H

#include "../base/clock.h"
#include "../net/addr.h"
#include "../stats/stats.h"

#include <stdatomic.h>
#include <weir/types.h>

enum endpoint_admin { ENDPOINT_UP, ENDPOINT_DOWN, ENDPOINT_DRAIN }; /* ordered by PATCH; DRAIN: no new requests but sticky/hash ones already there end */

struct endpoint_state {
    char upstream[65];
    char address[ADDR_TEXT_MAX];        /* "127.0.0.1:9001" */
    struct addr addr;
    _Atomic unsigned refs;
    _Atomic unsigned weight;            /* in force */
    _Atomic int weight_override;        /* -1: none */
    _Atomic int admin;                  /* enum endpoint_admin */
    _Atomic bool healthy;               /* active checks; true without them */
    _Atomic int64_t ejected_until;      /* outlier; monotonic ns, 0: not ejected */
    _Atomic unsigned active;            /* requests in flight */
    _Atomic uint64_t requests_total;
    _Atomic unsigned consecutive;       /* failures in a row */
    _Atomic unsigned ejections;         /* for growing ejection times */
    stats_id outcome[8];                /* weir_upstream_requests_total by enum weir_result */
};

struct endpoint_state *endpoint_get(const char *upstream, const struct addr *a); /* finds or makes; a reference */
void endpoint_hold(struct endpoint_state *e);
void endpoint_put(struct endpoint_state *e);
bool endpoint_usable(const struct endpoint_state *e, nsec_t now);
const char *endpoint_state_name(const struct endpoint_state *e, nsec_t now); /* up down drain ejected */
/* Orders; service thread. state NULL or weight < 0: unchanged. -1: bad state word. */
int endpoint_order(struct endpoint_state *e, const char *state, int weight);

#endif
