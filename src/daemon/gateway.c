#include "config.h"

#include "gateway.h"

#include "../base/log.h"
#include "../base/xalloc.h"
#include "../event/offload.h"
#include "../policy/host.h"
#include "../proxy/metrics.h"
#include "../proxy/worker.h"
#include "daemon_conf.h"
#include "load.h"
#include "notify.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* Somebody who waits for a reload. */
struct waiter {
    void (*done)(bool ok, const char *message, void *arg);
    void *arg;
    struct waiter *next;
};

enum drain_phase { DRAIN_NONE, DRAIN_LAG, DRAIN_CLOSING, DRAIN_CUT };

static struct {
    char *path;
    struct loop *loop;
    struct resolver *resolver;
    struct generation *current;
    uint64_t last_id;
    nsec_t started_at;

    struct {
        bool running;
        struct waiter *now, *next; /* served by the load under way; by the one after it */
        struct generation *built;      /* by the helper thread */
        struct generation *publishing; /* on its way to the workers */
        struct strbuf text;
    } reload;
    struct admin_reload last;
    stats_id generation_metric, reload_metric;

    bool ended; /* the service loop runs no more */
    enum drain_phase draining;
    nsec_t drain_deadline;
    struct timer drain_timer;
    struct signal_watch *signals[4];
    int exit_code;
} gw;

/* ---- generations ---- */

static void
free_generation(struct generation *g)
{
    log_info(NULL, "generation %llu is no longer used", (unsigned long long)g->id);
    generation_free(g);
}

static void
stop_generation(struct generation *g)
{
    for (unsigned i = 0; i < g->n_targets; i++)
        cluster_stop(g->targets[i]->cluster);
    for (unsigned i = 0; i < g->n_stores; i++)
        store_stop(g->stores[i]);
}

static void
start_generation(struct generation *g)
{
    for (unsigned i = 0; i < g->n_targets; i++)
        cluster_start(g->targets[i]->cluster, gw.resolver);
    for (unsigned i = 0; i < g->n_stores; i++)
        store_start(g->stores[i], gw.resolver);
    policy_scope_start(&g->scope);
}

static void
set_log_level(const struct generation *g)
{
    static const char *const names[] = { "error", "warning", "notice", "info", "debug" };
    struct slice level = conf_get_str(conf_root(g->conf), "log_level");
    for (int i = 0; i < 5; i++)
        if (slice_eq(level, slice_str(names[i])))
            log_set_level((enum log_level)i);
}

static void reload_end(bool ok, const char *message);

static void
on_published(struct generation *g)
{
    struct generation *old = gw.current;
    char message[64];
    gw.current = g;
    if (g->n_listeners == 0)
        log_warning(NULL, "%s has no `listener`: nobody is served", gw.path);
    stats_gauge_set(gw.generation_metric, (double)g->id);
    set_log_level(g);
    conf_seal(g->conf); /* its texts were for diagnostics */
    if (old) {
        stop_generation(old);
        generation_retire(old, free_generation);
    }
    notify_ready();
    if (gw.reload.publishing == g) {
        gw.reload.publishing = NULL;
        snprintf(message, sizeof message, "generation %llu is live", (unsigned long long)g->id);
        reload_end(true, message);
    }
}

/* Before a generation goes live: sockets first, so that a port that is taken changes nothing. -1: diagnostics are in
 * the tree. */
static int
open_sockets(struct generation *g)
{
    return generation_bind(g) != 0 || admin_follow(g) != 0 ? -1 : 0;
}

static void
go_live(struct generation *g)
{
    start_generation(g);
    proxy_publish(g, on_published);
}

/* ---- reload ---- */

static void reload_begin(void);

static void
reload_record(bool ok, const char *message)
{
    gw.last.ok = ok;
    gw.last.at = clock_wall();
    snprintf(gw.last.message, sizeof gw.last.message, "%s", message);
    stats_gauge_set(gw.reload_metric, ok);
    if (ok)
        log_notice(NULL, "reload: %s", message);
    else
        log_error(NULL, "reload failed, the running configuration stays: %s", message);
    struct waiter *w = gw.reload.now;
    gw.reload.now = NULL;
    while (w) {
        struct waiter *next = w->next;
        w->done(ok, message, w->arg);
        free(w);
        w = next;
    }
}

