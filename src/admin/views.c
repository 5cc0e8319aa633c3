/* What the admin listener shows. Lists are arrays of objects; shares and rates are percent numbers. */
#include "config.h"

#include "../policy/module.h"
#include "../proxy/metrics.h"
#include "rate.h"
#include "request.h"

#include <math.h>
#include <unistd.h>

static json_t *
text(struct slice s)
{
    return s.p && s.n ? json_stringn_nocheck(s.p, s.n) : json_null();
}

static json_t *
iso(nsec_t wall)
{
    char out[25];
    clock_iso(wall, out);
    return wall ? json_string(out) : json_null();
}

/* ---- policies ---- */

struct json_text {
    struct weir_text text;
    struct strbuf buffer;
};

static void
add_text(struct weir_text *t, const char *p, size_t n)
{
    strbuf_add(&((struct json_text *)t)->buffer, p, n);
}

json_t *
view_policy(const struct weir_policy *p)
{
    const struct weir_module *m = policy_module(p);
    if (!m->view)
        return json_null();
    struct json_text t = { .text = { add_text } };
    strbuf_init(&t.buffer, 1 << 20);
    m->view(policy_config(p), &t.text);
    json_t *v = json_loadb(t.buffer.p ? t.buffer.p : "", t.buffer.n, JSON_DECODE_ANY, NULL);
    strbuf_fini(&t.buffer);
    return v ? v : json_null();
}

static void
add_views(json_t *object, const struct chain *chain)
{
    for (unsigned i = 0; chain && i < chain_count(chain); i++) {
        const struct weir_policy *p = chain_get(chain, i);
        const char *name = policy_module(p)->view_name;
        if (name && strcmp(policy_mode(p), "off") != 0)
            json_object_set_new(object, name, view_policy(p));
    }
}

static json_t *
policies(const struct chain *chain)
{
    json_t *a = json_array();
    for (unsigned i = 0; chain && i < chain_count(chain); i++) {
        const struct weir_policy *p = chain_get(chain, i);
        json_array_append_new(
            a, json_pack("{s:s, s:s, s:s}", "name", policy_name(p), "mode", policy_mode(p), "at", policy_line(p)));
    }
    return a;
}

/* ---- routes ---- */

static json_t *
methods(const struct route *r)
{
    json_t *a = json_array();
    for (unsigned m = METHOD_GET; m < METHOD_COUNT; m++)
        if (r->methods & (1u << m))
            json_array_append_new(a, json_string(method_name(m)));
    for (unsigned i = 0; i < r->n_other_methods; i++)
        json_array_append_new(a, text(r->other_methods[i]));
    return a;
}

static json_t *
target(const struct route *r)
{
    switch (r->action) {
    case ROUTE_PROXY:
        return json_string(r->target->cluster->name);
    case ROUTE_RESPOND:
        return json_sprintf("respond %d", r->status);
    case ROUTE_REDIRECT:
        return json_sprintf("redirect %d", r->status);
    case ROUTE_TARGET_POLICY:
        break;
    }
    for (unsigned i = 0; i < chain_count(r->chain); i++)
        if (policy_names_target(chain_get(r->chain, i)))
            return json_string(policy_name(chain_get(r->chain, i)));
    return json_null();
}

json_t *
view_routes(struct generation *g)
{
    static const char *const kinds[] = { [ROUTE_PREFIX] = "", [ROUTE_EXACT] = "= ", [ROUTE_REGEX] = "~ " };
    json_t *a = json_array();
    for (unsigned i = 0; i < route_table_count(g->routes); i++) {
        const struct route *r = route_table_get(g->routes, i);
        json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "name", text(r->name), "host", text(r->host),
                              "pattern", json_sprintf("%s%.*s", kinds[r->kind], SLICE_FMT(r->pattern)), "methods",
                              methods(r), "target", target(r), "policies", policies(r->chain), "at", r->at);
        add_views(o, r->chain);
        json_array_append_new(a, o);
    }
    return a;
}

/* ---- upstreams ---- */

