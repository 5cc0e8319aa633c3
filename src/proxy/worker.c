#include "worker.h"

#include "../base/log.h"
#include "../base/xalloc.h"
#include "../net/acceptor.h"
#include "../session/down_h1.h"
#include "exchange.h"
#include "metrics.h"
#include "regex.h"

#include <stdlib.h>
#include <unistd.h>

#define TELL_EVERY (10 * NSEC_PER_SEC)

enum refusal_kind { TOO_MANY, TOO_MANY_OF_CLIENT };

struct turned_away { /* connections beyond a limit */
    stats_id metric;
    nsec_t quiet_until;
    unsigned since; /* the last line */
};

/* A listening address as this worker serves it. It outlives generations: sessions point here and so follow reloads. */
struct proxy_listener {
    struct proxy_worker *worker;
    struct listener_socket *socket; /* a reference */
    const struct listener *conf;    /* of worker->gen; NULL once the address has left the configuration */
    struct acceptor *acceptor;      /* NULL: no longer accepting */
    struct generation *left;        /* held while it still accepts who was on the way; NULL: it does not leave */
    struct down_handler handler;
    struct down_source source;
    struct down_conf down;  /* copied: sessions outlive the generation */
    struct tls_server *tls; /* a reference; NULL: plain */
    _Atomic unsigned *open; /* connections of the listener; shared with its other addresses and workers */
    unsigned sessions;      /* of those: through this address, on this worker */
    struct turned_away turned_away[2]; /* by refusal_kind */
    bool seen;              /* while a generation is taken over */
    struct proxy_listener *next;
};

/* Connections of the process: what a drain waits for. */
static _Atomic unsigned connections;

/* ---- the handler that sessions of this listener call ---- */

static void
on_request(struct down_stream *s, void *arg)
{
    struct proxy_listener *l = arg;
    exchange_start(l->worker, s);
}

static void
on_bad_request(struct down_stream *s, enum reason_id reason, const char *detail, void *arg)
{
    struct proxy_listener *l = arg;
    exchange_start_bad(l->worker, s, reason, detail);
}

/* A connection that on_accept has counted is over. */
static void
connection_out(struct proxy_listener *l)
{
    atomic_fetch_sub_explicit(l->open, 1, memory_order_relaxed);
}

static void
count_session(struct proxy_listener *l, int change)
{
    l->sessions += (unsigned)change;
    atomic_fetch_add_explicit(&connections, (unsigned)change, memory_order_relaxed);
    metrics_downstream(change, 0);
}

static void
on_session(int change, void *arg)
{
    struct proxy_listener *l = arg;
    if (change == SESSION_ACTIVE || change == SESSION_IDLE) {
        metrics_downstream(0, change == SESSION_ACTIVE ? 1 : -1);
        return;
    }
    count_session(l, change);
    if (change == SESSION_ENDED) /* on_accept has counted its beginning */
        connection_out(l);
}

static const char *
limit_at(enum limit_id limit, void *arg)
{
    const struct proxy_listener *l = arg;
    return l->conf ? l->conf->limit_at[limit] : NULL;
}

static const struct down_conf *
current_conf(void *arg)
{
    return &((struct proxy_listener *)arg)->down;
}

static const struct down_handler *
current_handler(void *arg)
{
    return &((struct proxy_listener *)arg)->handler;
}

/* Every refused connection is counted; one line in a while says so. */
static void
turn_away(struct proxy_listener *l, enum refusal_kind kind, int fd, const struct addr *peer)
{
    static const enum limit_id limits[] = { LIMIT_CONNECTIONS, LIMIT_CONNECTIONS_PER_CLIENT };
    struct turned_away *t = &l->turned_away[kind];
    enum limit_id limit = limits[kind];
    char ip[ADDR_TEXT_MAX];

    close(fd);
    connection_out(l);
    stats_add(t->metric, 1);
    t->since++;
    if (!l->conf || clock_now() < t->quiet_until)
        return;
    addr_format_ip(peer, ip);
    log_warning(NULL,
                "listener %s: `limits %s` (%u, %s) reached: closing a new connection of %s; %u since the last line",
                l->conf->name, limit_name(limit), kind == TOO_MANY ? l->conf->max_connections : l->conf->max_per_client,
                l->conf->limit_at[limit], ip, t->since);
    t->since = 0;
    t->quiet_until = clock_now() + TELL_EVERY;
}

/* Is there room for one more of this client? Those that trusted_proxies names are many clients each. */
static bool
admit_client(const struct proxy_listener *l, const struct addr *peer, struct client_count **counted)
{
    const struct generation *g = l->worker->gen;
    *counted = NULL;
    if (!l->conf || !l->conf->max_per_client)
        return true;
    if (g->n_trusted && cidr_match(g->trusted, g->n_trusted, peer))
        return true;
    return client_count_take(l->conf->clients, peer, l->conf->max_per_client, counted);
}

