#include "pool.h"
#include "../base/log.h"
#include "../base/xalloc.h"
#include "../session/up_h1.h"
#include "../session/up_h2.h"
#include "pool_private.h"

#include <stddef.h>
#include <stdlib.h>

/* A request elsewhere must have waited so much longer to be preferred. */
#define RECHECK_HEADSTART (10 * NSEC_PER_MSEC)
/* For so long requests stand back for one elsewhere: a connection that is not free then carries streams that last. */
#define STAND_BACK_MAX (500 * NSEC_PER_MSEC)
#define IDLE_SCAN_EVERY (50 * NSEC_PER_MSEC)

static __thread struct pool *thread_pool;

struct pool *
pool_of_thread(void)
{
    return thread_pool;
}

/* ------------------------------------------------------------------ hosts and upstreams */

struct pool_upstream *
pool_upstream_find(struct pool *p, struct cluster_state *st)
{
    struct pool_upstream *up;

    HASH_FIND_PTR(p->upstreams, &st, up);
    return up;
}

static struct pool_upstream *
upstream_get(struct pool *p, struct cluster_state *st)
{
    struct pool_upstream *up = pool_upstream_find(p, st);

    if (!up) {
        up = xcalloc(1, sizeof(*up));
        cluster_state_hold(st);
        up->state = st;
        up->pool = p;
        TAILQ_INIT(&up->idle);
        TAILQ_INIT(&up->pending);
        HASH_ADD_PTR(p->upstreams, state, up);
    }
    up->users++;
    return up;
}

void
pool_upstream_put(struct pool_upstream *up)
{
    if (--up->users)
        return;
    HASH_DEL(up->pool->upstreams, up);
    cluster_state_put(up->state);
    free(up);
}

struct pool_host *
pool_host_get(struct pool *p, struct cluster *c, struct endpoint_state *e)
{
    struct pool_host_key key;
    struct pool_host *h = p->last_host;

    memset(&key, 0, sizeof(key));
    key.e = e;
    key.tls_identity = c->tls_identity;
    key.protocol = c->protocol;
    if (!h || memcmp(&h->key, &key, sizeof(key)) != 0)
        HASH_FIND(hh, p->hosts, &key, sizeof(key), h);
    if (!h) {
        h = xcalloc(1, sizeof(*h));
        h->key = key;
        endpoint_hold(e);
        h->up = upstream_get(p, c->state);
        TAILQ_INIT(&h->idle);
        TAILQ_INIT(&h->shared);
        HASH_ADD(hh, p->hosts, key, sizeof(h->key), h);
    }
    p->last_host = h;
    h->up->keepalive = c->keepalive;
    h->users++;
    return h;
}

void
pool_host_put(struct pool_host *h)
{
    if (--h->users)
        return;
    if (h->up->pool->last_host == h)
        h->up->pool->last_host = NULL;
    HASH_DEL(h->up->pool->hosts, h);
    pool_upstream_put(h->up);
    endpoint_put(h->key.e);
    free(h);
}

/* ------------------------------------------------------------------ connections */

static void on_session_released(struct up_session *u, unsigned n, void *arg);
static void on_session_closed(struct up_session *u, void *arg);

static const struct up_session_events session_events = { .on_released = on_session_released,
                                                         .on_closed = on_session_closed };

/* Wider than for clients: the operator chose the origins. */
static const struct h1_limits response_limits = { .request_line = 8192, .field = 32768, .head = 65536, .fields = 200 };

struct pool_conn *
pool_conn_new(struct pool_host *h)
{
    struct pool_conn *pc = xcalloc(1, sizeof(*pc));

    h->users++;
    h->up->pool->n_conns++;
    pc->host = h;
    pc->state = POOL_CONNECTING;
    TAILQ_INIT(&pc->waiting);
    return pc;
}

