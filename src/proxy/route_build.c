/* Routes from the tree: reading `route` blocks, resolving what they name, and saying what is wrong with them. */
#include "route_build.h"

#include "../base/hash.h"
#include "../base/xalloc.h"
#include "metrics.h"
#include "regex.h"

#include <ctype.h>
#include <stdlib.h>

struct build {
    struct generation *g;
    struct route_table *table;
    struct { /* names given so far, for #2, #3 and for clashes */
        struct name_entry *v;
        size_t n, room;
    } names;
    unsigned order;
};

struct name_entry {
    struct slice name;
    unsigned times;
    const char *at;
};

static struct name_entry *
name_slot(struct build *b, struct slice name)
{
    if (b->names.n * 2 >= b->names.room) {
        struct name_entry *old = b->names.v;
        size_t old_room = b->names.room;
        b->names.room = old_room ? old_room * 2 : 64;
        b->names.v = xcalloc(b->names.room, sizeof *b->names.v);
        b->names.n = 0;
        for (size_t i = 0; i < old_room; i++)
            if (old[i].times)
                *name_slot(b, old[i].name) = old[i], b->names.n++;
        free(old);
    }
    for (size_t i = hash_slice(name) & (b->names.room - 1);; i = (i + 1) & (b->names.room - 1)) {
        struct name_entry *e = &b->names.v[i];
        if (!e->times || slice_eq(e->name, name))
            return e;
    }
}

static bool
name_take(struct build *b, struct slice name, const struct weir_conf *line)
{
    struct name_entry *e = name_slot(b, name);
    if (e->times)
        return false;
    *e = (struct name_entry){ .name = name, .times = 1, .at = conf_at(line) };
    b->names.n++;
    return true;
}

/* Without name=: the host pattern followed by the pattern; further ones of the same get #2, #3: see gateway.conf(5). */
static struct slice
route_name(struct build *b, const struct weir_conf *line, struct slice host)
{
    struct arena *a = &b->g->arena;
    struct slice given = conf_opt(line, "name"), name = given;
    if (!given.p) {
        const char *gap = host.n && conf_args(line) > 1 ? " " : "";
        name = conf_args(line) > 1
                   ? arena_printf(a, "%.*s%s%s %s", SLICE_FMT(host), gap, conf_arg(line, 0).p, conf_arg(line, 1).p)
                   : arena_printf(a, "%.*s%s", SLICE_FMT(host), conf_arg(line, 0).p);
    }
    const struct name_entry *e = name_slot(b, name);
    if (given.p && e->times)
        conf_error(line, -1, "a route named `%.*s` is already there at %s", SLICE_FMT(name), e->at);
    struct slice first = name;
    while (!name_take(b, name, line)) {
        if (given.p)
            return name;
        name = arena_printf(a, "%.*s#%u", SLICE_FMT(first), ++name_slot(b, first)->times);
    }
    return name;
}

static int
read_pattern(struct build *b, struct route *r, const struct weir_conf *line)
{
    struct slice first = conf_arg(line, 0), text = first;
    int arg = 0;
    r->kind = ROUTE_PREFIX;
    if (conf_args(line) == 2) {
        arg = 1;
        text = conf_arg(line, 1);
        if (slice_eq(first, SLICE("=")))
            r->kind = ROUTE_EXACT;
        else if (slice_eq(first, SLICE("~")))
            r->kind = ROUTE_REGEX;
        else {
            conf_error(line, 0, "expected `=`, `~` or one path before `{`");
            return -1;
        }
    }
    r->pattern = text;
    if (r->kind == ROUTE_REGEX) {
        char error[200];
        r->regex = regex_new(text, &b->g->arena, error, sizeof error);
        if (!r->regex)
            conf_error(line, arg, "bad regular expression: %s", error);
        return r->regex ? 0 : -1;
    }
    if (text.n == 0 || text.p[0] != '/') {
        if (!(r->kind == ROUTE_EXACT && slice_eq(text, SLICE("*")))) {
            conf_error(line, arg, "a path begins with `/`");
            return -1;
        }
        return 0;
    }
    struct http_request probe = { .target = text };
    const char *wrong = memchr(text.p, '?', text.n) ? "a path without a query is expected"
                                                    : uri_parse_target(&probe, &b->g->uri, &b->g->arena);
    if (wrong) {
        conf_error(line, arg, "this path can never be requested: %s", wrong);
        return -1;
    }
    if (!slice_eq(probe.path, text))
        conf_warning(line, arg, "paths are compared in canonical form: read as `%.*s`", SLICE_FMT(probe.path));
    r->pattern = probe.path;
    return 0;
}

