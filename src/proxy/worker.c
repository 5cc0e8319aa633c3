#include "worker.h"

#include "../base/log.h"
#include "../base/xalloc.h"
#include "exchange.h"
#include "metrics.h"
#include "regex.h"

#include <stdlib.h>
#include <unistd.h>

/* A listening address as this worker serves it. It outlives generations: sessions point here and so follow reloads. */
struct proxy_listener {
    struct proxy_worker *worker;
    struct listener_socket *socket; /* a reference */
    const struct listener *conf;    /* of worker->gen; NULL once the address has left the configuration */
    struct acceptor *acceptor;      /* NULL: no longer accepting */
    struct down_handler handler;
    struct down_source source;
    struct down_conf down;  /* copied: sessions outlive the generation */
    struct tls_server *tls; /* a reference; NULL: plain */
    _Atomic unsigned *open; /* connections of the listener; shared with its other addresses and workers */
    unsigned sessions;      /* of those: through this address, on this worker */
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

static void
on_session(int change, void *arg)
{
    struct proxy_listener *l = arg;
    if (change == SESSION_ACTIVE || change == SESSION_IDLE) {
        metrics_downstream(0, change == SESSION_ACTIVE ? 1 : -1);
        return;
    }
    l->sessions += (unsigned)change;
    atomic_fetch_add_explicit(l->open, (unsigned)change, memory_order_relaxed);
    atomic_fetch_add_explicit(&connections, (unsigned)change, memory_order_relaxed);
    metrics_downstream(change, 0);
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

/* The client's address is settled. */
static void
serve(struct proxy_listener *l, int fd, const struct addr *peer, const struct addr *local)
{
    struct conn *c = conn_accepted(l->worker->worker->loop, fd, peer, local, l->tls);
    if (c)
        down_h1_start(l->worker->sessions, c, &l->source);
}

static void
on_introduced(int fd, const struct addr *peer, const struct addr *local, void *arg)
{
    struct proxy_listener *l = arg;
    if (fd >= 0)
        serve(l, fd, peer, local);
    on_session(SESSION_ENDED, l);
}

/* It counts as a connection from now on. */
static void
await_introduction(struct proxy_listener *l, int fd, const struct addr *peer, const struct addr *local)
{
    if (!addr_is_unix(local) && !cidr_match(l->conf->introducers, l->conf->n_introducers, peer)) {
        char text[ADDR_TEXT_MAX];
        addr_format(peer, text);
        log_warning(text, "listener %s: this address may not send a PROXY header here (%s); closing its connection",
                    l->conf->name, l->conf->at);
        close(fd);
        return;
    }
    on_session(SESSION_BEGUN, l);
    proxy_intro_start(l->worker->intros, fd, peer, local, l->down.head_timeout, on_introduced, l);
}

static void
on_accept(int fd, const struct addr *peer, const struct addr *local, void *arg)
{
    struct proxy_listener *l = arg;
    if (atomic_load_explicit(l->open, memory_order_relaxed) >= l->conf->max_connections) {
        log_warning(NULL, "listener %s: `limits connections=%u` reached (%s); closing a new connection", l->conf->name,
                    l->conf->max_connections, l->conf->at);
        close(fd);
        return;
    }
    if (l->conf->proxy_protocol)
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
    l->handler = (struct down_handler){ on_request, on_bad_request, on_session, l };
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
    l->tls = conf->tls;
    if (l->tls)
        tls_server_hold(l->tls);
    if (old)
        tls_server_put(old);
    if (!l->acceptor && !l->worker->draining)
        l->acceptor = acceptor_start(l->worker->worker, l->socket, on_accept, l);
}

/* The address left the configuration: what is queued is accepted and served by the routes as they are now, then the
 * socket goes. */
static void
listener_leave(struct proxy_listener *l)
{
    if (l->acceptor)
        acceptor_stop(l->acceptor);
    l->acceptor = NULL;
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
        if (l->socket || l->sessions) {
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
        listener_leave(l);
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
        listener_leave(l);
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
        listener_leave(l);
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
    metrics_thread_fini();
    free(w);
    worker->user = NULL;
}
