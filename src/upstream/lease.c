#include "../base/log.h"
#include "../base/xalloc.h"
#include "pool_private.h"

#include <stddef.h>
#include <stdio.h>

#define RECHECK_EVERY (20 * NSEC_PER_MSEC)
#define FREE_LEASES_MAX 64

/* ------------------------------------------------------------------ life of a lease */

static void on_time(struct timer *t);

static struct lease *
lease_new(struct pool_host *h, struct cluster *c, const struct lease_events *events, void *arg)
{
    struct pool *p = h->up->pool;
    struct lease *l = recycle_get(&p->free_leases, sizeof(*l));

    memset(l, 0, sizeof(*l));
    h->users++;
    l->pool = p;
    l->host = h;
    l->cluster = c;
    l->events = events;
    l->arg = arg;
    timer_init(&l->timer, p->loop, on_time);
    LIST_INSERT_HEAD(&p->leases, l, all);
    return l;
}

static void
lease_free(struct lease *l)
{
    struct pool *p = l->pool;

    timer_fini(&l->timer);
    LIST_REMOVE(l, all);
    pool_host_put(l->host);
    recycle_put(&p->free_leases, l, sizeof(*l), FREE_LEASES_MAX);
}

/* The wait ends without a connection. l is gone before the caller hears of it. */
static void
lease_end(struct lease *l, const struct lease_failure *f)
{
    const struct lease_events *events = l->events;
    void *arg = l->arg;

    atomic_fetch_sub_explicit(&l->host->key.e->active, 1, memory_order_relaxed);
    lease_free(l);
    events->on_failed(f, arg);
}

static void
lease_fail(struct lease *l, enum reason_id reason, const char *detail)
{
    lease_end(l, &(struct lease_failure){ reason, LEASE_LIMIT_NONE, detail });
}

static void
lease_refuse(struct lease *l, enum lease_limit limit)
{
    enum reason_id reason = limit == LEASE_LIMIT_CONNECTIONS ? REASON_OVERFLOW_CONNECTIONS : REASON_OVERFLOW_PENDING;

    lease_end(l, &(struct lease_failure){ reason, limit, l->cluster->limits_detail });
}

static void
lease_done(struct lease *l, struct pool_conn *pc)
{
    const struct lease_events *events = l->events;
    void *arg = l->arg;

    lease_free(l);
    events->on_ready(pc->session, arg);
}

static nsec_t
earlier(nsec_t at, nsec_t deadline)
{
    return deadline && deadline < at ? deadline : at;
}

/* ------------------------------------------------------------------ connecting */

static bool seek(struct lease *l);

/* Whoever may share what comes out of it can wait for it, too. */
static void
join(struct lease *l, struct pool_conn *pc)
{
    l->connecting = pc;
    TAILQ_INSERT_TAIL(&pc->waiting, l, link);
    pc->n_waiting++;
    timer_set(&l->timer, earlier(pc->connect_until, l->deadline));
}

static void
part(struct lease *l)
{
    struct pool_conn *pc = l->connecting;

    TAILQ_REMOVE(&pc->waiting, l, link);
    pc->n_waiting--;
    l->connecting = NULL;
}

/* It is up, or will never be. */
static void
join_no_more(struct pool_conn *pc)
{
    if (pc->host->connecting == pc)
        pc->host->connecting = NULL;
}

/* l does not wait for its connection any more; nobody does: it is closed and its slot freed. */
static void
drop_connecting(struct lease *l)
{
    struct pool_conn *pc = l->connecting;
    struct cluster_state *st = l->host->up->state; /* l->host keeps it */

    part(l);
    if (pc->n_waiting || !pc->conn)
        return;
    join_no_more(pc);
    conn_close(pc->conn);
    pool_conn_free(pc);
    slots_release(st);
}

static enum reason_id
reason_of(const struct err *e)
{
    if (e->kind == ERR_TLS)
        return REASON_UPSTREAM_TLS_ERROR;
    if (e->kind == ERR_LIMIT)
        return REASON_OVERFLOW_CONNECTIONS; /* the process may open no more of them: no fault of the endpoint */
    return e->kind == ERR_TIMEOUT ? REASON_CONNECT_TIMEOUT : REASON_CONNECT_FAILED;
}

/* Nobody but the log learns which certificate was wrong in what way: it is nothing for clients. */
static void
log_failure(const struct endpoint_state *to, const struct err *e)
{
    char subject[256];

    if (e->kind != ERR_TLS)
        return;
    snprintf(subject, sizeof(subject), "upstream %s %s", to->upstream, to->address);
    log_warning(subject, "%s", e->text);
}

/* All who wait for it are told; who tries again has its slot at hand. */
static void
connection_failed(struct pool_conn *pc, const struct err *e)
{
    struct cluster_state *st = pc->host->up->state; /* pc->host keeps it */
    struct lease *l;

    join_no_more(pc);
    log_failure(pc->host->key.e, e);
    conn_close(pc->conn);
    pc->conn = NULL;
    slots_release(st);
    while ((l = TAILQ_FIRST(&pc->waiting))) {
        part(l);
        lease_fail(l, reason_of(e), e->text);
    }
    pool_conn_free(pc);
}

