#include "generation.h"

#include "../base/xalloc.h"
#include "listener_build.h"
#include "metrics.h"
#include "route_build.h"

#include <stdlib.h>

static void
put_log(void *arg)
{
    access_log_put(arg);
}

static void
build_main(struct generation *g)
{
    const struct weir_conf *root = conf_root(g->conf), *line;

    g->hsts = route_hsts(conf_get(root, "hsts"), &g->arena);
    g->underscores = slice_eq(conf_get_str(root, "underscores"), SLICE("allow"));
    g->uri = (struct uri_rules){
        .encoded_slashes = (enum uri_slashes)conf_get_int(root, "encoded_slashes"),
        .keep_double_slashes = !conf_get_int(root, "merge_slashes"),
        .refuse_parameters = conf_get_int(root, "path_parameters") == 1,
    };
    line = conf_find(root, "trusted_proxies");
    if (line)
        g->trusted = cidrs_build(&g->arena, line, &g->n_trusted);
    line = conf_get(root, "drain");
    g->drain_lag = line ? conf_get_int(line, "lag") : 2 * NSEC_PER_SEC;
    g->drain_timeout = line ? conf_get_int(line, "timeout") : 30 * NSEC_PER_SEC;
}

static void
open_log(struct generation *g)
{
    bool off = false;
    if (g->log)
        return;
    g->log = access_log_open(conf_find(conf_root(g->conf), "access_log"), &off);
    if (g->log)
        arena_on_fini(&g->arena, put_log, g->log);
}

static unsigned
count(const struct generation *g, const char *name)
{
    unsigned n = 0;
    for (const struct weir_conf *l = conf_find(conf_root(g->conf), name); l; l = conf_next(l))
        n++;
    return n;
}

static struct target *
build_target(struct generation *g, const struct weir_conf *block)
{
    struct cluster *c = cluster_build(block, &g->arena);
    if (!c)
        return NULL;
    struct target *t = arena_zalloc(&g->arena, sizeof *t);
    t->cluster = c;
    t->stats = metrics_route(slice_str(c->name));
    t->chain = chain_build(&g->scope, block, slice_str(c->name));
    if (c->hash_line)
        t->hash_key = template_of_arg(c->hash_line, 1, &g->arena);
    if (c->host_header_line && !c->host_header_endpoint)
        t->host_header = template_of_arg(c->host_header_line, 0, &g->arena);
    const struct weir_conf *check = conf_find(block, "health_check");
    if (check)
        t->check_interval = conf_get_int(check, "interval");
    return t;
}

static void
build_targets(struct generation *g)
{
    g->targets = arena_alloc(&g->arena, count(g, "upstream") * sizeof *g->targets);
    for (const struct weir_conf *l = conf_find(conf_root(g->conf), "upstream"); l; l = conf_next(l)) {
        struct target *t = build_target(g, l);
        if (!t)
            continue;
        g->targets[g->n_targets++] = t;
        name_map_put(&g->targets_by_name, slice_str(t->cluster->name), t);
    }
}

static void
build_stores(struct generation *g)
{
    g->stores = arena_alloc(&g->arena, count(g, "store") * sizeof *g->stores);
    for (const struct weir_conf *l = conf_find(conf_root(g->conf), "store"); l; l = conf_next(l)) {
        struct store *s = store_build(l, &g->arena);
        if (s)
            g->stores[g->n_stores++] = s;
    }
}

struct generation *
generation_build(struct conf *conf, uint64_t id)
{
    struct generation *g = xcalloc(1, sizeof *g);
    g->id = id;
    g->conf = conf;
    g->loaded_at = clock_wall();
    arena_init(&g->arena);
    g->scope = (struct policy_scope){ .arena = &g->arena };

    build_main(g);
    build_targets(g);
    build_stores(g);
    listeners_build(g);
    g->routes = route_build_all(g);
    return g;
}

void
generation_free(struct generation *g)
{
    policy_scope_release(&g->scope);
    for (unsigned i = 0; i < g->n_targets; i++) {
        metrics_route_put(g->targets[i]->stats);
        cluster_free(g->targets[i]->cluster);
    }
    for (unsigned i = 0; i < g->n_stores; i++)
        store_free(g->stores[i]);
    listeners_free(g);
    for (unsigned i = 0; i < route_table_count(g->routes); i++)
        metrics_route_put(route_table_get(g->routes, i)->stats);
    route_table_free(g->routes);
    name_map_fini(&g->targets_by_name);
    arena_fini(&g->arena);
    conf_free(g->conf);
    free(g);
}

int
generation_open(struct generation *g)
{
    listeners_bind(g);
    if (!conf_errors(g->conf))
        open_log(g);
    return conf_errors(g->conf) ? -1 : 0;
}

struct target *
generation_target(const struct generation *g, struct slice upstream)
{
    return name_map_get(&g->targets_by_name, upstream);
}

struct store *
generation_store(const struct generation *g, struct slice name)
{
    for (unsigned i = 0; i < g->n_stores; i++)
        if (slice_eq(slice_str(store_name(g->stores[i])), name))
            return g->stores[i];
    return NULL;
}

/* ---- holders ---- */

unsigned
generation_holders(const struct generation *g)
{
    unsigned n = atomic_load_explicit(&g->workers_on, memory_order_acquire);
    for (unsigned i = 0; i < WORKER_MAX; i++)
        n += atomic_load_explicit(&g->holders[i], memory_order_acquire);
    return n;
}

struct generation_held
generation_held(const struct generation *g)
{
    struct generation_held h = { .workers = atomic_load_explicit(&g->workers_on, memory_order_relaxed) };
    for (unsigned i = 0; i < WORKER_MAX; i++) {
        unsigned tunnels = atomic_load_explicit(&g->tunnels[i], memory_order_relaxed);
        unsigned all = atomic_load_explicit(&g->holders[i], memory_order_relaxed);
        tunnels = tunnels < all ? tunnels : all; /* read a moment apart */
        h.tunnels += tunnels;
        h.exchanges += all - tunnels;
    }
    return h;
}

/* Retired generations, service thread only. */
static struct generation *retired;

static void
free_unused(void *arg)
{
    (void)arg;
    for (struct generation **at = &retired; *at;) {
        struct generation *g = *at;
        if (generation_holders(g) > 0) {
            at = &g->next_retired;
            continue;
        }
        *at = g->next_retired;
        g->on_unused(g);
    }
}

/*
 * A worker touches g no more once its count is 0, so the service thread may free it on any occasion; the message only
 * says that there is one. A generation that is still the worker's current one needs none: leaving it (generation_leave)
 * will send it.
 */
void
generation_put(struct generation *g, unsigned worker, bool current)
{
    unsigned left = atomic_load_explicit(&g->holders[worker], memory_order_relaxed) - 1;
    atomic_store_explicit(&g->holders[worker], left, memory_order_release);
    if (left == 0 && !current)
        worker_post(WORKER_SERVICE, free_unused, NULL);
}

void
generation_leave(struct generation *g)
{
    atomic_fetch_sub_explicit(&g->workers_on, 1, memory_order_release);
    worker_post(WORKER_SERVICE, free_unused, NULL);
}

void
generation_retire(struct generation *g, void (*on_unused)(struct generation *))
{
    g->on_unused = on_unused;
    g->next_retired = retired;
    retired = g;
    free_unused(NULL);
}

struct generation *
generation_retired(void)
{
    return retired;
}