static void
read_methods(struct build *b, struct route *r)
{
    const struct weir_conf *line = conf_find(r->conf, "methods");
    if (!line)
        return;
    struct arena *a = &b->g->arena;
    r->other_methods = arena_alloc(a, conf_args(line) * sizeof(struct slice));
    for (unsigned i = 0; i < conf_args(line); i++) {
        struct slice m = conf_arg(line, i);
        enum http_method known = method_lookup(m);
        if (!field_is_token(m) || known == METHOD_CONNECT || known == METHOD_TRACE)
            conf_error(line, (int)i, "`%s` is not a method that a route can accept", m.p);
        else if (known == METHOD_OTHER && islower((unsigned char)m.p[0]))
            conf_error(line, (int)i, "methods are case-sensitive; did you mean it in upper case?");
        else if (known == METHOD_OTHER)
            r->other_methods[r->n_other_methods++] = m;
        else
            r->methods |= 1u << known;
    }
    if (r->methods & (1u << METHOD_GET))
        r->methods |= 1u << METHOD_HEAD;
    for (unsigned m = METHOD_GET; m < METHOD_COUNT; m++)
        if (r->methods & (1u << m))
            r->allow = arena_printf(a, "%.*s%s%s", SLICE_FMT(r->allow), r->allow.n ? ", " : "", method_name(m));
    for (unsigned i = 0; i < r->n_other_methods; i++)
        r->allow =
            arena_printf(a, "%.*s%s%.*s", SLICE_FMT(r->allow), r->allow.n ? ", " : "", SLICE_FMT(r->other_methods[i]));
}

static void
read_matchers(struct build *b, struct route *r)
{
    unsigned n = 0;
    for (const struct weir_conf *l = conf_find(r->conf, "match"); l; l = conf_next(l))
        n++;
    r->matchers = arena_alloc(&b->g->arena, n * sizeof *r->matchers);
    for (const struct weir_conf *l = conf_find(r->conf, "match"); l; l = conf_next(l))
        if (matcher_build(&r->matchers[r->n_matchers], l, &b->g->arena) == 0)
            r->n_matchers++;
}

static void
read_respond(struct build *b, struct route *r, const struct weir_conf *line)
{
    r->action = ROUTE_RESPOND;
    r->status = (int)conf_int(line, 0);
    if (conf_args(line) > 1)
        r->text = template_of_arg(line, 1, &b->g->arena);
    r->content_type = template_compile(conf_opt(line, "type"), line, -1, &b->g->arena);
    if (status_has_no_body(r->status) && conf_args(line) > 1 && conf_arg(line, 1).n)
        conf_error(line, 1, "a %d answer has no body", r->status);
}

static void
read_redirect(struct build *b, struct route *r, const struct weir_conf *line)
{
    r->action = ROUTE_REDIRECT;
    r->status = (int)conf_int(line, 0);
    if (r->status == 304 || r->status == 305 || r->status == 306)
        conf_error(line, 0, "a redirect is 301, 302, 303, 307 or 308");
    r->text = template_of_arg(line, 1, &b->g->arena);
}

static void
read_proxy(struct build *b, struct route *r, const struct weir_conf *line)
{
    r->action = ROUTE_PROXY;
    r->target = generation_target(b->g, conf_arg(line, 0));
    if (r->target)
        return;
    const char **names = xcalloc(b->g->n_targets + 1, sizeof *names);
    for (unsigned i = 0; i < b->g->n_targets; i++)
        names[i] = b->g->targets[i]->cluster->name;
    const char *near = conf_nearest(conf_arg(line, 0).p, names);
    if (near)
        conf_error(line, 0, "no upstream `%s` is declared in this file\ndid you mean `%s`?", conf_arg(line, 0).p, near);
    else
        conf_error(line, 0, "no upstream `%s` is declared in this file", conf_arg(line, 0).p);
    free(names);
}

/* A route ends in exactly one of proxy, a policy that names the target, respond, redirect. */
static void
read_action(struct build *b, struct route *r)
{
    static const char *const words[] = { "proxy", "respond", "redirect" };
    static void (*const readers[])(struct build *, struct route *,
                                   const struct weir_conf *) = { read_proxy, read_respond, read_redirect };
    const struct weir_conf *first = NULL;
    for (int i = 0; i < 3; i++) {
        const struct weir_conf *l = conf_find(r->conf, words[i]);
        if (l && first)
            conf_error(l, -1,
                       "a route ends in exactly one of proxy, a policy that names the target, respond, redirect; %s is "
                       "already there",
                       conf_name(first));
        else if (l)
            readers[i](b, r, first = l);
    }
    for (unsigned i = 0; r->chain && i < chain_count(r->chain); i++) {
        struct weir_policy *p = chain_get(r->chain, i);
        if (!policy_names_target(p))
            continue;
        if (first)
            conf_error(r->conf, -1, "this route has both `%s` and the policy `%s` (%s), which names the target itself",
                       conf_name(first), policy_name(p), policy_line(p));
        r->action = ROUTE_TARGET_POLICY;
        return;
    }
    if (!first)
        conf_error(r->conf, -1,
                   "this route leads nowhere: it needs one of proxy UPSTREAM, a policy that names the target (canary), "
                   "respond, redirect");
}

/* The innermost line of that name around a route, or the default at the top. */
static const struct weir_conf *
inherited(const struct route *r, const char *name)
{
    for (const struct weir_conf *b = r->conf; conf_parent(b); b = conf_parent(b))
        if (conf_find(b, name))
            return conf_find(b, name);
    return conf_get(conf_root(conf_of(r->conf)), name);
}