static void
connection_up(struct pool_conn *pc, struct conn *c)
{
    struct lease *l = TAILQ_FIRST(&pc->waiting);

    join_no_more(pc);
    pool_conn_established(pc, c, l->cluster);
    part(l);
    lease_done(l, pc);
    while ((l = TAILQ_FIRST(&pc->waiting))) {
        part(l);
        if (pool_has_room(pc, l->cluster))
            lease_done(l, pc);
        else
            seek(l); /* it came to be a connection for one at a time, or for few */
    }
}

/* To a server without ALPN, or without HTTP/2, its preface would be rubbish. */
static bool
lacks_http2(const struct lease *l, const struct conn *c)
{
    return l->cluster->protocol == ORIGIN_HTTP2 && !up_carries_h2(c, true);
}

static void
on_connecting(struct conn *c, unsigned events)
{
    struct pool_conn *pc = c->owner;
    struct err err = { 0 };

    if (c->broken)
        err_set(&err, conn_error_kind(c), "%s", conn_error(c)); /* c goes */
    else if (!(events & CONN_WRITABLE))
        return;
    else if (lacks_http2(TAILQ_FIRST(&pc->waiting), c))
        err_set(&err, ERR_TLS, UP_NO_H2);
    if (err.kind)
        connection_failed(pc, &err);
    else
        connection_up(pc, c);
}

/* With a slot in hand. false: it failed at once, and l is gone. */
static bool
connect_start(struct lease *l)
{
    struct pool_host *h = l->host;
    struct cluster *cl = l->cluster;
    struct err err = { 0 };
    struct conn *c = conn_connect(l->pool->loop, &h->key.e->addr, cl->tls, cluster_server_name(cl, h->key.e), &err);
    struct pool_conn *pc;

    if (!c) {
        slots_release(h->up->state); /* h keeps it */
        log_failure(h->key.e, &err);
        lease_fail(l, reason_of(&err), err.text);
        return false;
    }
    pc = pool_conn_new(h);
    pc->conn = c;
    pc->idle_for = cl->keepalive_idle;
    pc->connect_until = clock_now() + cl->connect_timeout;
    if (l->announce.n) {
        conn_announce(c, l->announce);
        pc->announced = true;
    } else if (cl->protocol != ORIGIN_HTTP1 && !h->one_at_a_time) {
        h->connecting = pc;
    }
    conn_attach(c, on_connecting, pc);
    join(l, pc);
    return true;
}

/* ------------------------------------------------------------------ waiting */

static nsec_t
oldest_here(const struct pool_upstream *up)
{
    const struct lease *first = TAILQ_FIRST(&up->pending);

    return first ? first->since : 0;
}

static bool
pending_add(struct lease *l)
{
    struct pool_upstream *up = l->host->up;
    struct pool *p = l->pool;
    /* Who asks for a fresh one has just given up a stale one, whose slot comes back at the end of this turn. */
    unsigned limit = l->cluster->limit_pending + l->fresh;

    l->since = clock_now();
    if (!slots_wait_begin(up->state, limit, up->n_pending ? oldest_here(up) : l->since))
        return false;
    TAILQ_INSERT_TAIL(&up->pending, l, link);
    if (up->n_pending++ == 0)
        TAILQ_INSERT_TAIL(&p->busy, up, busy);
    timer_set(&l->timer, earlier(l->since + l->cluster->connect_timeout, l->deadline));
    if (!timer_is_set(&p->recheck))
        timer_after(&p->recheck, RECHECK_EVERY);
    lease_serve_soon(p); /* one more look, now that everybody sees that it waits */
    slots_ask_idle(up->state);
    return true;
}

static void
pending_del(struct lease *l)
{
    struct pool_upstream *up = l->host->up;

    TAILQ_REMOVE(&up->pending, l, link);
    if (--up->n_pending == 0)
        TAILQ_REMOVE(&l->pool->busy, up, busy);
    slots_wait_end(up->state, oldest_here(up));
    while (up->slots && !up->n_pending) { /* passed on to us for somebody who has given up */
        up->slots--;
        slots_release(up->state);
    }
}

static void
on_time(struct timer *t)
{
    struct lease *l = (struct lease *)((char *)t - offsetof(struct lease, timer));
    char detail[80];

    if (l->connecting) {
        drop_connecting(l);
        snprintf(detail, sizeof(detail), "no connection within %lld ms",
                 (long long)(l->cluster->connect_timeout / NSEC_PER_MSEC));
        lease_fail(l, REASON_CONNECT_TIMEOUT, detail);
        return;
    }
    pending_del(l);
    lease_refuse(l, LEASE_LIMIT_WAIT);
}