void
pool_conn_free(struct pool_conn *pc)
{
    struct pool *p = pc->host->up->pool;

    pool_host_put(pc->host);
    free(pc);
    if (--p->n_conns == 0 && p->closing)
        loop_defer_free(p->loop, free, p);
}

static void
use_begin(struct pool_conn *pc)
{
    pc->state = POOL_LEASED;
    if (pc->shared)
        TAILQ_INSERT_TAIL(&pc->host->shared, pc, of_host);
    stats_gauge_add(pc->host->up->pool->active_gauge, 1);
}

static void
use_end(struct pool_conn *pc)
{
    if (pc->shared)
        TAILQ_REMOVE(&pc->host->shared, pc, of_host);
    stats_gauge_add(pc->host->up->pool->active_gauge, -1);
}

void
pool_conn_established(struct pool_conn *pc, struct conn *established, const struct cluster *c)
{
    bool h2 = up_carries_h2(established, c->protocol == ORIGIN_HTTP2);

    pc->conn = NULL;
    pc->host->one_at_a_time = !h2;
    if (h2)
        pc->session = up_h2_new(established, &response_limits, pc->host->most, &session_events, pc);
    else
        pc->session = up_h1_new(established, &response_limits, &session_events, pc);
    pc->shared = h2 && !pc->announced;
    use_begin(pc);
}

static void
idle_unlink(struct pool_conn *pc)
{
    struct pool_upstream *up = pc->host->up;

    TAILQ_REMOVE(&pc->host->idle, pc, of_host);
    TAILQ_REMOVE(&up->idle, pc, of_upstream);
    up->n_idle--;
    up->pool->n_idle--;
    stats_gauge_add(up->pool->idle_gauge, -1);
}

/* Its slot is the caller's. */
static void
idle_close(struct pool_conn *pc)
{
    idle_unlink(pc);
    up_close(pc->session);
    pool_conn_free(pc);
}

/* Closes it and frees its slot. */
static void
idle_drop(struct pool_conn *pc)
{
    struct cluster_state *st = pc->host->up->state;

    cluster_state_hold(st);
    idle_close(pc);
    slots_release(st);
    cluster_state_put(st);
}

bool
pool_idle_evict(struct pool_upstream *up)
{
    struct pool_conn *pc = TAILQ_LAST(&up->idle, pool_conns);

    if (!pc)
        return false;
    up->users++; /* it may have been the last thing that held it */
    idle_close(pc);
    pool_upstream_put(up);
    return true;
}

static struct pool_conn *
idle_take(struct pool_host *h, const struct cluster *c)
{
    nsec_t now = clock_now();
    struct pool_conn *pc, *older;

    for (pc = TAILQ_FIRST(&h->idle); pc; pc = older) {
        older = TAILQ_NEXT(pc, of_host);
        if (pc->idle_until <= now) {
            idle_drop(pc); /* h stays: the caller has a use of it */
            continue;
        }
        if (pc->rest_until > now)
            continue;
        idle_unlink(pc);
        pc->idle_for = c->keepalive_idle;
        use_begin(pc);
        return pc;
    }
    return NULL;
}

/* Since when a request on another worker waits that comes before all that wait here; 0: there is none. */
static nsec_t
owed_elsewhere(const struct pool_upstream *up)
{
    const struct lease *first = TAILQ_FIRST(&up->pending);
    nsec_t there;

    if (atomic_load_explicit(&up->state->pending, memory_order_relaxed) <= up->n_pending)
        return 0;
    there = slots_oldest_elsewhere(up->state);
    return !first || there < first->since - RECHECK_HEADSTART ? there : 0;
}

/* All connections that may be are in use, and one that is shared may never be idle: those that would join in wait
 * behind the request elsewhere, so that it gets the slot. */
static bool
stands_back(const struct pool_upstream *up)
{
    nsec_t since = owed_elsewhere(up), waited = since ? clock_now() - since : 0;

    return waited > RECHECK_HEADSTART && waited < STAND_BACK_MAX;
}