/* The client's address is settled. */
static void
serve(struct proxy_listener *l, int fd, const struct addr *peer, const struct addr *local)
{
    struct client_count *counted;
    if (!admit_client(l, peer, &counted)) {
        turn_away(l, TOO_MANY_OF_CLIENT, fd, peer);
        return;
    }
    struct conn *c = conn_accepted(l->worker->worker->loop, fd, peer, local, l->tls);
    if (!c) {
        client_count_give(counted);
        connection_out(l);
        return;
    }
    c->counted = counted;
    down_h1_start(l->worker->sessions, c, &l->source);
}

static void
on_introduced(int fd, const struct addr *peer, const struct addr *local, void *arg)
{
    struct proxy_listener *l = arg;
    if (fd >= 0)
        serve(l, fd, peer, local);
    else
        connection_out(l);
    count_session(l, SESSION_ENDED);
}

/* It counts as a session from now on. */
static void
await_introduction(struct proxy_listener *l, int fd, const struct addr *peer, const struct addr *local)
{
    if (!addr_is_unix(local) && !cidr_match(l->conf->introducers, l->conf->n_introducers, peer)) {
        char text[ADDR_TEXT_MAX];
        addr_format(peer, text);
        log_warning(text, "listener %s: this address may not send a PROXY header here (%s); closing its connection",
                    l->conf->name, l->conf->at);
        close(fd);
        connection_out(l);
        return;
    }
    count_session(l, SESSION_BEGUN);
    proxy_intro_start(l->worker->intros, fd, peer, local, l->down.head_timeout, on_introduced, l);
}

static void
on_accept(int fd, const struct addr *peer, const struct addr *local, void *arg)
{
    struct proxy_listener *l = arg;
    /* Counted before it is compared: two workers do not both take the last place. */
    if (atomic_fetch_add_explicit(l->open, 1, memory_order_relaxed) >= l->conf->max_connections)
        turn_away(l, TOO_MANY, fd, peer);
    else if (l->conf->proxy_protocol)
        await_introduction(l, fd, peer, local);
    else
        serve(l, fd, peer, local);
}

/* ---- following a generation ---- */

static struct proxy_listener *
listener_find(struct proxy_worker *w, const struct listener_socket *s)
{
    for (struct proxy_listener *l = w->listeners; l; l = l->next)
        if (l->socket == s)
            return l;
    return NULL;
}

static struct proxy_listener *
listener_add(struct proxy_worker *w, struct listener_socket *s)
{
    struct proxy_listener *l = xcalloc(1, sizeof *l);
    l->worker = w;
    l->socket = s;
    listener_hold(s);
    l->handler = (struct down_handler){ on_request, on_bad_request, on_session, l, limit_at };
    l->source = (struct down_source){ current_conf, current_handler, l };
    l->next = w->listeners;
    w->listeners = l;
    return l;
}

/* The address may have gone from one listener to another: its connections go with it. */
static void
listener_count(struct proxy_listener *l, _Atomic unsigned *open)
{
    if (l->open)
        atomic_fetch_sub_explicit(l->open, l->sessions, memory_order_relaxed);
    atomic_fetch_add_explicit(open, l->sessions, memory_order_relaxed);
    l->open = open;
}

static void
listener_follow(struct proxy_listener *l, const struct listener *conf)
{
    struct tls_server *old = l->tls;
    l->seen = true;
    l->conf = conf;
    if (l->open != conf->open)
        listener_count(l, conf->open);
    l->down = conf->down;
    l->turned_away[TOO_MANY].metric = metrics_turned_away(conf->name, LIMIT_CONNECTIONS);
    l->turned_away[TOO_MANY_OF_CLIENT].metric = metrics_turned_away(conf->name, LIMIT_CONNECTIONS_PER_CLIENT);
    l->tls = conf->tls;
    if (l->tls)
        tls_server_hold(l->tls);
    if (old)
        tls_server_put(old);
    if (!l->acceptor && !l->worker->draining)
        l->acceptor = acceptor_start(l->worker->worker, l->socket, on_accept, l);
}

/* Nobody comes any more. */
static void
listener_left(void *arg)
{
    struct proxy_listener *l = arg;
    struct generation *g = l->left;
    l->acceptor = NULL;
    l->left = NULL;
    if (g != l->worker->gen)
        l->conf = NULL;
    generation_leave(g);
}

/* The address has left the configuration, which g is the last to have, or the worker ends: whoever is on the way is
 * accepted and served by the routes as they are now, then the socket goes. */
static void
listener_leave(struct proxy_listener *l, struct generation *g)
{
    if (l->left)
        return;
    if (l->acceptor && acceptor_leave(l->acceptor, listener_left)) {
        l->left = g;
        generation_stay(g);
    } else {
        l->acceptor = NULL;
    }
    listener_put(l->socket);
    l->socket = NULL;
}

static void
listener_stop(struct proxy_listener *l)
{
    if (l->acceptor)
        acceptor_stop(l->acceptor);
    l->acceptor = NULL;
    if (l->left)
        listener_left(l);
    listener_put(l->socket);
    l->socket = NULL;
}

