#include "plan.h"

#include "../conf/files.h"
#include "../net/bind.h"
#include "daemon_conf.h"

#include <errno.h>

struct plan {
    struct strbuf *out;
    struct strbuf changes;
    unsigned count[CONF_MOVED + 1];
    const char *separator; /* of the list being written */
};

/* ---- writing ---- */

static void
member(struct strbuf *out, const char *separator, const char *name, const char *text)
{
    strbuf_addf(out, "%s\"%s\":", separator, name);
    if (!text || !*text) {
        strbuf_adds(out, "null");
        return;
    }
    strbuf_addc(out, '"');
    strbuf_addjson(out, slice_str(text));
    strbuf_addc(out, '"');
}

/* ---- differences ---- */

static bool
is_policy(const struct weir_conf *line)
{
    const struct weir_directive *row = conf_row(line);
    return row && row->flags & WEIR_D_POLICY;
}

/* What a line belongs to: the outermost block that bears a name of its own. Policies are told apart wherever they
 * stand. */
static const char *
kind_of(const struct weir_conf *line)
{
    const struct weir_conf *outer = line;
    for (const struct weir_conf *l = line; l && conf_parent(l); l = conf_parent(l)) {
        if (is_policy(l))
            return "policy";
        if (strcmp(conf_name(l), "host") != 0)
            outer = l;
    }
    if (strcmp(conf_name(outer), "host") == 0)
        return "route";
    const struct weir_directive *row = conf_row(outer);
    return row && row->block ? conf_name(outer) : "setting";
}

/* Regular expressions are tried in the order of the file, and so are routes of one pattern; policies act in theirs. */
static bool
order_matters(const struct weir_conf *line, bool twin)
{
    if (is_policy(line))
        return true;
    return strcmp(conf_name(line), "route") == 0 && (twin || slice_eq(conf_arg(line, 0), SLICE("~")));
}

static void
add_change(struct plan *p, const char *kind, const struct conf_difference *d)
{
    static const char *const words[] = {
        [CONF_ADDED] = "added", [CONF_REMOVED] = "removed", [CONF_CHANGED] = "changed", [CONF_MOVED] = "moved"
    };
    struct strbuf *out = &p->changes;
    p->count[d->change]++;
    member(out, out->n ? ",\n  {" : "\n  {", "change", words[d->change]);
    member(out, ",", "kind", kind);
    member(out, ",", "path", d->path);
    member(out, ",", "was", d->was);
    member(out, ",", "now", d->now);
    member(out, ",", "was_at", d->was_at);
    member(out, ",", "now_at", d->now_at);
    strbuf_addf(out, ",\"secret\":%s}", d->secret ? "true" : "false");
}

static void
on_difference(const struct conf_difference *d, void *arg)
{
    add_change(arg, kind_of(d->line), d);
}

/* Certificates, keys and values whose file has another content, which is not shown. */
static void
tell_files(struct plan *p, const struct conf_files *was, const struct conf_files *now)
{
    for (const struct conf_file *f = conf_files_first(now); f; f = f->next) {
        const struct conf_file *old = conf_files_find(was, f->path);
        struct conf_difference d = { .change = CONF_CHANGED, .path = f->path, .secret = true };
        if (f->kind == CONF_FILE_CONTENT && old && old->digest != f->digest)
            add_change(p, "file", &d);
    }
}

/* ---- state ---- */

enum fate { KEPT, LOST, FATES };

static void
tell(struct plan *p, const char *kind, struct slice of, const char *name)
{
    member(p->out, p->separator, "kind", kind);
    p->separator = ",\n   {";
    strbuf_adds(p->out, ",\"of\":\"");
    strbuf_addjson(p->out, of);
    strbuf_addc(p->out, '"');
    member(p->out, ",", "name", name);
    strbuf_addc(p->out, '}');
}

struct endpoints {
    struct plan *plan;
    enum fate fate;
    struct slice upstream;
    const struct cluster *other; /* of the new generation; NULL: none of that name */
    const char *looked_for;
    bool found;
};

static void
compare_line(const char *text, void *arg)
{
    struct endpoints *e = arg;
    if (strcmp(text, e->looked_for) == 0)
        e->found = true;
}

/* Health, ejections, counts, orders and warm connections go by upstream and address. */
static void
on_endpoint(const char *text, void *arg)
{
    struct endpoints *e = arg;
    e->looked_for = text;
    e->found = false;
    if (e->other)
        cluster_lines(e->other, compare_line, e);
    if (e->found == (e->fate == KEPT))
        tell(e->plan, "endpoint", e->upstream, text);
}

static void
tell_upstreams(struct plan *p, enum fate fate, const struct generation *was, const struct generation *now)
{
    for (unsigned i = 0; i < was->n_targets; i++) {
        const struct cluster *c = was->targets[i]->cluster;
        struct target *t = generation_target(now, slice_str(c->name));
        struct endpoints e = { p, fate, slice_str(c->name), t ? t->cluster : NULL, NULL, false };
        cluster_lines(c, on_endpoint, &e);
        if (fate == LOST && t && !cluster_same_checks(c, t->cluster))
            tell(p, "health", slice_str(c->name), "checked anew");
        if (fate == LOST && t && c->tls_identity != t->cluster->tls_identity)
            tell(p, "connections", slice_str(c->name), "other TLS settings");
    }
}

