/*
 * The route index: per host pattern one set of exact paths (a hash), one list of regexes, and one trie of path segments
 * (a hash of (parent, segment) pairs), so that finding a route costs one probe per segment whatever the number of
 * routes.
 */
#include "../base/hash.h"
#include "../base/name_map.h"
#include "../base/xalloc.h"
#include "regex.h"
#include "regex_filter.h"
#include "route.h"

#include <stdlib.h>

/* Routes of one pattern, best first: more matchers, then file order. */
struct pattern {
    enum route_pattern kind;
    struct slice text;
    struct route **routes;
    unsigned n, room;
};

/* Open addressing, keyed by a number (the parent's id; 0 for whole keys) and a text. */
struct entry {
    uint64_t hash;
    uint32_t parent;
    struct slice key;
    void *value;
};

struct map {
    struct entry *v;
    size_t n, room; /* room is a power of two, or 0 */
};

struct node { /* of the trie: the path up to here, without a trailing slash */
    uint32_t id;
    struct pattern *bare; /* "/orders": this path and everything below */
    struct pattern *dir;  /* "/orders/": only what has the slash */
};

struct route_set {
    struct map exact;
    struct map trie;
    struct node root; /* "/": dir matches everything */
    uint32_t nodes;
    struct pattern **regexes; /* in file order */
    unsigned n_regexes, regex_room;
    struct name_map regex_texts;
    struct regex_filter *filter; /* of many regexes; NULL: each is tried */
};

struct route_table {
    struct arena *arena;
    struct map hosts;    /* exact host names */
    struct map suffixes; /* "*.example.com" under ".example.com" */
    struct route_set any;
    struct route **all;
    unsigned n, room;
};

#define TRIE_DEPTH_MAX 64
#define FILTER_FROM 4 /* regexes in a set; fewer are tried as fast as they are filtered */

static uint64_t
map_hash(uint32_t parent, struct slice key)
{
    return hash_slice(key) ^ (parent * 0x9E3779B97F4A7C15ULL);
}

static struct entry *
map_slot(const struct map *m, uint64_t hash, uint32_t parent, struct slice key)
{
    for (size_t i = hash & (m->room - 1);; i = (i + 1) & (m->room - 1)) {
        struct entry *e = &m->v[i];
        if (!e->value || (e->hash == hash && e->parent == parent && slice_eq(e->key, key)))
            return e;
    }
}

static void *
map_get(const struct map *m, uint32_t parent, struct slice key)
{
    return m->room ? map_slot(m, map_hash(parent, key), parent, key)->value : NULL;
}

static void
map_put(struct map *m, uint32_t parent, struct slice key, void *value)
{
    if (m->n * 2 >= m->room) {
        struct map old = *m;
        m->room = old.room ? old.room * 2 : 16;
        m->v = xcalloc(m->room, sizeof *m->v);
        for (size_t i = 0; i < old.room; i++)
            if (old.v[i].value)
                *map_slot(m, old.v[i].hash, old.v[i].parent, old.v[i].key) = old.v[i];
        free(old.v);
    }
    uint64_t hash = map_hash(parent, key);
    struct entry *e = map_slot(m, hash, parent, key);
    if (!e->value)
        m->n++;
    *e = (struct entry){ hash, parent, key, value };
}

struct route_table *
route_table_new(struct arena *arena)
{
    struct route_table *t = arena_zalloc(arena, sizeof *t);
    t->arena = arena;
    return t;
}

static void
set_fini(struct route_set *s)
{
    for (unsigned i = 0; i < s->n_regexes; i++)
        free(s->regexes[i]->routes);
    for (size_t i = 0; i < s->exact.room; i++)
        if (s->exact.v[i].value)
            free(((struct pattern *)s->exact.v[i].value)->routes);
    for (size_t i = 0; i < s->trie.room; i++) {
        struct node *n = s->trie.v[i].value;
        if (n && n->bare)
            free(n->bare->routes);
        if (n && n->dir)
            free(n->dir->routes);
    }
    if (s->root.dir)
        free(s->root.dir->routes);
    free(s->regexes);
    name_map_fini(&s->regex_texts);
    regex_filter_free(s->filter);
    free(s->exact.v);
    free(s->trie.v);
}

void
route_table_free(struct route_table *t)
{
    const struct map *maps[] = { &t->hosts, &t->suffixes };
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < maps[k]->room; i++)
            if (maps[k]->v[i].value)
                set_fini(maps[k]->v[i].value);
        free(maps[k]->v);
    }
    set_fini(&t->any);
    free(t->all);
}

static struct route_set *
set_for_host(struct route_table *t, struct slice host)
{
    bool suffix = slice_starts(host, SLICE("*."));
    struct map *m = suffix ? &t->suffixes : &t->hosts;
    struct slice key = suffix ? slice_from(host, 1) : host;
    struct route_set *s = map_get(m, 0, key);
    if (!s) {
        s = arena_zalloc(t->arena, sizeof *s);
        map_put(m, 0, key, s);
    }
    return s;
}