static void
listener_free(struct proxy_listener *l)
{
    if (l->tls)
        tls_server_put(l->tls);
    free(l);
}

/* Those of addresses that were left and whose last session is over. */
static void
listeners_sweep(struct proxy_worker *w)
{
    for (struct proxy_listener **at = &w->listeners; *at;) {
        struct proxy_listener *l = *at;
        if (l->socket || l->left || l->sessions) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        listener_free(l);
    }
}

static void
take_generation(struct proxy_worker *w, struct generation *g)
{
    struct generation *old = w->gen;
    listeners_sweep(w);
    w->gen = g;
    for (struct proxy_listener *l = w->listeners; l; l = l->next)
        l->seen = false;
    for (unsigned i = 0; i < g->n_listeners; i++) {
        for (unsigned k = 0; k < g->listeners[i].n_sockets; k++) {
            struct proxy_listener *l = listener_find(w, g->listeners[i].sockets[k]);
            listener_follow(l ? l : listener_add(w, g->listeners[i].sockets[k]), &g->listeners[i]);
        }
    }
    for (struct proxy_listener *l = w->listeners; l; l = l->next) {
        if (l->seen)
            continue;
        listener_leave(l, old);
        if (!l->left)
            l->conf = NULL;
    }
    if (old)
        generation_leave(old);
}

/* ---- messages from the service thread ---- */

struct publication {
    struct generation *g;
    _Atomic unsigned left;
    void (*done)(struct generation *g);
};

static void
publication_done(void *arg)
{
    struct publication *p = arg;
    p->done(p->g);
    free(p);
}

static void
on_publication(void *arg)
{
    struct publication *p = arg;
    take_generation(worker_self()->user, p->g);
    if (atomic_fetch_sub(&p->left, 1) == 1)
        worker_post(WORKER_SERVICE, publication_done, p);
}

void
proxy_publish(struct generation *g, void (*done)(struct generation *g))
{
    struct publication *p = xcalloc(1, sizeof *p);
    unsigned n = workers_count();
    p->g = g;
    p->done = done;
    atomic_store(&p->left, n);
    atomic_store(&g->workers_on, n);
    for (unsigned i = 1; i <= n; i++)
        worker_post(i, on_publication, p);
}

static void
on_leave(void *arg)
{
    (void)arg;
    struct proxy_worker *w = worker_self()->user;
    down_sessions_leave(w->sessions);
}

static void
stop_accepting(struct proxy_worker *w)
{
    w->draining = true;
    for (struct proxy_listener *l = w->listeners; l; l = l->next)
        listener_leave(l, w->gen);
}

static void
on_hand_over(void *arg)
{
    (void)arg;
    struct proxy_worker *w = worker_self()->user;
    stop_accepting(w);
    down_sessions_leave(w->sessions);
}

static void
on_drain(void *arg)
{
    (void)arg;
    struct proxy_worker *w = worker_self()->user;
    stop_accepting(w);
    lasting_drain(w);
    down_sessions_drain(w->sessions);
}

static void
on_abort_all(void *arg)
{
    (void)arg;
    struct proxy_worker *w = worker_self()->user;
    proxy_intros_abort(w->intros);
    down_sessions_abort(w->sessions);
}

static void
post_all(void (*fn)(void *))
{
    for (unsigned i = 1; i <= workers_count(); i++)
        worker_post(i, fn, NULL);
}

void
proxy_leave(void)
{
    post_all(on_leave);
}

void
proxy_hand_over(void)
{
    listener_note_successor();
    post_all(on_hand_over);
}

void
proxy_drain(void)
{
    post_all(on_drain);
}

void
proxy_abort(void)
{
    post_all(on_abort_all);
}

unsigned
proxy_sessions(void)
{
    return atomic_load_explicit(&connections, memory_order_relaxed);
}

/* ---- life ---- */

void
proxy_worker_start(struct worker *worker)
{
    struct proxy_worker *w = xcalloc(1, sizeof *w);
    w->worker = worker;
    TAILQ_INIT(&w->lasting);
    w->intros = proxy_intros_new(worker->loop);
    w->sessions = down_sessions_new(worker->loop);
    w->pool = pool_new(worker->loop);
    worker->user = w;
}

void
proxy_worker_stop(struct worker *worker)
{
    struct proxy_worker *w = worker->user;
    for (struct proxy_listener *l = w->listeners; l; l = l->next)
        listener_stop(l);
    proxy_intros_free(w->intros);
    down_sessions_abort(w->sessions);
    down_sessions_free(w->sessions);
    pool_free(w->pool);
    access_log_flush_all();
    while (w->listeners) {
        struct proxy_listener *l = w->listeners;
        w->listeners = l->next;
        listener_free(l);
    }
    if (w->gen)
        atomic_fetch_sub(&w->gen->workers_on, 1);
    regex_thread_fini();
    tls_thread_fini();
    metrics_thread_fini();
    free(w);
    worker->user = NULL;
}