static void
read_limits(struct route *r)
{
    const struct weir_conf *timeout = inherited(r, "timeout"), *idle = inherited(r, "idle_timeout"),
                           *max_body = inherited(r, "max_body"), *hold = inherited(r, "body_hold"),
                           *duration = inherited(r, "max_duration");
    r->timeout = conf_int(timeout, 0);
    r->timeout_at = conf_at(timeout);
    r->idle_timeout = conf_int(idle, 0);
    r->idle_timeout_at = conf_at(idle);
    r->max_duration = conf_int(duration, 0);
    r->max_duration_at = conf_at(duration);
    r->max_body = (uint64_t)conf_int(max_body, 0);
    r->max_body_at = conf_at(max_body);
    r->body_hold.hold = (size_t)conf_int(hold, 0);
    r->body_hold.at = conf_at(hold);
}

struct slice
route_hsts(const struct weir_conf *line, struct arena *arena)
{
    if (!conf_int(line, 0))
        return SLICE_NONE;
    return arena_printf(arena, "max-age=%lld%s%s", (long long)(conf_opt_int(line, "max_age", 0) / NSEC_PER_SEC),
                        conf_opt_int(line, "include_subdomains", 0) ? "; includeSubDomains" : "",
                        conf_opt_int(line, "preload", 0) ? "; preload" : "");
}

static void
read_https(struct build *b, struct route *r)
{
    static const int statuses[] = { 0, 308, 301, 302, 307, 308 }; /* by the word's place in its row */
    const struct weir_conf *redirect = inherited(r, "redirect_https");

    r->hsts = route_hsts(inherited(r, "hsts"), &b->g->arena);
    r->https_status = statuses[conf_int(redirect, 0)];
    r->https_port = (int)conf_opt_int(redirect, "port", 443);
    r->https_at = conf_at(redirect);
}

static void
read_strip(struct route *r)
{
    const struct weir_conf *line = conf_find(r->conf, "strip_prefix");
    if (!line)
        return;
    struct slice p = conf_arg(line, 0);
    if (p.n == 0 || p.p[0] != '/') {
        conf_error(line, 0, "a prefix begins with `/`");
        return;
    }
    while (p.n > 0 && p.p[p.n - 1] == '/')
        p.n--;
    r->strip_prefix = p;
}

static void
build_route(struct build *b, const struct weir_conf *line, const struct slice *hosts, unsigned n_hosts)
{
    struct route *r = arena_zalloc(&b->g->arena, sizeof *r);
    r->conf = line;
    r->at = conf_at(line);
    r->host = n_hosts ? hosts[0] : SLICE_NONE;
    r->order = b->order++;
    if (read_pattern(b, r, line) != 0)
        return;
    r->name = route_name(b, line, r->host);
    r->stats = metrics_route(r->name);
    read_methods(b, r);
    read_matchers(b, r);
    read_strip(r);
    read_limits(r);
    read_https(b, r);
    r->chain = chain_build(&b->g->scope, line, r->name);
    read_action(b, r);
    route_table_add(b->table, r, hosts, n_hosts);
}

static bool
host_is_good(struct slice h)
{
    if (slice_starts(h, SLICE("*.")))
        h = slice_from(h, 2);
    if (h.n == 0 || h.n > 253)
        return false;
    for (size_t i = 0; i < h.n; i++) {
        unsigned char c = (unsigned char)h.p[i];
        if (!isalnum(c) && c != '-' && c != '.' && c != '_' && c != ':' && c != '[' && c != ']')
            return false;
    }
    return true;
}

static void
build_host(struct build *b, const struct weir_conf *block)
{
    unsigned n = conf_args(block);
    struct slice *hosts = arena_alloc(&b->g->arena, n * sizeof *hosts);
    for (unsigned i = 0; i < n; i++) {
        hosts[i] = arena_slice(&b->g->arena, conf_arg(block, i));
        char *p = (char *)hosts[i].p;
        for (size_t k = 0; k < hosts[i].n; k++)
            p[k] = (char)tolower((unsigned char)p[k]);
        if (!host_is_good(hosts[i]))
            conf_error(block, (int)i, "`%s` is not a host name; a star may only stand as `*.` in front",
                       conf_arg(block, i).p);
    }
    for (const struct weir_conf *l = conf_find(block, "route"); l; l = conf_next(l))
        build_route(b, l, hosts, n);
}

struct route_table *
route_build_all(struct generation *g)
{
    struct build b = { .g = g, .table = route_table_new(&g->arena) };
    const struct weir_conf *root = conf_root(g->conf);
    for (const struct weir_conf *l = conf_first(root); l; l = conf_sibling(l)) {
        if (strcmp(conf_name(l), "host") == 0)
            build_host(&b, l);
        else if (strcmp(conf_name(l), "route") == 0)
            build_route(&b, l, NULL, 0);
    }
    free(b.names.v);
    route_table_finish(b.table);
    return b.table;
}