/* The next segment of a path from offset *at (which stands on a '/'); false at the end of the path. */
static bool
next_segment(struct slice path, size_t *at, struct slice *segment)
{
    if (*at + 1 > path.n || path.p[*at] != '/')
        return false;
    size_t start = *at + 1;
    const char *slash = memchr(path.p + start, '/', path.n - start);
    size_t end = slash ? (size_t)(slash - path.p) : path.n;
    *segment = slice_of(path.p + start, end - start);
    *at = end;
    return segment->n > 0 || end < path.n;
}

static struct pattern *
pattern_new(struct route_table *t, const struct route *r)
{
    struct pattern *p = arena_zalloc(t->arena, sizeof *p);
    p->kind = r->kind;
    p->text = r->pattern;
    return p;
}

static struct pattern *
prefix_pattern(struct route_table *t, struct route_set *s, const struct route *r)
{
    struct node *node = &s->root;
    struct slice segment;
    size_t at = 0;
    bool dir = slice_ends(r->pattern, SLICE("/"));
    while (next_segment(r->pattern, &at, &segment)) {
        struct node *below = map_get(&s->trie, node->id, segment);
        if (!below) {
            below = arena_zalloc(t->arena, sizeof *below);
            below->id = ++s->nodes;
            map_put(&s->trie, node->id, segment, below);
        }
        node = below;
    }
    struct pattern **slot = dir ? &node->dir : &node->bare;
    if (!*slot)
        *slot = pattern_new(t, r);
    return *slot;
}

static struct pattern *
regex_pattern(struct route_table *t, struct route_set *s, const struct route *r)
{
    struct pattern *p = name_map_get(&s->regex_texts, r->pattern);
    if (p)
        return p;
    if (s->n_regexes == s->regex_room) {
        s->regex_room = s->regex_room ? s->regex_room * 2 : 8;
        s->regexes = xrealloc(s->regexes, s->regex_room * sizeof *s->regexes);
    }
    s->regexes[s->n_regexes++] = p = pattern_new(t, r);
    name_map_put(&s->regex_texts, p->text, p);
    return p;
}

static struct pattern *
exact_pattern(struct route_table *t, struct route_set *s, const struct route *r)
{
    struct pattern *p = map_get(&s->exact, 0, r->pattern);
    if (!p) {
        p = pattern_new(t, r);
        map_put(&s->exact, 0, r->pattern, p);
    }
    return p;
}

static bool
same_matchers(const struct route *a, const struct route *b)
{
    if (a->n_matchers != b->n_matchers)
        return false;
    for (unsigned i = 0; i < a->n_matchers; i++) {
        bool found = false;
        for (unsigned k = 0; k < b->n_matchers && !found; k++)
            found = matcher_same(&a->matchers[i], &b->matchers[k]);
        if (!found)
            return false;
    }
    return true;
}

/* Does `earlier` take every method that `later` would? */
static bool
covers_methods(const struct route *earlier, const struct route *later)
{
    if (!earlier->methods && !earlier->n_other_methods)
        return true;
    bool all = !later->methods && !later->n_other_methods;
    return !all && later->n_other_methods == 0 && (later->methods & ~earlier->methods) == 0;
}

static void
warn_if_hidden(const struct pattern *p, const struct route *r)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (!same_matchers(p->routes[i], r))
            continue;
        if (covers_methods(p->routes[i], r))
            conf_warning(r->conf, -1,
                         "this route can never match: %s has the same host, pattern and matchers and comes first",
                         p->routes[i]->at);
        else
            conf_warning(r->conf, -1, "%s has the same host, pattern and matchers; only `methods` tells them apart",
                         p->routes[i]->at);
        return;
    }
}

static void
pattern_add(struct pattern *p, struct route *r)
{
    warn_if_hidden(p, r);
    if (p->n == p->room) {
        p->room = p->room ? p->room * 2 : 2;
        p->routes = xrealloc(p->routes, p->room * sizeof *p->routes);
    }
    unsigned i = p->n++;
    for (; i > 0 && p->routes[i - 1]->n_matchers < r->n_matchers; i--)
        p->routes[i] = p->routes[i - 1];
    p->routes[i] = r;
}

static void
set_add(struct route_table *t, struct route_set *s, struct route *r)
{
    struct pattern *p = r->kind == ROUTE_EXACT   ? exact_pattern(t, s, r)
                        : r->kind == ROUTE_REGEX ? regex_pattern(t, s, r)
                                                 : prefix_pattern(t, s, r);
    pattern_add(p, r);
}

void
route_table_add(struct route_table *t, struct route *r, const struct slice *hosts, unsigned n_hosts)
{
    if (t->n == t->room) {
        t->room = t->room ? t->room * 2 : 64;
        t->all = xrealloc(t->all, t->room * sizeof *t->all);
    }
    t->all[t->n++] = r;
    if (n_hosts == 0)
        set_add(t, &t->any, r);
    for (unsigned i = 0; i < n_hosts; i++)
        set_add(t, set_for_host(t, hosts[i]), r);
}

