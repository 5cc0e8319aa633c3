#include "cluster.h"
#include "../base/xalloc.h"
#include "../event/worker.h"
#include "cluster_private.h"
#include "names.h"

#include <stdlib.h>

#define WARM_AFTER (5 * NSEC_PER_SEC) /* an origin that does not answer holds nothing up for longer */

/* ------------------------------------------------------------------ building */

static void
make_views(struct cluster_private *p, unsigned n, struct endpoint_set *set)
{
    struct view *old = p->views;
    unsigned i, had = p->n_views;

    if (had >= n)
        return;
    p->views = aligned_alloc(alignof(struct view), n * sizeof(*p->views));
    if (!p->views)
        abort();
    if (had)
        memcpy(p->views, old, had * sizeof(*old));
    free(old);
    for (i = had; i < n; i++) {
        view_init(&p->views[i], i);
        endpoint_set_hold(set);
        view_set(&p->views[i], set);
    }
    p->n_views = n;
}

static void
add_line(struct endpoint_set *set, struct cluster_state *st, const struct endpoint_line *line)
{
    struct addr known[RESOLVER_ADDRS_MAX];
    unsigned i, n;

    if (line->literal) {
        endpoint_set_add(set, st->name, &line->addr, NULL, line->weight);
        return;
    }
    n = names_known(st, line->host, line->port, known);
    for (i = 0; i < n; i++)
        endpoint_set_add(set, st->name, &known[i], line->authority, line->weight);
}

/* The endpoints of the lines, with the answers that names have had. */
static struct endpoint_set *
build_set(struct cluster_state *st, const struct endpoint_line *lines, unsigned n)
{
    struct endpoint_set *set;
    unsigned i, room = 0;

    for (i = 0; i < n; i++)
        room += lines[i].literal ? 1 : RESOLVER_ADDRS_MAX;
    set = endpoint_set_new(room);
    for (i = 0; i < n; i++)
        add_line(set, st, &lines[i]);
    return set;
}

struct cluster *
cluster_build(const struct weir_conf *block, struct arena *arena)
{
    unsigned errors = conf_errors(conf_of(block));
    struct cluster *c = arena_zalloc(arena, sizeof(*c));
    struct cluster_private *p = xcalloc(1, sizeof(*p));
    struct endpoint_set *set;

    c->priv = p;
    p->refs = 1;
    if (upstream_conf_read(block, arena, c) < 0 || upstream_conf_endpoints(block, &p->lines, &p->n_lines) < 0 ||
        conf_errors(conf_of(block)) > errors) {
        cluster_free(c);
        return NULL;
    }
    c->state = p->state = cluster_state_get(c->name);
    p->health = upstream_conf_health(block, c);
    p->has_outlier = upstream_conf_outlier(block, &p->outlier);
    set = build_set(p->state, p->lines, p->n_lines);
    make_views(p, workers_count() + 1, set);
    endpoint_set_put(set);
    return c;
}

