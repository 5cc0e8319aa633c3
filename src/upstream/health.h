/*
 * health: active probes of endpoints on the service loop. A probe belongs to an endpoint of a live upstream and goes on
 * over reloads while its settings (health_conf.identity) stay; its first result decides alone, from then on `healthy`
 * and `unhealthy` in a row do.
 */
#ifndef UPSTREAM_HEALTH_H
#define UPSTREAM_HEALTH_H

#include "../base/clock.h"
#include "../base/slice.h"
#include "../event/loop.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct cluster_state;
struct endpoint_set;
struct endpoint_state;
struct tls_client;

#define HEALTH_EXPECT_MAX 16

struct health_conf { /* immutable, counted: the configuration and probes hold it */
    _Atomic unsigned refs;
    char *path, *host;            /* host: Host and SNI; "" for the endpoint's own */
    char *host_header;            /* Host, whatever the address; "" for `host` */
    char *grpc_service;           /* asked for by the gRPC health checking protocol; "" for the server; NULL: by path */
    bool http2;                   /* spoken without asking where TLS does not settle it */
    const struct tls_client *tls; /* NULL: plain; a reference */
    int proxy_protocol;           /* version of the header that a probe begins with; 0: none */
    nsec_t interval, timeout;
    unsigned healthy, unhealthy; /* results in a row that turn it */
    unsigned n_expect;
    struct {
        int low, high;
    } expect[HEALTH_EXPECT_MAX];
    uint64_t identity; /* of all of the above */
};

struct health_conf *health_conf_new(void); /* zeroed, one reference */
void health_conf_put(struct health_conf *h);
bool health_expects(const struct health_conf *h, int status);

/* ---- service thread ---- */
struct probe;
/* Probes for exactly the endpoints of the set, those of an unchanged identity going on; h NULL: none, and all count as
 * healthy. */
void health_sync(struct cluster_state *st, const struct endpoint_set *set, struct health_conf *h);
void health_stop(struct cluster_state *st);
/* Has every endpoint had its first result? */
bool health_round_done(const struct cluster_state *st);

/* One result, as a probe feeds it. */
struct health_count {
    unsigned passes, failures; /* in a row; one of them is 0 */
    bool decided;              /* the first result is in */
};
/* true: *healthy has changed. */
bool health_feed(struct health_count *n, const struct health_conf *h, bool pass, bool *healthy);

#endif