/* ------------------------------------------------------------------ serving those that wait */

/* A slot for a new connection: passed on, free, or of an idle connection to some other endpoint. */
static bool
take_slot(struct pool_upstream *up, unsigned limit)
{
    if (up->slots) {
        up->slots--;
        return true;
    }
    return slots_acquire(up->state, limit) || pool_idle_evict(up);
}

/* The connection that is under way to l's endpoint, if l may wait for it with others. */
static struct pool_conn *
joinable(const struct lease *l)
{
    struct pool_conn *pc = l->announce.n ? NULL : l->host->connecting;
    unsigned most = l->cluster->streams;

    if (l->host->most && l->host->most < most)
        most = l->host->most;
    return pc && pc->n_waiting < most && pc->connect_until > clock_now() ? pc : NULL;
}

/* The first in the queue, if it can be served now. */
static bool
serve_first(struct pool_upstream *up)
{
    struct lease *l = TAILQ_FIRST(&up->pending);
    struct pool_conn *pc;

    if (!l)
        return false;
    pc = l->announce.n ? NULL : pool_take(l->host, l->cluster, l->fresh);
    if (pc) {
        pending_del(l);
        lease_done(l, pc);
        return true;
    }
    pc = joinable(l);
    if (pc) {
        pending_del(l);
        join(l, pc);
        return true;
    }
    if (!take_slot(up, l->cluster->limit_connections))
        return false;
    pending_del(l);
    connect_start(l);
    return true;
}

/* Callbacks may change everything, so the list is looked at from its start each time. */
void
lease_serve(struct task *t)
{
    struct pool *p = (struct pool *)((char *)t - offsetof(struct pool, serve));
    struct pool_upstream *up;

    p->round++;
    do {
        TAILQ_FOREACH(up, &p->busy, busy)
        {
            if (up->round != p->round)
                break;
        }
        if (up) {
            up->round = p->round;
            up->users++;
            while (serve_first(up))
                ;
            pool_upstream_put(up);
        }
    } while (up);
}

void
lease_serve_soon(struct pool *p)
{
    if (!p->closing)
        loop_at_turn_end(p->loop, &p->serve);
}

void
lease_recheck(struct timer *t)
{
    struct pool *p = (struct pool *)((char *)t - offsetof(struct pool, recheck));
    struct pool_upstream *up;

    if (TAILQ_EMPTY(&p->busy))
        return;
    TAILQ_FOREACH(up, &p->busy, busy)
    slots_ask_idle(up->state);
    lease_serve_soon(p);
    timer_after(t, RECHECK_EVERY);
}

void
pool_on_slot(struct cluster_state *st)
{
    struct pool *p = pool_of_thread();
    struct pool_upstream *up = p ? pool_upstream_find(p, st) : NULL;

    if (!up || !up->n_pending) {
        slots_release(st); /* nobody waits here any more, and so it does not come back here */
        return;
    }
    up->slots++;
    lease_serve_soon(p);
}

/* ------------------------------------------------------------------ asking */

/* A connection that is under way, one of its own, or a place in the queue. false: it failed at once, and l is gone. */
static bool
seek(struct lease *l)
{
    struct pool_conn *pc = joinable(l);

    if (pc) {
        join(l, pc);
        return true;
    }
    if (!l->host->up->n_pending && take_slot(l->host->up, l->cluster->limit_connections))
        return connect_start(l);
    if (pending_add(l))
        return true;
    lease_refuse(l, l->cluster->limit_pending ? LEASE_LIMIT_PENDING : LEASE_LIMIT_CONNECTIONS);
    return false;
}

struct lease *
pool_lease(struct pool *p, struct cluster *c, struct endpoint_state *e, const struct lease_wish *wish,
           const struct lease_events *events, void *arg, bool *done)
{
    struct pool_host *h = pool_host_get(p, c, e);
    struct pool_upstream *up = h->up;
    struct pool_conn *pc = NULL;
    struct lease *l;

    atomic_fetch_add_explicit(&e->active, 1, memory_order_relaxed);
    *done = true;
    if (!wish->announce.n && !up->n_pending && (pc = pool_take(h, c, wish->fresh))) {
        pool_host_put(h);
        events->on_ready(pc->session, arg);
        return NULL;
    }
    l = lease_new(h, c, events, arg);
    pool_host_put(h); /* l has its own use */
    l->fresh = wish->fresh;
    l->announce = wish->announce;
    l->deadline = wish->deadline;
    if (!seek(l))
        return NULL;
    *done = false;
    return l;
}

void
lease_cancel(struct lease *l)
{
    if (l->connecting)
        drop_connecting(l);
    else
        pending_del(l);
    atomic_fetch_sub_explicit(&l->host->key.e->active, 1, memory_order_relaxed);
    lease_free(l);
}

void
lease_drop_all(struct pool *p)
{
    while (!LIST_EMPTY(&p->leases))
        lease_cancel(LIST_FIRST(&p->leases));
}
