/*
 * generation: one loaded configuration, complete and immutable, published to each worker as one pointer. An exchange
 * holds the generation it began with; the last holder's release lets the service thread free it. What must outlive it
 * (health, breakers, buckets, metrics, connections) is keyed by identity elsewhere and only referenced from here.
 */
#ifndef PROXY_GENERATION_H
#define PROXY_GENERATION_H

#include "../base/name_map.h"
#include "../event/worker.h"
#include "../http/h1.h"
#include "../net/client_count.h"
#include "../net/listener.h"
#include "../observe/access_log.h"
#include "../session/down.h"
#include "../store/store.h"
#include "../upstream/cluster.h"
#include "route.h"

struct route_metrics;
struct target {             /* an upstream with the policies written in it */
    struct cluster *cluster;
    struct route_metrics *stats; /* its policies' verdicts are counted under its name */
    struct chain *chain;
    struct template *hash_key;    /* balance hash */
    struct template *host_header;
    nsec_t check_interval;        /* of its health checks; 0: none */
};

struct listener_cert {
    const char *file; /* as it may be shown */
    int64_t expiry;   /* seconds since 1970 */
    int64_t staple_end; /* of its OCSP response; 0: there is none */
};

struct listener {
    const char *name, *at;
    struct down_conf down;
    struct tls_server *tls;         /* NULL: plain */
    struct listener_cert *certs;    /* of it */
    unsigned n_certs;
    const char *crl_file;           /* lists of revoked clients, as it may be shown; NULL: none */
    int64_t crl_end;                /* when the first of them runs out, seconds since 1970; 0: never */
    struct listener_socket **sockets;
    const struct weir_conf **binds; /* the line of each socket */
    unsigned n_sockets;
    unsigned max_connections;       /* over all addresses and workers */
    unsigned max_per_client;        /* the same for one client address; 0: no bound */
    bool proxy_protocol;            /* connections begin with a PROXY header */
    struct cidr *introducers;       /* who may write one; unix peers may as well */
    unsigned n_introducers;
    _Atomic unsigned *open;         /* how many there are; by the listener's name, outlives generations */
    struct client_counts *clients;  /* the same by address; only those that came under a bound */
    const char *limit_at[LIMITS];   /* where each bound is set */
};

struct generation {
    uint64_t id;                    /* 1, 2, ... */
    nsec_t loaded_at;               /* wall */
    struct conf *conf;
    struct arena arena;
    struct policy_scope scope;      /* every policy, configured once */

    struct listener *listeners;
    unsigned n_listeners;
    struct target **targets;
    unsigned n_targets;
    struct name_map targets_by_name;
    struct store **stores;
    unsigned n_stores;
    struct route_table *routes;
    struct access_log *log;         /* NULL: off */
    struct cidr *trusted;
    unsigned n_trusted;
    struct slice hsts;              /* of answers without a route */
    bool underscores;               /* header names with '_' are kept */
    struct uri_rules uri;           /* of every listener, route pattern, explanation and test: one form of a path */
    nsec_t drain_lag, drain_timeout;

    _Atomic unsigned holders[WORKER_MAX]; /* exchanges; each written by its own worker only */
    _Atomic unsigned tunnels[WORKER_MAX]; /* those of them that have become tunnels; same */
    _Atomic unsigned workers_on; /* workers that have it as their current one, and addresses that they leave with it */
    void (*on_unused)(struct generation *g); /* service thread, once retired and without holders */
    struct generation *next_retired;
};

/* Rows of the proxy's own directives. */
extern const struct weir_directive proxy_rows[];
extern const struct weir_directive listener_rows[];

/* From a checked tree, which it takes over. Never NULL: conf_errors says whether it may be published or only be freed.
 * Opens nothing: no socket, no log. */
struct generation *generation_build(struct conf *conf, uint64_t id);
/* Frees it and its configuration. No worker may hold it. */
void generation_free(struct generation *g);
/* Binds what is not bound yet, and opens the access log. -1: reported at their lines. Service thread. */
int generation_open(struct generation *g);
bool generation_has_socket(const struct generation *g, const struct listener_socket *s);
/* Service thread, before a newer one is published: addresses that it has no more can be bound anew from now on. */
void generation_retire_sockets(const struct generation *old, const struct generation *newer);

static inline void
generation_hold(struct generation *g, unsigned worker)
{
    atomic_store_explicit(&g->holders[worker], atomic_load_explicit(&g->holders[worker], memory_order_relaxed) + 1,
                          memory_order_relaxed);
}
/* current: it is still the generation that this worker gives to new exchanges. */
void generation_put(struct generation *g, unsigned worker, bool current);
/* A worker has taken a newer one as its current one, or has left an address for which it stayed (generation_stay). */
void generation_leave(struct generation *g);
static inline void
generation_stay(struct generation *g)
{
    atomic_fetch_add_explicit(&g->workers_on, 1, memory_order_relaxed);
}
/* On its worker: an exchange that holds it has become a tunnel (1), or such a one is over (-1). */
static inline void
generation_count_tunnel(struct generation *g, unsigned worker, int change)
{
    unsigned n = atomic_load_explicit(&g->tunnels[worker], memory_order_relaxed) + (unsigned)change;
    atomic_store_explicit(&g->tunnels[worker], n, memory_order_relaxed);
}

struct generation_held {
    unsigned workers;   /* that give it to new exchanges, or still accept at an address that it was the last to have */
    unsigned exchanges; /* requests and their responses, streams included */
    unsigned tunnels;   /* WebSockets and other upgraded connections */
};
/* Nothing else holds one: health checks, connections and states outlive it or were copied. Any thread. */
struct generation_held generation_held(const struct generation *g);
unsigned generation_holders(const struct generation *g); /* all of them */
/* Called on the service thread when a newer one was published; on_unused comes when nobody is left. */
void generation_retire(struct generation *g, void (*on_unused)(struct generation *));
/* Those retired and still held, newest first; service thread. */
struct generation *generation_retired(void);

struct target *generation_target(const struct generation *g, struct slice upstream);
struct store *generation_store(const struct generation *g, struct slice name);

#endif