static void
set_finish(struct route_table *t, struct route_set *s)
{
    if (s->n_regexes < FILTER_FROM)
        return;
    struct slice *texts = xcalloc(s->n_regexes, sizeof *texts);
    for (unsigned i = 0; i < s->n_regexes; i++)
        texts[i] = s->regexes[i]->text;
    s->filter = regex_filter_new(texts, s->n_regexes, t->arena);
    free(texts);
}

void
route_table_finish(struct route_table *t)
{
    const struct map *maps[] = { &t->hosts, &t->suffixes };
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < maps[k]->room; i++)
            if (maps[k]->v[i].value)
                set_finish(t, maps[k]->v[i].value);
    set_finish(t, &t->any);
}

unsigned
route_table_count(const struct route_table *t)
{
    return t->n;
}

const struct route *
route_table_get(const struct route_table *t, unsigned i)
{
    return t->all[i];
}

/* ---- finding ---- */

bool
route_allows(const struct route *r, const struct http_request *req)
{
    if (!r->methods && !r->n_other_methods)
        return true;
    if (req->method != METHOD_OTHER)
        return (r->methods >> req->method) & 1;
    for (unsigned i = 0; i < r->n_other_methods; i++)
        if (slice_eq(r->other_methods[i], req->method_text))
            return true;
    return false;
}

static bool
matchers_hold(const struct route *r, struct weir_exchange *x)
{
    for (unsigned i = 0; i < r->n_matchers; i++)
        if (!matcher_holds(&r->matchers[i], x))
            return false;
    return true;
}

static void
join_allow(struct weir_exchange *x, struct route_match *out, const struct route *r)
{
    struct slice rest = r->allow, member, have, known;
    while (field_list_next(&rest, &member)) {
        bool found = false;
        have = out->allow;
        while (!found && field_list_next(&have, &known))
            found = slice_eq(known, member);
        if (!found)
            out->allow =
                out->allow.n ? arena_printf(x->arena, "%.*s, %.*s", SLICE_FMT(out->allow), SLICE_FMT(member)) : member;
    }
}

/* True when the pattern decides: with a route, or with 405. */
static bool
try_pattern(const struct pattern *p, struct weir_exchange *x, struct route_match *out)
{
    for (unsigned i = 0; p && i < p->n; i++) {
        const struct route *r = p->routes[i];
        if (!matchers_hold(r, x))
            continue;
        if (route_allows(r, x->req)) {
            *out = (struct route_match){ .route = r };
            return true;
        }
        if (!out->route) {
            out->route = r;
            out->method_refused = true;
        }
        join_allow(x, out, r);
    }
    return out->method_refused;
}

static bool
try_prefixes(const struct route_set *s, struct weir_exchange *x, struct route_match *out)
{
    const struct pattern *found[2 * TRIE_DEPTH_MAX + 1];
    unsigned n = 0;
    struct slice path = x->req->path, segment;
    const struct node *node = &s->root;
    size_t at = 0;

    if (s->root.dir && path.n && path.p[0] == '/')
        found[n++] = s->root.dir;
    for (unsigned depth = 0; depth < TRIE_DEPTH_MAX && next_segment(path, &at, &segment); depth++) {
        node = map_get(&s->trie, node->id, segment);
        if (!node)
            break;
        if (node->bare)
            found[n++] = node->bare;
        if (node->dir && at < path.n)
            found[n++] = node->dir;
    }
    while (n > 0)
        if (try_pattern(found[--n], x, out))
            return true;
    return false;
}

static bool
try_regexes(const struct route_set *s, struct weir_exchange *x, struct route_match *out)
{
    uint32_t candidates[REGEX_CANDIDATES_MAX];
    int n = s->filter ? regex_filter_find(s->filter, x->req->path, candidates) : -1;
    unsigned tries = n < 0 ? s->n_regexes : (unsigned)n;
    for (unsigned i = 0; i < tries; i++) {
        const struct pattern *p = s->regexes[n < 0 ? i : candidates[i]];
        if (regex_test(p->routes[0]->regex, x->req->path) > 0 && try_pattern(p, x, out))
            return true;
    }
    return false;
}

static bool
try_set(const struct route_set *s, struct weir_exchange *x, struct route_match *out)
{
    if (try_pattern(map_get(&s->exact, 0, x->req->path), x, out))
        return true;
    return (s->n_regexes && try_regexes(s, x, out)) || try_prefixes(s, x, out);
}

static const struct route_set *
set_of_request(const struct route_table *t, struct slice host)
{
    const struct route_set *s = map_get(&t->hosts, 0, host);
    if (s || t->suffixes.n == 0)
        return s;
    /* From the left, so that the longest suffix wins; the star stands for at least one label. */
    for (size_t i = 1; i < host.n; i++) {
        if (host.p[i] != '.')
            continue;
        s = map_get(&t->suffixes, 0, slice_from(host, i));
        if (s)
            return s;
    }
    return NULL;
}

bool
route_find(const struct route_table *t, struct weir_exchange *x, struct route_match *out)
{
    *out = (struct route_match){ 0 };
    const struct route_set *s = set_of_request(t, x->req->host);
    return (s && try_set(s, x, out)) || try_set(&t->any, x, out);
}