/* Buckets, breakers, canary weights, key sets: whatever policies keep under a key. */
static void
tell_policies(struct plan *p, enum fate fate, const struct generation *was, const struct generation *now)
{
    struct name_map states = { 0 }; /* by the bytes of the pointer */
    for (struct policy_hold *h = now->scope.holds; h; h = h->next)
        name_map_put(&states, slice_of((const char *)&h->state, sizeof h->state), h);
    const struct policy_hold *h = was->scope.holds, *first;
    while ((first = h)) {
        bool kept = true;
        for (; h && h->policy == first->policy; h = h->next)
            kept = kept && name_map_get(&states, slice_of((const char *)&h->state, sizeof h->state));
        if (kept == (fate == KEPT))
            tell(p, policy_name(first->policy), policy_scope_name(first->policy), NULL);
    }
    name_map_fini(&states);
}

static bool
binds(const struct generation *g, struct slice address)
{
    for (unsigned i = 0; i < g->n_listeners; i++)
        for (unsigned k = 0; k < g->listeners[i].n_sockets; k++)
            if (slice_eq(conf_arg(g->listeners[i].binds[k], 0), address))
                return true;
    return false;
}

static void
tell_listeners(struct plan *p, enum fate fate, const struct generation *was, const struct generation *now)
{
    for (unsigned i = 0; i < was->n_listeners; i++) {
        for (unsigned k = 0; k < was->listeners[i].n_sockets; k++) {
            const struct weir_conf *line = was->listeners[i].binds[k];
            if (binds(now, conf_arg(line, 0)) == (fate == KEPT))
                tell(p, "listener", slice_str(was->listeners[i].name), conf_arg_shown(line, 0).p);
        }
    }
}

static void
tell_stores(struct plan *p, enum fate fate, const struct generation *was, const struct generation *now)
{
    for (unsigned i = 0; i < was->n_stores; i++) {
        const struct store *s = was->stores[i], *other = generation_store(now, slice_str(store_name(s)));
        if ((other && store_same_state(s, other)) == (fate == KEPT))
            tell(p, "store", slice_str(store_name(s)), store_url_shown(s));
    }
}

/* Series go by the name of the route. */
static void
tell_routes(struct plan *p, enum fate fate, const struct generation *was, const struct generation *now)
{
    struct name_map names = { 0 };
    for (unsigned i = 0; i < route_table_count(now->routes); i++)
        name_map_put(&names, route_table_get(now->routes, i)->name, (void *)now);
    for (unsigned i = 0; i < route_table_count(was->routes); i++) {
        struct slice name = route_table_get(was->routes, i)->name;
        if ((name_map_get(&names, name) != NULL) == (fate == KEPT))
            tell(p, "metrics", name, NULL);
    }
    name_map_fini(&names);
}

static void
tell_state(struct plan *p, const struct generation *was, const struct generation *now)
{
    static const char *const words[FATES] = { [KEPT] = "kept", [LOST] = "lost" };
    for (enum fate f = KEPT; f < FATES; f++) {
        strbuf_addf(p->out, "%s\"%s\":[", f ? ",\n  " : ",\n \"state\":{\n  ", words[f]);
        p->separator = "\n   {";
        tell_listeners(p, f, was, now);
        tell_upstreams(p, f, was, now);
        tell_policies(p, f, was, now);
        tell_stores(p, f, was, now);
        tell_routes(p, f, was, now);
        strbuf_addc(p->out, ']');
    }
    strbuf_adds(p->out, "}");
}

/* ---- the whole ---- */

static void
tell_workers(struct plan *p, const struct generation *now)
{
    unsigned n = daemon_conf_workers(now->conf);
    strbuf_adds(p->out, ",\n \"notes\":[");
    if (n != workers_count())
        strbuf_addf(p->out, "\"`workers` is %u now; the %u threads that run stay until a restart\"", n,
                    workers_count());
    strbuf_addc(p->out, ']');
}

void
plan_write(const struct generation *was, struct generation *now, struct slice warnings, struct strbuf *json)
{
    struct plan p = { .out = json };
    struct conf_diff_events events = { on_difference, order_matters, &p };
    strbuf_init(&p.changes, json->cap);
    conf_diff(was->conf, now->conf, &events);
    tell_files(&p, conf_files(was->conf), conf_files(now->conf));
    strbuf_addf(json, "{\"ok\":true,\"generation\":%llu", (unsigned long long)was->id);
    strbuf_addf(json, ",\n \"added\":%u,\"removed\":%u,\"changed\":%u,\"moved\":%u", p.count[CONF_ADDED],
                p.count[CONF_REMOVED], p.count[CONF_CHANGED], p.count[CONF_MOVED]);
    strbuf_adds(json, ",\n \"changes\":[");
    strbuf_addslice(json, strbuf_slice(&p.changes));
    strbuf_addc(json, ']');
    strbuf_fini(&p.changes);
    tell_state(&p, was, now);
    tell_workers(&p, now);
    member(json, ",\n ", "warnings", arena_slice(&now->arena, warnings).p);
    strbuf_adds(json, "}\n");
}

int
plan_probe(const struct generation *was, struct generation *now, bool raised)
{
    for (unsigned i = 0; i < now->n_listeners; i++) {
        for (unsigned k = 0; k < now->listeners[i].n_sockets; k++) {
            const struct weir_conf *line = now->listeners[i].binds[k];
            struct addr a;
            struct err e = { 0 };
            if (!binds(was, conf_arg(line, 0)) && addr_parse(conf_arg(line, 0), &a, &e) == 0 &&
                bind_probe(&a, &e) != 0 && !(raised && e.sys == EACCES))
                conf_error(line, 0, "%s", e.text);
        }
    }
    return conf_errors(now->conf) ? -1 : 0;
}