/* What is configured counts as it is now, also for connections from before a reload. */
bool
pool_has_room(const struct pool_conn *pc, const struct cluster *c)
{
    return up_room(pc->session) && (!pc->shared || up_streams(pc->session) < c->streams);
}

struct pool_conn *
pool_take(struct pool_host *h, const struct cluster *c, bool fresh)
{
    struct pool_conn *pc;

    TAILQ_FOREACH(pc, &h->shared, of_host)
    if (pool_has_room(pc, c) && !stands_back(h->up))
        return pc;
    return fresh ? NULL : idle_take(h, c);
}

/* An origin that says when it closes is not raced to the last moment: that would turn requests into resets. */
static nsec_t
idle_end(const struct pool_conn *pc, nsec_t now)
{
    nsec_t until = now + pc->idle_for, origin = up_idle_until(pc->session), left, margin;

    if (origin == 0)
        return until;
    left = origin > now ? origin - now : 0;
    margin = left / 2 < NSEC_PER_SEC ? left / 2 : NSEC_PER_SEC;
    return origin - margin < until ? origin - margin : until;
}

static void
idle_put(struct pool_conn *pc)
{
    struct pool_upstream *up = pc->host->up;
    struct pool *p = up->pool;

    pc->state = POOL_IDLE;
    pc->idle_until = idle_end(pc, clock_now());
    pc->rest_until = up_rest_until(pc->session);
    TAILQ_INSERT_HEAD(&pc->host->idle, pc, of_host);
    TAILQ_INSERT_HEAD(&up->idle, pc, of_upstream);
    up->n_idle++;
    p->n_idle++;
    stats_gauge_add(p->idle_gauge, 1);
    if (!timer_is_set(&p->idle_timer) || pc->idle_until < p->idle_timer.deadline)
        timer_set(&p->idle_timer, pc->idle_until);
    if (up->n_pending)
        lease_serve_soon(p);
    else if (up->n_idle > up->keepalive)
        idle_drop(TAILQ_LAST(&up->idle, pool_conns));
}

static bool
may_keep(const struct pool_conn *pc)
{
    const struct pool_upstream *up = pc->host->up;
    const struct endpoint_state *e = pc->host->key.e;

    if (pc->announced || owed_elsewhere(up))
        return false;
    if (up->n_pending)
        return true;
    return !up->pool->closing && up->keepalive && !atomic_load_explicit(&e->retired, memory_order_relaxed) &&
           atomic_load_explicit(&e->admin, memory_order_relaxed) != ENDPOINT_DOWN;
}

static void
on_session_released(struct up_session *u, unsigned n, void *arg)
{
    struct pool_conn *pc = arg;
    struct pool_upstream *up = pc->host->up;
    struct cluster_state *st = up->state;

    atomic_fetch_sub_explicit(&pc->host->key.e->active, n, memory_order_relaxed);
    if (up_most(u)) /* a connection that is lost before the origin has said it says nothing new */
        pc->host->most = up_most(u);
    if (up_streams(u)) {
        if (up->n_pending && up_room(u))
            lease_serve_soon(up->pool);
        return;
    }
    use_end(pc);
    if (!up_room(u))
        return; /* on_session_closed comes */
    if (may_keep(pc)) {
        idle_put(pc);
        return;
    }
    cluster_state_hold(st);
    up_close(u);
    pool_conn_free(pc);
    slots_release(st);
    cluster_state_put(st);
}

static void
on_session_closed(struct up_session *u, void *arg)
{
    struct pool_conn *pc = arg;
    struct cluster_state *st = pc->host->up->state;

    if (pc->state == POOL_IDLE)
        idle_unlink(pc);
    cluster_state_hold(st);
    pool_conn_free(pc);
    slots_release(st);
    cluster_state_put(st);
}

/* ------------------------------------------------------------------ idle time */

static struct pool *
pool_of_timer(struct timer *t)
{
    return (struct pool *)((char *)t - offsetof(struct pool, idle_timer));
}