static void
reload_build(void *arg)
{
    (void)arg;
    strbuf_clear(&gw.reload.text);
    gw.reload.built = load_generation(load_conf(gw.path), gw.last_id + 1, &gw.reload.text);
}

/* The load under way is over: its message goes to all who wait for it, and the next one may begin. */
static void
reload_end(bool ok, const char *message)
{
    gw.reload.running = false;
    notify_reloaded();
    reload_record(ok, message);
    if (gw.reload.next)
        reload_begin();
}

/* Good news are told by on_published: an order is carried out when every worker serves by the new configuration. */
static void
reload_finish(void *arg)
{
    (void)arg;
    struct generation *g = gw.reload.built;
    char message[512];
    gw.reload.built = NULL;
    if (g && (gw.ended || open_sockets(g) != 0)) {
        conf_diagnostics(g->conf, &gw.reload.text);
        generation_free(g);
        g = NULL;
    }
    if (gw.reload.text.n)
        fputs(gw.reload.text.p, stderr);
    if (g) {
        gw.last_id = g->id;
        gw.reload.publishing = g;
        go_live(g);
        return;
    }
    snprintf(message, sizeof message, "%.500s",
             gw.reload.text.n ? gw.reload.text.p : "the configuration could not be built");
    reload_end(false, message);
}

static void
reload_begin(void)
{
    gw.reload.running = true;
    gw.reload.now = gw.reload.next;
    gw.reload.next = NULL;
    notify_reloading();
    if (offload_run(reload_build, reload_finish, NULL) != 0) {
        gw.reload.running = false;
        reload_record(false, "the helper threads are busy; try again");
    }
}

void
gateway_reload(void (*done)(bool ok, const char *message, void *arg), void *arg)
{
    if (gw.draining) {
        done(false, "the daemon is draining", arg);
        return;
    }
    struct waiter *w = xcalloc(1, sizeof *w);
    *w = (struct waiter){ done, arg, gw.reload.next };
    gw.reload.next = w;
    if (!gw.reload.running)
        reload_begin();
}

/* ---- drain and end ---- */

#define DRAIN_LOOK (50 * NSEC_PER_MSEC) /* how often the sessions left are counted */

static void
drain_close(void)
{
    gw.draining = DRAIN_CLOSING;
    gw.drain_deadline = clock_now() + gw.current->drain_timeout;
    proxy_drain();
    timer_after(&gw.drain_timer, DRAIN_LOOK);
}

static void
drain_cut(void)
{
    unsigned left = proxy_sessions();
    if (left)
        log_warning(NULL, "drain: `timeout` passed; closing %u connections", left);
    gw.draining = DRAIN_CUT;
    proxy_abort();
    loop_stop(gw.loop);
}

static void
on_drain_timer(struct timer *t)
{
    if (gw.draining == DRAIN_LAG)
        drain_close();
    else if (proxy_sessions() == 0 || clock_now() >= gw.drain_deadline)
        drain_cut();
    else
        timer_after(t, DRAIN_LOOK);
}

void
gateway_drain(void)
{
    if (gw.draining)
        return;
    log_notice(NULL, "draining");
    notify_stopping();
    gw.draining = DRAIN_LAG;
    proxy_leave();
    timer_after(&gw.drain_timer, gw.current ? gw.current->drain_lag : 0);
}

void
gateway_stop(void)
{
    log_notice(NULL, "stopping at once");
    gw.draining = DRAIN_CUT;
    proxy_abort();
    loop_stop(gw.loop);
}

/* ---- signals ---- */

static void
reload_done_quietly(bool ok, const char *message, void *arg)
{
    (void)ok;
    (void)message;
    (void)arg;
}

