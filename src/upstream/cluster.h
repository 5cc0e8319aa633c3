/*
 * cluster: one upstream of a generation: its endpoints, how one of them is picked, and what bounds its use. Immutable
 * in a generation except for the set of endpoints (names resolve to more or fewer addresses), which each worker gets as
 * its own snapshot by its mailbox.
 *
 * Run-time state lives in struct endpoint_state (endpoint.h), keyed by upstream and address, and in struct
 * cluster_state, keyed by upstream: both outlive generations. A built cluster changes nothing that is live;
 * cluster_start does.
 *
 *     request:   cluster_enter -> attempt... -> cluster_leave
 *     attempt:   cluster_pick -> pool_lease -> ... -> cluster_report -> endpoint_put
 *     retry:     cluster_retry_admit -> attempt -> cluster_retry_done
 */
#ifndef UPSTREAM_CLUSTER_H
#define UPSTREAM_CLUSTER_H

#include "../conf/conf.h"
#include "../net/resolver.h"
#include "../net/tls.h"
#include "endpoint.h"

enum balance { BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUEST, BALANCE_RANDOM, BALANCE_HASH };

#define RETRY_ON_CONNECT_FAILURE 1u /* refused, unreachable, TLS, and not up within connect_timeout */
#define RETRY_ON_RESET 2u
#define RETRY_ON_TIMEOUT 4u /* per_try_timeout or the request's own */

/* AUTO: what ALPN agrees on. */
enum origin_protocol { ORIGIN_HTTP1, ORIGIN_HTTP2, ORIGIN_AUTO };

struct retry_conf {
    unsigned attempts;      /* tries in all; 1: none but the stale-connection one */
    unsigned on;            /* RETRY_ON_* */
    uint8_t status[100];    /* bitmap of 100..899 by status-100: ask retry_on_status */
    uint32_t grpc;          /* bitmap of enum grpc_status; never OK */
    nsec_t per_try_timeout; /* 0: none */
    double budget;          /* percent of active requests; at least 3 retries in flight */
};
bool retry_on_status(const struct retry_conf *r, int status);

/* The words of `client_cert_header`. */
enum { CLIENT_CERT_OFF, CLIENT_CERT_ON, CLIENT_CERT_CHAIN };

struct cluster {
    const char *name, *at;        /* at: "gateway.conf:12" */
    const struct weir_conf *conf; /* its block: policies (circuit_breaker) are found there by the proxy */
    enum balance balance;
    const struct weir_conf *hash_line; /* `balance hash TEMPLATE` (argument 1): compiled by the proxy; NULL */
    nsec_t connect_timeout, keepalive_idle;
    unsigned keepalive; /* idle connections kept per worker */
    /* For the process. connections, requests 0: no bound. pending 0: no waiting. */
    unsigned limit_connections, limit_pending, limit_requests;
    /* "limits connections=2 pending=0 requests=none (gateway.conf:13)": for a refusal's detail */
    const char *limits_detail;
    const char *limits_at; /* line of `limits`, or of the upstream without one */
    struct retry_conf retry;
    bool has_retry;                           /* a retry block was written */
    double panic;                             /* percent healthy below which all endpoints are used; 0: off */
    const struct weir_conf *host_header_line; /* (argument 0 is a template) NULL: the client's Host goes on */
    bool host_header_endpoint;                /* endpoint_state.authority is the Host */
    int client_cert;                          /* CLIENT_CERT_: what the origin is told of the client's certificate */
    enum origin_protocol protocol;            /* of HTTP, that the endpoints speak */
    unsigned streams;                         /* HTTP/2: requests at a time on one connection, at most */
    int proxy_protocol;                       /* version of the header that connections begin with; 0: none */
    const struct tls_client *tls;             /* NULL: plain */
    struct slice server_name;                 /* as configured; empty: the endpoint's own name (cluster_server_name) */
    uint64_t tls_identity; /* of all that makes two TLS connections equal (CA, verification, name); 0: plain */
    struct cluster_state *state;
    struct cluster_private *priv; /* endpoint sets, health checks, outlier: cluster_private.h */
};