/* Drops what has run out; *next: when the next one will. */
static void
expire(struct pool_upstream *up, nsec_t now, nsec_t *next)
{
    struct pool_conn *pc, *before;

    up->users++;
    for (pc = TAILQ_LAST(&up->idle, pool_conns); pc; pc = before) {
        before = TAILQ_PREV(pc, pool_conns, of_upstream);
        if (pc->idle_until <= now)
            idle_drop(pc);
        else if (*next == 0 || pc->idle_until < *next)
            *next = pc->idle_until;
    }
    pool_upstream_put(up);
}

static void
on_idle_time(struct timer *t)
{
    struct pool *p = pool_of_timer(t);
    struct pool_upstream *up, *after;
    nsec_t now = clock_now(), next = 0;

    HASH_ITER(hh, p->upstreams, up, after)
    expire(up, now, &next);
    if (next)
        timer_set(t, next > now + IDLE_SCAN_EVERY ? next : now + IDLE_SCAN_EVERY);
}

void
pool_drop_idle(struct pool *p)
{
    struct pool_upstream *up, *after;
    struct cluster_state *st;

    HASH_ITER(hh, p->upstreams, up, after)
    {
        st = up->state;
        cluster_state_hold(st);
        up->users++;
        while (pool_idle_evict(up))
            slots_release(st);
        pool_upstream_put(up);
        cluster_state_put(st);
    }
}

unsigned
pool_idle(const struct pool *p)
{
    return p->n_idle;
}

/* ------------------------------------------------------------------ messages */

void
pool_on_ask_idle(struct cluster_state *st)
{
    struct pool *p = thread_pool;
    struct pool_upstream *up = p ? pool_upstream_find(p, st) : NULL;
    unsigned n = atomic_load(&st->pending);

    if (!up)
        return;
    up->users++;
    while (n-- && pool_idle_evict(up))
        slots_release(st);
    pool_upstream_put(up);
}

void
pool_on_retired(struct endpoint_state *e)
{
    struct pool *p = thread_pool;
    struct pool_host *h, *after;

    if (!p)
        return;
    HASH_ITER(hh, p->hosts, h, after)
    {
        if (h->key.e != e)
            continue;
        h->users++;
        while (!TAILQ_EMPTY(&h->idle))
            idle_drop(TAILQ_FIRST(&h->idle));
        pool_host_put(h);
    }
}

/* ------------------------------------------------------------------ life */

static stats_id
connections_gauge(const char *state)
{
    static const char *const labels[] = { "side", "state" };
    struct slice values[] = { SLICE("upstream"), slice_str(state) };
    struct stats_family *f = stats_family("weir_connections", STATS_GAUGE, "Open connections.", labels, 2, NULL, 0);

    return f ? stats_series(f, values) : 0;
}

struct pool *
pool_new(struct loop *l)
{
    struct pool *p = xcalloc(1, sizeof(*p));

    p->loop = l;
    TAILQ_INIT(&p->busy);
    LIST_INIT(&p->leases);
    timer_init(&p->idle_timer, l, on_idle_time);
    timer_init(&p->recheck, l, lease_recheck);
    p->serve.run = lease_serve;
    p->active_gauge = connections_gauge("active");
    p->idle_gauge = connections_gauge("idle");
    thread_pool = p;
    return p;
}

void
pool_free(struct pool *p)
{
    p->closing = true;
    p->n_conns++; /* so that it is not freed under our hands */
    lease_drop_all(p);
    if (thread_pool == p) /* not before: a slot given up may come straight back for a lease that still waits */
        thread_pool = NULL;
    pool_drop_idle(p);
    timer_fini(&p->idle_timer);
    timer_fini(&p->recheck);
    task_cancel(p->loop, &p->serve);
    recycle_empty(&p->free_leases, sizeof(struct lease));
    if (--p->n_conns == 0)
        loop_defer_free(p->loop, free, p);
}
