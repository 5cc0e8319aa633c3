/* pool_private: what pool.c (connections kept) and lease.c (requests that want one) share. */
#ifndef UPSTREAM_POOL_PRIVATE_H
#define UPSTREAM_POOL_PRIVATE_H

#include "../base/recycle.h"
#include "cluster_state.h"
#include "pool.h"
#include "slots.h"

#include <sys/queue.h>

TAILQ_HEAD(lease_queue, lease);

/* On which list a connection is: IDLE: host->idle and upstream->idle; LEASED: host->shared if it is shared, else none.
 * Each holds one slot. */
enum pool_conn_state { POOL_CONNECTING, POOL_LEASED, POOL_IDLE };

struct pool_conn {
    struct pool_host *host; /* one use of it */
    enum pool_conn_state state;
    bool announced;             /* to the origin, as one client's: it is not kept, and nobody else's */
    bool shared;                /* by many requests at a time */
    struct conn *conn;          /* CONNECTING; NULL else: the session has it, or it has failed */
    struct up_session *session; /* LEASED, IDLE */
    struct lease_queue waiting; /* CONNECTING: for it; more than one only where it may come to be shared */
    unsigned n_waiting;
    nsec_t connect_until;
    nsec_t idle_for, idle_until, rest_until;
    TAILQ_ENTRY(pool_conn) of_host, of_upstream;
};
TAILQ_HEAD(pool_conns, pool_conn);

struct lease {
    struct pool *pool;
    struct pool_host *host;  /* one use of it */
    struct cluster *cluster; /* the caller keeps it alive */
    const struct lease_events *events;
    void *arg;
    bool fresh;
    struct slice announce;
    nsec_t deadline;              /* 0: none */
    nsec_t since;                 /* when it began to wait */
    struct pool_conn *connecting; /* NULL: on the pending queue */
    struct timer timer;
    TAILQ_ENTRY(lease) link; /* in connecting->waiting, or of the pending queue */
    LIST_ENTRY(lease) all;
};

struct pool_upstream {
    struct cluster_state *state; /* a reference; the key */
    struct pool *pool;
    unsigned users;         /* hosts, and whoever works on it just now */
    unsigned keepalive;     /* of the configuration last used */
    struct pool_conns idle; /* newest first */
    unsigned n_idle;
    struct lease_queue pending; /* oldest first */
    unsigned n_pending;
    unsigned slots;                  /* passed on to this worker and not used yet */
    unsigned round;                  /* of serving */
    TAILQ_ENTRY(pool_upstream) busy; /* while n_pending > 0 */
    UT_hash_handle hh;
};

struct pool_host_key {
    struct endpoint_state *e;
    uint64_t tls_identity;
    uint64_t protocol; /* enum origin_protocol; as wide as the others, since the key is compared as bytes */
};

struct pool_host {
    struct pool_host_key key; /* e: a reference */
    struct pool_upstream *up;
    unsigned users;               /* connections and leases */
    struct pool_conns idle;       /* newest first */
    struct pool_conns shared;     /* in use, and maybe with room for more requests */
    struct pool_conn *connecting; /* requests may join those that wait for it; NULL: there is none */
    unsigned most;                /* requests at a time, as the origin has said last; 0: it has not */
    bool one_at_a_time;           /* the origin may choose its protocol (ALPN), and has chosen HTTP/1.1 last */
    UT_hash_handle hh;
};

struct pool {
    struct loop *loop;
    struct pool_host *hosts;          /* by key */
    struct pool_host *last_host;      /* the one asked for last; NULL: none, or gone */
    struct pool_upstream *upstreams;  /* by state */
    TAILQ_HEAD(, pool_upstream) busy; /* with requests that wait */
    LIST_HEAD(, lease) leases;
    unsigned n_conns, n_idle, round;
    bool closing;            /* freed with its last connection */
    struct timer idle_timer; /* at the earliest idle_until, or before */
    struct timer recheck;    /* while requests wait: what a message may have missed */
    struct task serve;
    struct recycle free_leases;
    stats_id active_gauge, idle_gauge;
};

struct pool *pool_of_thread(void); /* NULL: none */

/* --- pool.c --- */
struct pool_host *pool_host_get(struct pool *p, struct cluster *c, struct endpoint_state *e); /* one use */
void pool_host_put(struct pool_host *h);
struct pool_upstream *pool_upstream_find(struct pool *p, struct cluster_state *st);
void pool_upstream_put(struct pool_upstream *up);

/* Takes one more use of h; its slot is the caller's to have acquired. */
struct pool_conn *pool_conn_new(struct pool_host *h);
void pool_conn_free(struct pool_conn *pc); /* on no list any more; its slot is the caller's to release */
/* CONNECTING -> LEASED: its protocol is known now. */
void pool_conn_established(struct pool_conn *pc, struct conn *established, const struct cluster *c);
bool pool_has_room(const struct pool_conn *pc, const struct cluster *c); /* for one more request */
/* One that can carry a request now, LEASED: one that others share, else the newest idle one that has not run out. NULL:
 * there is none. `fresh`: none that was idle. */
struct pool_conn *pool_take(struct pool_host *h, const struct cluster *c, bool fresh);
/* Closes the idle connection of this upstream that was used longest ago; its slot is the caller's then. false: there is
 * none. */
bool pool_idle_evict(struct pool_upstream *up);

/* --- lease.c --- */
void lease_serve_soon(struct pool *p); /* at the end of this turn */
void lease_serve(struct task *t);
void lease_recheck(struct timer *t);
void lease_drop_all(struct pool *p);

#endif
