#include "listener_build.h"

#include "../base/xalloc.h"
#include "tls_build.h"

#include <pthread.h>
#include <sys/socket.h>

struct cidr *
cidrs_build(struct arena *arena, const struct weir_conf *line, unsigned *n)
{
    struct cidr *set = arena_alloc(arena, conf_args(line) * sizeof *set);

    *n = 0;
    for (unsigned i = 0; i < conf_args(line); i++)
        if (cidr_parse(conf_arg(line, i), &set[*n]) == 0)
            (*n)++;
    return set;
}

static void
read_limits(struct listener *l, const struct weir_conf *block)
{
    const struct weir_conf *limits = conf_get(block, "limits"), *timeouts = conf_get(block, "timeouts");
    struct down_conf *d = &l->down;

    d->limits = (struct h1_limits){
        .request_line = (unsigned)conf_get_int(limits, "request_line"),
        .field = (unsigned)conf_get_int(limits, "field"),
        .head = (unsigned)conf_get_int(limits, "head"),
        .fields = (unsigned)conf_get_int(limits, "fields"),
    };
    d->keepalive_requests = (uint64_t)conf_get_int(limits, "requests");
    d->http2 = conf_get_int(block, "http2");
    d->streams = (unsigned)conf_get_int(limits, "streams");
    d->body_rate = (uint64_t)conf_get_int(limits, "body_rate");
    d->response_rate = (uint64_t)conf_get_int(limits, "response_rate");
    l->max_connections = (unsigned)conf_get_int(limits, "connections");
    l->max_per_client = (unsigned)conf_get_int(limits, "connections_per_client");
    d->head_timeout = conf_get_int(timeouts, "head");
    d->body_timeout = conf_get_int(timeouts, "body");
    d->idle_timeout = conf_get_int(timeouts, "idle");
    d->write_timeout = conf_get_int(timeouts, "write");
    for (enum limit_id i = LIMIT_NONE + 1; i < LIMITS; i++)
        l->limit_at[i] = conf_at(conf_get(conf_get(block, limit_block(i)), limit_name(i)));
}

/* Who may say whose connection it is has to be said: with `proxy_trusted` here or, for all listeners, with
 * `trusted_proxies`. A unix socket has the mode of its file for that. */
static void
read_introducers(struct generation *g, struct listener *l, const struct weir_conf *block)
{
    const struct weir_conf *on = conf_get(block, "proxy_protocol"), *list = conf_find(block, "proxy_trusted");
    bool has_tcp = false;

    l->proxy_protocol = conf_get_int(block, "proxy_protocol");
    if (!l->proxy_protocol) {
        if (list)
            conf_error(list, -1, "`proxy_trusted` says who may send a PROXY header, and `proxy_protocol` is off here");
        return;
    }
    for (const struct weir_conf *b = conf_find(block, "bind"); b; b = conf_next(b))
        has_tcp |= !slice_starts(conf_arg(b, 0), SLICE("unix:"));
    l->introducers = g->trusted;
    l->n_introducers = g->n_trusted;
    if (list) {
        l->introducers = cidrs_build(&g->arena, list, &l->n_introducers);
    } else if (has_tcp && l->n_introducers == 0) {
        conf_error(on, -1, "who may send a PROXY header? name them with `proxy_trusted CIDR...;` beside it");
    }
}

/* Who is connected to a listener. */
struct crowd {
    struct crowd *next;
    struct client_counts *clients;
    _Atomic unsigned open;
    char name[];
};

/* Listeners are few and their names come back: none is ever given up. */
static struct crowd *
crowd_of(const char *name)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct crowd *crowds;
    struct crowd *c;

    pthread_mutex_lock(&lock);
    for (c = crowds; c && strcmp(c->name, name) != 0;)
        c = c->next;
    if (!c) {
        size_t n = strlen(name) + 1;
        c = xcalloc(1, sizeof *c + n);
        memcpy(c->name, name, n);
        c->clients = client_counts_new();
        c->next = crowds;
        crowds = c;
    }
    pthread_mutex_unlock(&lock);
    return c;
}

/* SO_REUSEPORT would let one address be bound twice, and the kernel would deal its connections out at random: also
 * between clients and administrators. */