void
cluster_private_put(struct cluster_private *p)
{
    unsigned i;

    if (atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    for (i = 0; i < p->n_views; i++)
        view_set(&p->views[i], NULL);
    free(p->views);
    health_conf_put(p->health);
    endpoint_lines_free(p->lines, p->n_lines);
    if (p->state)
        cluster_state_put(p->state);
    free(p);
}

void
cluster_free(struct cluster *c)
{
    if (c->priv->started)
        cluster_stop(c);
    cluster_private_put(c->priv);
    if (c->tls)
        tls_client_put(c->tls);
}

/* ------------------------------------------------------------------ going live */

static void
collect_healthy(struct cluster_state *st, struct endpoint_set *live, void *arg)
{
    static const char *const labels[] = { "upstream", "endpoint" };
    nsec_t now = clock_now();
    unsigned i;

    for (i = 0; live && i < live->n; i++) {
        const struct endpoint_state *e = live->entries[i].e;
        struct slice values[] = { slice_str(st->name), slice_str(e->address) };
        bool healthy = atomic_load(&e->healthy) && atomic_load(&e->ejected_until) <= now &&
                       atomic_load(&e->admin) != ENDPOINT_DOWN;

        stats_expose_value(arg, "weir_endpoint_healthy", labels, values, 2, healthy);
    }
}

static void
on_collect(struct strbuf *out, void *arg)
{
    stats_expose_head(out, "weir_endpoint_healthy", "gauge",
                      "1 while the endpoint is up: not failing checks, ejected or down.");
    cluster_states_each(collect_healthy, out);
}

struct view_update {           /* a new set on its way to a worker */
    struct cluster_private *p; /* a reference */
    struct endpoint_set *set;  /* a reference */
};

static void
on_view_update(void *arg)
{
    struct view_update *u = arg;
    struct view *v = cluster_view(u->p);

    if (v)
        view_set(v, u->set);
    else
        endpoint_set_put(u->set);
    cluster_private_put(u->p);
    free(u);
}

static void
hand_out(struct cluster_private *p, struct endpoint_set *set)
{
    unsigned id;

    endpoint_set_hold(set);
    view_set(&p->views[WORKER_SERVICE], set);
    for (id = 1; id < p->n_views; id++) {
        struct view_update *u = xmalloc(sizeof(*u));

        atomic_fetch_add(&p->refs, 1);
        endpoint_set_hold(set);
        u->p = p;
        u->set = set;
        worker_post(id, on_view_update, u);
    }
}

void
cluster_refresh(struct cluster_private *p)
{
    struct endpoint_set *set = build_set(p->state, p->lines, p->n_lines);
    unsigned i;

    make_views(p, workers_count() + 1, set);
    if (!endpoint_set_equal(set, p->views[WORKER_SERVICE].set))
        hand_out(p, set);
    for (i = 0; i < set->n; i++)
        endpoint_file_weight(set->entries[i].e, set->entries[i].weight);
    endpoint_set_hold(set);
    cluster_state_publish(p->state, set);
    health_sync(p->state, set, p->health);
    endpoint_set_put(set);
}

void
cluster_resolve(struct cluster *c, struct resolver *r)
{
    names_add(c->priv->state, c->priv->lines, c->priv->n_lines, r);
}

bool
cluster_resolved(const struct cluster *c)
{
    return names_answered(c->priv->state, c->priv->lines, c->priv->n_lines);
}

void
cluster_unresolved(const struct cluster *c, void (*fn)(const char *endpoint, void *arg), void *arg)
{
    const struct cluster_private *p = c->priv;
    struct addr known[RESOLVER_ADDRS_MAX];
    unsigned i;

    for (i = 0; i < p->n_lines; i++) {
        if (!p->lines[i].literal && names_known(p->state, p->lines[i].host, p->lines[i].port, known) == 0)
            fn(p->lines[i].authority, arg);
    }
}

void
cluster_unresolve(struct cluster *c)
{
    struct cluster_state *st = c->priv->state;

    if (st->owner) /* which has its own names there already */
        names_sync(st, st->owner->lines, st->owner->n_lines, NULL);
    else
        names_stop(st);
}

void
cluster_start(struct cluster *c, struct resolver *r)
{
    struct cluster_private *p = c->priv;

    stats_del_collector(on_collect, NULL); /* there is to be one, whoever starts first */
    stats_add_collector(on_collect, NULL);
    p->started = true;
    p->started_at = clock_now();
    p->state->owner = p;
    names_sync(p->state, p->lines, p->n_lines, r);
    cluster_refresh(p);
}

bool
cluster_warm(const struct cluster *c)
{
    struct cluster_private *p = c->priv;

    if (!p->started)
        return false;
    if (!p->warm && p->state->owner == p)
        p->warm =
            (names_round_done(p->state) && health_round_done(p->state)) || clock_now() - p->started_at >= WARM_AFTER;
    return p->warm || p->state->owner != p;
}

void
cluster_stop(struct cluster *c)
{
    struct cluster_state *st = c->priv->state;

    c->priv->started = false;
    if (st->owner != c->priv)
        return; /* a newer one has taken over */
    st->owner = NULL;
    names_stop(st);
    health_stop(st);
    cluster_state_publish(st, NULL);
}

/* ------------------------------------------------------------------ request path */

struct view *
cluster_view(struct cluster_private *p)
{
    unsigned id = worker_self_id();

    return id < p->n_views ? &p->views[id] : NULL;
}

bool
cluster_enter(struct cluster *c)
{
    unsigned before = atomic_fetch_add_explicit(&c->state->requests, 1, memory_order_relaxed);

    if (!c->limit_requests || before < c->limit_requests)
        return true;
    cluster_leave(c);
    return false;
}

void
cluster_leave(struct cluster *c)
{
    atomic_fetch_sub_explicit(&c->state->requests, 1, memory_order_relaxed);
}

void
cluster_report(struct cluster *c, struct endpoint_state *e, enum weir_result result, int status)
{
    endpoint_count(e, result);
    if (c->priv->has_outlier)
        outlier_report(c->priv, e, result, status);
}

struct slice
cluster_server_name(const struct cluster *c, const struct endpoint_state *e)
{
    return c->server_name.n ? c->server_name : slice_str(e->host);
}

/* ------------------------------------------------------------------ views */

void
cluster_endpoints(struct cluster *c, endpoint_visit fn, void *arg)
{
    const struct endpoint_set *set = c->priv->views[WORKER_SERVICE].set;
    unsigned i;

    for (i = 0; i < set->n; i++)
        fn(set->entries[i].e, arg);
}

void
cluster_lines(const struct cluster *c, void (*fn)(const char *text, void *arg), void *arg)
{
    const struct cluster_private *p = c->priv;
    char text[ADDR_TEXT_MAX];
    unsigned i;

    for (i = 0; i < p->n_lines; i++) {
        if (p->lines[i].literal)
            addr_format(&p->lines[i].addr, text);
        fn(p->lines[i].literal ? text : p->lines[i].authority, arg);
    }
}

bool
cluster_same_checks(const struct cluster *a, const struct cluster *b)
{
    const struct health_conf *h = a->priv->health, *k = b->priv->health;

    return h && k ? h->identity == k->identity : !h && !k;
}

struct endpoint_state *
cluster_endpoint(struct cluster *c, struct slice address)
{
    const struct endpoint_set *set = c->priv->views[WORKER_SERVICE].set;
    unsigned i;

    for (i = 0; i < set->n; i++) {
        if (slice_eq(address, slice_str(set->entries[i].e->address)))
            return set->entries[i].e;
    }
    for (i = 0; i < set->n; i++) {
        if (slice_eq(address, slice_str(set->entries[i].e->authority)))
            return set->entries[i].e;
    }
    return NULL;
}

unsigned
cluster_active_requests(const struct cluster *c)
{
    return atomic_load(&c->state->requests);
}

unsigned
cluster_connections(const struct cluster *c)
{
    return atomic_load(&c->state->connections);
}

unsigned
cluster_pending(const struct cluster *c)
{
    return atomic_load(&c->state->pending);
}
