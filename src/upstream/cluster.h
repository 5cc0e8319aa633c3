/*
 * cluster: one upstream of a generation: its endpoints, how one of them is picked, and what bounds its use. Immutable in a generation except for the set of
 * endpoints (names resolve to more or fewer addresses), which each worker gets as its own snapshot by its mailbox.
 *
 * Run-time state lives in struct endpoint_state (endpoint.h), keyed by upstream and address, and in struct cluster_state, keyed by
 * upstream: both outlive generations.
 */
#ifndef UPSTREAM_CLUSTER_H
#define UPSTREAM_CLUSTER_H

#include "../conf/conf.h"
#include "../net/resolver.h"
#include "../net/tls.h"
#include "endpoint.h"

enum balance { BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUEST, BALANCE_RANDOM, BALANCE_HASH };

#define RETRY_ON_CONNECT_FAILURE 1u
#define RETRY_ON_RESET 2u
#define RETRY_ON_TIMEOUT 4u

struct retry_conf {
    unsigned attempts;            /* tries in all; 1: none but the stale-connection one */
    unsigned on;                  /* RETRY_ON_* */
    uint8_t status[100];          /* bitmap of 100..899 by status-100 */
    nsec_t per_try_timeout;       /* 0: none */
    double budget;                /* percent of active requests; at least 3 retries in flight */
};

struct cluster {
    const char *name, *at;        /* at: "gateway.conf:12" */
    const struct weir_conf *conf; /* its block: policies (circuit_breaker) are found there by the proxy */
    enum balance balance;
    const struct weir_conf *hash_line; /* `balance hash TEMPLATE`: compiled by the proxy; NULL */
    nsec_t connect_timeout, keepalive_idle;
    unsigned keepalive;           /* idle connections kept per worker */
    unsigned limit_connections, limit_pending, limit_requests; /* for the process; 0 pending: no waiting */
    struct retry_conf retry;
    bool has_retry;               /* a retry block was written */
    double panic;                 /* percent healthy below which all endpoints are used; 0: off */
    const struct weir_conf *host_header_line; /* NULL: the client's Host goes on */
    bool host_header_endpoint;
    const struct tls_client *tls; /* NULL: plain */
    struct slice server_name;
    struct cluster_state *state;
    struct cluster_private *priv; /* endpoint lists, health checks, outlier: cluster.c */
};

/* Rows for `upstream` and everything inside but policies. Ends with name NULL. */
extern const struct weir_directive upstream_rows[];

/* Builds one from its block; errors go to the configuration's diagnostics. Memory: `arena` of the generation. NULL after an error. Takes
 * references on states; nothing is started. */
struct cluster *cluster_build(const struct weir_conf *block, struct arena *arena);
/* Service thread, when the generation goes live: resolving, health checks, outlier timers begin (or go on, where the identity did not change). */
void cluster_start(struct cluster *c, struct resolver *r);
/* First health-check round and first resolution done (or 5 s over)? For /ready and for publishing. */
bool cluster_warm(const struct cluster *c);
/* Service thread, when a newer generation is live: stops checks that the newer one did not take over. */
void cluster_stop(struct cluster *c);
/* When the last holder is gone. */
void cluster_free(struct cluster *c);

/* ---- request path; on a worker ---- */

struct pick {                     /* a request's picking history */
    uint64_t hash;                /* for BALANCE_HASH */
    struct endpoint_state *tried[8];
    unsigned n_tried;             /* endpoints already tried are avoided while others are there */
};
/* An endpoint that may be used now, with a reference that endpoint_put returns; NULL: none (no_healthy_endpoint). */
struct endpoint_state *cluster_pick(struct cluster *c, struct pick *p);
bool cluster_healthy(struct cluster *c); /* has it one that may be picked now */

/* Admission of a request to the upstream: `limits requests`. false: overflow_requests. */
bool cluster_enter(struct cluster *c);
void cluster_leave(struct cluster *c);

/* May one more retry be in flight now (budget)? Counts it when true; cluster_retry_done gives it back. */
bool cluster_retry_admit(struct cluster *c);
void cluster_retry_done(struct cluster *c);

/* Feeds outlier detection; the metric weir_upstream_requests_total; endpoint totals. Once per attempt. */
void cluster_report(struct cluster *c, struct endpoint_state *e, enum weir_result result, int status);

/* ---- views and orders; service thread ---- */
typedef void (*endpoint_visit)(struct endpoint_state *e, void *arg);
void cluster_endpoints(struct cluster *c, endpoint_visit fn, void *arg);
const char *balance_name(enum balance b);
/* How many of these (connections of this upstream open, over all workers). */
unsigned cluster_active_requests(const struct cluster *c);

#endif
