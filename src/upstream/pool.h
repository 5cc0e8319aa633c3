/*
 * pool: this worker's connections to endpoints, kept over generations and keyed by endpoint and TLS identity (SNI, CA, verification). Leasing hands out an idle
 * one (newest first), opens one, or waits in the upstream's pending queue while all `connections` are busy.
 */
#ifndef UPSTREAM_POOL_H
#define UPSTREAM_POOL_H

#include "../session/up_h1.h"
#include "cluster.h"

struct pool;  /* one per worker */
struct lease; /* one wait for a connection */

struct pool *pool_new(struct loop *l);
void pool_free(struct pool *p);
/* Idle connections past their time go by a timer of the pool; idle ones of endpoints that left every cluster go at once. */
void pool_drop_idle(struct pool *p); /* all of them: drain */

/* reason: connect_failed connect_timeout upstream_tls_error overflow_connections overflow_pending. */
struct lease_events {
    void (*on_ready)(struct up_session *u, void *arg);  /* idle: open a stream on it now (up_h1_open) */
    void (*on_failed)(enum reason_id reason, const char *detail, void *arg);
};
/* May call back before it returns when an idle connection is there (then the result is NULL and *done is true). fresh: do not reuse an idle one (retry after a stale
 * one). deadline: monotonic; the earlier of it and connect_timeout ends the wait. */
struct lease *pool_lease(struct pool *p, struct cluster *c, struct endpoint_state *e, bool fresh, nsec_t deadline,
                         const struct lease_events *events, void *arg, bool *done);
void lease_cancel(struct lease *l);

#endif