static void
on_signal(int signo, void *arg)
{
    (void)arg;
    switch (signo) {
    case SIGHUP:
        gateway_reload(reload_done_quietly, NULL);
        break;
    case SIGUSR1:
        access_log_reopen();
        break;
    default:
        if (gw.draining)
            gateway_stop();
        else
            gateway_drain();
    }
}

/* ---- what admin asks ---- */

static struct generation *
current_generation(void)
{
    return gw.current;
}

static bool
is_draining(void)
{
    return gw.draining != DRAIN_NONE;
}

static const struct admin_reload *
last_reload(void)
{
    return &gw.last;
}

static nsec_t
started_at(void)
{
    return gw.started_at;
}

static const struct admin_services services = {
    current_generation, gateway_reload, gateway_drain, is_draining, last_reload, started_at,
};

/* ---- life ---- */

static void
register_metrics(void)
{
    metrics_init();
    gw.generation_metric = stats_series(
        stats_family("weir_config_generation", STATS_GAUGE, "Number of the live configuration.", NULL, 0, NULL, 0),
        NULL);
    gw.reload_metric =
        stats_series(stats_family("weir_config_last_reload_success", STATS_GAUGE,
                                  "1 when the last load of the configuration succeeded, else 0.", NULL, 0, NULL, 0),
                     NULL);
    stats_gauge_set(gw.reload_metric, 1);
}

static struct generation *
build_first(struct conf *conf)
{
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    struct generation *g = load_generation(conf, gw.last_id = 1, &text);
    if (g && open_sockets(g) != 0) {
        conf_diagnostics(g->conf, &text);
        generation_free(g);
        g = NULL;
    }
    if (text.n)
        fputs(text.p, stderr);
    strbuf_fini(&text);
    return g;
}

/* Everything but what a generation holds; also when the start failed half-way. */
static void
gateway_fini(void)
{
    admin_fini();
    if (gw.resolver)
        resolver_free(gw.resolver);
    timer_fini(&gw.drain_timer);
    for (size_t i = 0; i < sizeof gw.signals / sizeof *gw.signals; i++)
        signal_watch_free(gw.signals[i]);
    workers_fini();
    strbuf_fini(&gw.reload.text);
    free(gw.path);
    stats_fini();
}

int
gateway_start(struct conf *conf, const char *path)
{
    static const int signals[] = { SIGHUP, SIGTERM, SIGINT, SIGUSR1 };
    struct err e = { 0 };

    gw.path = xstrdup(path);
    gw.started_at = clock_wall();
    strbuf_init(&gw.reload.text, 1 << 20);
    if (workers_init(daemon_conf_workers(conf)) != 0 || stats_init(workers_count()) != 0 || offload_init() != 0) {
        log_error(NULL, "threads could not be prepared");
        return -1;
    }
    gw.loop = worker_get(WORKER_SERVICE)->loop;
    gw.resolver = resolver_new(gw.loop, &e);
    if (!gw.resolver) {
        log_error(NULL, "%s", e.text);
        return -1;
    }
    host_set_resolver(gw.resolver);
    timer_init(&gw.drain_timer, gw.loop, on_drain_timer);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        gw.signals[i] = signal_watch_new(gw.loop, signals[i], on_signal, NULL);
    register_metrics();
    admin_init(&services);
    struct generation *g = build_first(conf);
    if (!g) {
        offload_fini();
        gateway_fini();
        return -1;
    }
    if (workers_start(proxy_worker_start, proxy_worker_stop) != 0) {
        log_error(NULL, "worker threads could not be started");
        return -1;
    }
    go_live(g);
    return 0;
}

int
gateway_run(void)
{
    loop_run(gw.loop);
    gw.ended = true;
    offload_fini();
    workers_stop();
    /* A reload that was under way comes to its end here, while what it needs is still there. */
    mailbox_drain(worker_get(WORKER_SERVICE)->mailbox);
    log_notice(NULL, "stopped");
    if (gw.current) {
        stop_generation(gw.current);
        generation_free(gw.current);
    }
    int code = gw.exit_code;
    gateway_fini();
    return code;
}