static void
check_bound_once(const struct weir_conf *line, const struct addr *a, const struct weir_conf *root)
{
    static const char *const blocks[] = { "listener", "admin" };
    struct addr other;
    for (int i = 0; i < 2; i++) {
        for (const struct weir_conf *b = conf_find(root, blocks[i]); b; b = conf_next(b)) {
            for (const struct weir_conf *l = conf_find(b, "bind"); l; l = conf_next(l)) {
                if (l == line)
                    return;
                if (addr_parse(conf_arg(l, 0), &other, NULL) == 0 && addr_equal(&other, a))
                    conf_error(line, 0, "`%s` is bound already: %s", conf_arg(line, 0).p, conf_at(l));
            }
        }
    }
}

static void
check_bind(const struct weir_conf *line, const struct weir_conf *root)
{
    struct addr a;
    struct err e;
    if (addr_parse(conf_arg(line, 0), &a, &e) != 0)
        conf_error(line, 0, "%s", e.text);
    else if (addr_is_unix(&a) || addr_port(&a) != 0)
        check_bound_once(line, &a, root);
}

static void
build_one(struct generation *g, struct listener *l, const struct weir_conf *block)
{
    unsigned n = 0;
    l->name = conf_arg(block, 0).p;
    l->at = conf_at(block);
    l->open = &crowd_of(l->name)->open;
    l->clients = crowd_of(l->name)->clients;
    read_limits(l, block);
    l->down.uri = g->uri;
    tls_build(g, l, block);
    if (l->tls && l->down.http2)
        tls_server_offer_h2(l->tls);
    read_introducers(g, l, block);
    for (const struct weir_conf *b = conf_find(block, "bind"); b; b = conf_next(b))
        n++;
    l->sockets = arena_zalloc(&g->arena, n * sizeof *l->sockets);
    l->binds = arena_zalloc(&g->arena, n * sizeof *l->binds);
    for (const struct weir_conf *b = conf_find(block, "bind"); b; b = conf_next(b)) {
        check_bind(b, conf_parent(block));
        l->binds[l->n_sockets++] = b;
    }
}

void
listeners_build(struct generation *g)
{
    const struct weir_conf *root = conf_root(g->conf);
    unsigned n = 0;
    for (const struct weir_conf *b = conf_find(root, "listener"); b; b = conf_next(b))
        n++;
    g->listeners = arena_zalloc(&g->arena, n * sizeof *g->listeners);
    for (const struct weir_conf *b = conf_find(root, "listener"); b; b = conf_next(b))
        build_one(g, &g->listeners[g->n_listeners++], b);
    for (const struct weir_conf *a = conf_find(root, "admin"); a; a = conf_next(a))
        for (const struct weir_conf *b = conf_find(a, "bind"); b; b = conf_next(b))
            check_bind(b, root);
}

void
listeners_bind(struct generation *g)
{
    for (unsigned i = 0; i < g->n_listeners; i++) {
        struct listener *l = &g->listeners[i];
        for (unsigned k = 0; k < l->n_sockets; k++) {
            struct addr a;
            struct err e = { 0 };
            if (l->sockets[k])
                continue; /* the first generation binds before the workers run, and again when it goes live */
            if (addr_parse(conf_arg(l->binds[k], 0), &a, &e) != 0 ||
                !(l->sockets[k] = listener_open(&a, 1, workers_count(), SOMAXCONN, &e)))
                conf_error(l->binds[k], 0, "%s", e.text);
        }
    }
}

bool
generation_has_socket(const struct generation *g, const struct listener_socket *s)
{
    for (unsigned i = 0; i < g->n_listeners; i++)
        for (unsigned k = 0; k < g->listeners[i].n_sockets; k++)
            if (g->listeners[i].sockets[k] == s)
                return true;
    return false;
}

void
generation_retire_sockets(const struct generation *old, const struct generation *newer)
{
    for (unsigned i = 0; i < old->n_listeners; i++)
        for (unsigned k = 0; k < old->listeners[i].n_sockets; k++)
            if (!generation_has_socket(newer, old->listeners[i].sockets[k]))
                listener_retire(old->listeners[i].sockets[k]);
}

void
listeners_free(struct generation *g)
{
    for (unsigned i = 0; i < g->n_listeners; i++) {
        struct listener *l = &g->listeners[i];
        for (unsigned k = 0; k < l->n_sockets; k++)
            if (l->sockets[k])
                listener_put(l->sockets[k]);
        if (l->tls)
            tls_server_put(l->tls);
    }
}