json_t *
view_endpoint(struct endpoint_state *e)
{
    return json_pack("{s:s, s:i, s:s, s:b, s:i, s:I}", "address", e->address, "weight",
                     (int)atomic_load_explicit(&e->weight, memory_order_relaxed), "state",
                     endpoint_state_name(e, clock_now()), "healthy",
                     (int)atomic_load_explicit(&e->healthy, memory_order_relaxed), "active",
                     (int)atomic_load_explicit(&e->active, memory_order_relaxed), "requests_total",
                     (json_int_t)atomic_load_explicit(&e->requests_total, memory_order_relaxed));
}

static void
add_endpoint(struct endpoint_state *e, void *arg)
{
    json_array_append_new(arg, view_endpoint(e));
}

json_t *
view_upstreams(struct generation *g)
{
    json_t *a = json_array();
    for (unsigned i = 0; i < g->n_targets; i++) {
        struct target *t = g->targets[i];
        json_t *endpoints = json_array();
        cluster_endpoints(t->cluster, add_endpoint, endpoints);
        json_t *o = json_pack("{s:s, s:s, s:n, s:o}", "name", t->cluster->name, "balance",
                              balance_name(t->cluster->balance), "breaker", "endpoints", endpoints);
        add_views(o, t->chain);
        json_array_append_new(a, o);
    }
    return a;
}

/* ---- the rest ---- */

json_t *
view_config(struct generation *g)
{
    struct strbuf dump;
    strbuf_init(&dump, 64u << 20);
    conf_dump(g->conf, &dump);
    json_t *o = json_pack("{s:I, s:o}", "generation", (json_int_t)g->id, "text", text(strbuf_slice(&dump)));
    strbuf_fini(&dump);
    return o;
}

json_t *
view_stores(struct generation *g)
{
    json_t *a = json_array();
    for (unsigned i = 0; i < g->n_stores; i++) {
        double latency = -1;
        const char *state = store_state(g->stores[i], &latency);
        json_array_append_new(a, json_pack("{s:s, s:s, s:s, s:o}", "name", store_name(g->stores[i]), "url",
                                           store_url_shown(g->stores[i]), "state", state, "latency_ms",
                                           latency < 0 ? json_null() : json_real(latency)));
    }
    return a;
}

json_t *
view_modules(void)
{
    json_t *a = json_array();
    for (const struct module *m = modules_all(); m; m = m->next)
        json_array_append_new(a,
                              json_pack("{s:s, s:s, s:o, s:s}", "name", m->def->name, "version", m->def->version, "abi",
                                        json_sprintf("%u.%u", m->def->abi_major, m->def->abi_minor), "path", m->path));
    return a;
}

static json_t *
last_reload(void)
{
    const struct admin_reload *last = admin_services->last_reload();
    return last->at ? json_pack("{s:b, s:o, s:s}", "ok", (int)last->ok, "at", iso(last->at), "message", last->message)
                    : json_pack("{s:b, s:n, s:s}", "ok", 1, "at", "message", "");
}

static json_t *
one_generation(struct generation *g, const char *state)
{
    struct generation_held h = generation_held(g);
    return json_pack("{s:I, s:o, s:i, s:s, s:{s:i, s:i, s:i}}", "id", (json_int_t)g->id, "loaded_at", iso(g->loaded_at),
                     "holders", (int)generation_holders(g), "state", state, "held_by", "workers", (int)h.workers,
                     "exchanges", (int)h.exchanges, "tunnels", (int)h.tunnels);
}

json_t *
view_generations(struct generation *g)
{
    json_t *a = json_array(), *live = one_generation(g, "live");
    json_object_set_new(live, "reload", last_reload()); /* the last try to replace it, or the one that brought it */
    json_array_append_new(a, live);
    for (struct generation *old = generation_retired(); old; old = old->next_retired)
        json_array_append_new(a, one_generation(old, "retired"));
    return a;
}