/* Rows for `upstream` and everything inside but policies. Ends with name NULL. */
extern const struct weir_directive upstream_rows[];

/* Builds one from its block; errors go to the configuration's diagnostics. Memory: `arena` of the generation. NULL
 * after an error. Takes references on states and the answers names have had so far; nothing is started. Any thread. */
struct cluster *cluster_build(const struct weir_conf *block, struct arena *arena);
/* Service thread, after workers_init, when the generation goes live and before workers get it: resolving and health
 * checks begin (or go on, where the identity did not change), file weights come into force. r may be NULL when no
 * endpoint is a name. */
void cluster_start(struct cluster *c, struct resolver *r);
/* Service thread, before cluster_start: begins to resolve the names of the endpoints, so that they have addresses from
 * the first request on. */
void cluster_resolve(struct cluster *c, struct resolver *r);
bool cluster_resolved(const struct cluster *c); /* has every name been answered, or failed, once since? */
/* Calls fn with each name that has no address: "orders.internal:9001". */
void cluster_unresolved(const struct cluster *c, void (*fn)(const char *endpoint, void *arg), void *arg);
void cluster_unresolve(struct cluster *c); /* instead of cluster_start: gives up what cluster_resolve has begun */
/* First health-check round and first resolution done (or 5 s over)? For /ready and for publishing. Service thread. */
bool cluster_warm(const struct cluster *c);
/* Service thread, when a newer generation is live, or at the end (before resolver_free): stops what the newer one did
 * not take over. */
void cluster_stop(struct cluster *c);
/* When the last holder is gone, or instead of cluster_start. Service thread if it was started. */
void cluster_free(struct cluster *c);

/* ---- request path; on a worker ---- */

struct pick {                        /* a request's picking history; zero it first */
    uint64_t hash;                   /* for BALANCE_HASH */
    struct endpoint_state *tried[8]; /* filled in by cluster_pick; compared, never followed */
    unsigned n_tried;                /* endpoints already tried are avoided while others are there */
};
/* An endpoint that may be used now, with a reference that endpoint_put returns; NULL: none (no_healthy_endpoint). */
struct endpoint_state *cluster_pick(struct cluster *c, struct pick *p);
bool cluster_healthy(struct cluster *c); /* has it one that may be picked now (both: pick.c) */

/* Admission of a request to the upstream: `limits requests`. false: overflow_requests (nothing to leave then). */
bool cluster_enter(struct cluster *c);
void cluster_leave(struct cluster *c);

/* May one more retry be in flight now (budget)? Counts it when true; cluster_retry_done gives it back. */
bool cluster_retry_admit(struct cluster *c);
void cluster_retry_done(struct cluster *c);

/* Feeds outlier detection; the metric weir_upstream_requests_total; endpoint totals. Once per attempt that had an
 * endpoint. Never for weir's own refusals (overflow_*, breaker): they are no fault of the endpoint. */
void cluster_report(struct cluster *c, struct endpoint_state *e, enum weir_result result, int status);

/* SNI and the name to verify for this endpoint; empty: none (an address without `server_name`). */
struct slice cluster_server_name(const struct cluster *c, const struct endpoint_state *e);

/* ---- views and orders; service thread ---- */
typedef void (*endpoint_visit)(struct endpoint_state *e, void *arg);
void cluster_endpoints(struct cluster *c, endpoint_visit fn, void *arg);
/* The `endpoint` lines as they are written. Any thread that holds the generation. */
void cluster_lines(const struct cluster *c, void (*fn)(const char *text, void *arg), void *arg);
/* Do the health checks of both ask the same? Then their results go over from one to the other. Any such thread. */
bool cluster_same_checks(const struct cluster *a, const struct cluster *b);
/* By address, or as written; NULL: none. No reference. */
struct endpoint_state *cluster_endpoint(struct cluster *c, struct slice address);
const char *balance_name(enum balance b);
unsigned cluster_active_requests(const struct cluster *c); /* between enter and leave, over all workers */
unsigned cluster_connections(const struct cluster *c);     /* open, over all workers */
unsigned cluster_pending(const struct cluster *c);         /* waiting for a connection */

#endif
