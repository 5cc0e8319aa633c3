/*
 * pool: this worker's connections to endpoints, kept over generations and keyed by endpoint, protocol and TLS identity
 * (SNI, CA, verification). Leasing hands out one that has room for a further request (HTTP/2) or an idle one (newest
 * first), opens one, or waits in the upstream's pending queue while all `connections` are busy. Requests that find a
 * connection under way which they may share wait for it together.
 *
 * A connection lives and dies on one worker; what workers share of an upstream is counted in slots (slots.h). A
 * connection that ends while requests wait on other workers gives its slot to the worker whose request has waited
 * longest, by mailbox; where a shared one would never end, requests here stand back for that.
 */
#ifndef UPSTREAM_POOL_H
#define UPSTREAM_POOL_H

#include "../session/up.h"
#include "cluster.h"

struct pool;  /* one per worker (and thread) */
struct lease; /* one wait for a connection */

/* On the loop's own thread, or before it runs; messages find the thread's newest pool. */
struct pool *pool_new(struct loop *l);
/* Pool's own thread. Waits are dropped without a call; connections in use end with their streams. */
void pool_free(struct pool *p);
/* Idle connections past their time go by a timer of the pool; idle ones of endpoints that left every cluster go at
 * once. */
void pool_drop_idle(struct pool *p);      /* all of them: drain */
unsigned pool_idle(const struct pool *p); /* how many */

/* Which of the upstream's `limits` has ended a wait. */
enum lease_limit {
    LEASE_LIMIT_NONE,        /* not one of them; overflow_connections: the process can open no further connection */
    LEASE_LIMIT_CONNECTIONS, /* all are busy, and nobody may wait for one */
    LEASE_LIMIT_PENDING,     /* as many wait as may */
    LEASE_LIMIT_WAIT         /* it waited, and none came free in time */
};
struct lease_failure {
    enum reason_id reason; /* connect_failed connect_timeout upstream_tls_error overflow_connections overflow_pending */
    enum lease_limit limit;
    const char *detail; /* valid during the call */
};
struct lease_events {
    void (*on_ready)(struct up_session *u, void *arg); /* idle: open a stream on it now (up_h1_open) */
    void (*on_failed)(const struct lease_failure *f, void *arg);
};
struct lease_wish {
    bool fresh;            /* none that was idle (retry after a stale one) */
    nsec_t deadline;       /* monotonic, 0: none; the earlier of it and connect_timeout ends the wait */
    /* A PROXY header: the connection is for whom it names alone, so it is a new one and is not kept. Lives as long as
     * the lease; empty: none. */
    struct slice announce;
};
/* May call back before it returns when an idle connection is there, or when it fails at once (then the result is NULL
 * and *done is true). c and e must live until the wait ends; events for ever. */
struct lease *pool_lease(struct pool *p, struct cluster *c, struct endpoint_state *e, const struct lease_wish *wish,
                         const struct lease_events *events, void *arg, bool *done);
void lease_cancel(struct lease *l); /* neither event comes after this */

#endif