json_t *
view_ready(bool *ready)
{
    struct generation *g = admin_services->generation();
    json_t *reasons = json_array();
    if (admin_services->draining())
        json_array_append_new(reasons, json_string("draining"));
    if (!g)
        json_array_append_new(reasons, json_string("starting"));
    for (unsigned i = 0; g && i < g->n_targets; i++)
        if (!cluster_warm(g->targets[i]->cluster))
            json_array_append_new(
                reasons, json_sprintf("starting: upstream %s has not been checked yet", g->targets[i]->cluster->name));
    for (unsigned i = 0; g && i < g->n_stores; i++) {
        double latency;
        if (store_required(g->stores[i]) && strcmp(store_state(g->stores[i], &latency), "up") != 0)
            json_array_append_new(reasons, json_sprintf("store %s is away", store_name(g->stores[i])));
    }
    *ready = json_array_size(reasons) == 0;
    return json_pack("{s:b, s:o}", "ready", (int)*ready, "reasons", reasons);
}

static unsigned
upstream_connections(const struct generation *g)
{
    unsigned n = 0;
    for (unsigned i = 0; i < g->n_targets; i++)
        n += cluster_connections(g->targets[i]->cluster);
    return n;
}

static json_t *
listeners(const struct generation *g)
{
    json_t *a = json_array();
    for (unsigned i = 0; i < g->n_listeners; i++) {
        const struct listener *l = &g->listeners[i];
        json_t *addresses = json_array();
        for (unsigned k = 0; k < l->n_sockets; k++) {
            char address[ADDR_TEXT_MAX];
            addr_format(listener_addr(l->sockets[k]), address);
            json_array_append_new(addresses, json_string(address));
        }
        json_array_append_new(a, json_pack("{s:s, s:o, s:b, s:i, s:i}", "name", l->name, "addresses", addresses, "tls",
                                           (int)(l->tls != NULL), "connections",
                                           (int)atomic_load_explicit(l->open, memory_order_relaxed),
                                           "connections_limit", (int)l->max_connections));
    }
    return a;
}

/* Of this process. */
static void
add_process(json_t *o, const struct generation *g)
{
    nsec_t up = clock_wall() - admin_services->started_at();
    json_object_set_new(o, "version", json_string(PACKAGE_VERSION));
    json_object_set_new(o, "pid", json_integer(getpid()));
    json_object_set_new(o, "uptime_seconds", json_integer(up / NSEC_PER_SEC));
    json_object_set_new(o, "generation", json_integer((json_int_t)g->id));
    json_object_set_new(o, "loaded_at", iso(g->loaded_at));
}

/* Of what it does. */
static void
add_traffic(json_t *o, const struct generation *g)
{
    unsigned active, idle;
    metrics_connections(&active, &idle);
    json_object_set_new(
        o, "connections",
        json_pack("{s:i, s:i}", "downstream", (int)(active + idle), "upstream", (int)upstream_connections(g)));
    json_object_set_new(o, "clients_active", json_integer(active));
    json_object_set_new(o, "requests_total", json_integer((json_int_t)metrics_requests_total()));
    json_object_set_new(o, "requests_per_second", json_real(rate_read()));
}

json_t *
view_status(struct generation *g)
{
    json_t *o = json_object();
    bool ready;
    json_decref(view_ready(&ready));
    add_process(o, g);
    json_object_set_new(o, "ready", json_boolean(ready));
    json_object_set_new(o, "draining", json_boolean(admin_services->draining()));
    json_object_set_new(o, "workers", json_integer(workers_count()));
    add_traffic(o, g);
    json_object_set_new(o, "listeners", listeners(g));
    json_object_set_new(o, "reload", last_reload());
    return o;
}

/* Gauges that are read off when asked for. */
void
view_metrics(struct strbuf *out)
{
    double lag = 0;
    for (unsigned i = 0; i <= workers_count(); i++)
        lag = fmax(lag, (double)loop_lag_max(worker_get(i)->loop) / (double)NSEC_PER_SEC);
    metrics_loop_lag(lag);
    stats_expose(out);
}
