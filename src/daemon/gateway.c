#include "config.h"

#include "gateway.h"

#include "../base/log.h"
#include "../base/utf8.h"
#include "../base/xalloc.h"
#include "../event/offload.h"
#include "../event/watchdog.h"
#include "../net/handover.h"
#include "../policy/module.h"
#include "../proxy/metrics.h"
#include "../proxy/worker.h"
#include "daemon_conf.h"
#include "load.h"
#include "notify.h"
#include "supervised.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        bool running;              /* from the first step to publication; the first generation's too */
        struct waiter *now, *next; /* served by the load under way; by the one after it */
        struct generation *built;  /* by the helper thread */
        struct strbuf text;
    } reload;
    struct admin_reload last;
    stats_id generation_metric, reload_metric;

    bool stop_asked; /* by a signal: the next one stops at once */
    enum drain_phase draining;
    nsec_t drain_deadline;
    struct timer drain_timer, sweep_timer;
    struct signal_watch *signals[5];
} gw;

/* ---- generations ---- */

static void
free_generation(struct generation *g)
{
    log_info(NULL, "generation %llu is no longer used", (unsigned long long)g->id);
    generation_free(g);
    malloc_trim(0); /* what it took lies between things that stay, in the heap of the thread that built it */
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

/* Those of g that `other` has not (NULL: all). */
static void
log_addresses(const struct generation *g, const struct generation *other, const char *what)
{
    char text[ADDR_TEXT_MAX];
    for (unsigned i = 0; i < g->n_listeners; i++) {
        const struct listener *l = &g->listeners[i];
        for (unsigned k = 0; k < l->n_sockets; k++) {
            if (other && generation_has_socket(other, l->sockets[k]))
                continue;
            addr_format(listener_addr(l->sockets[k]), text);
            log_notice(NULL, "listener %s: %s %s%s", l->name, what, text, l->tls ? " (TLS)" : "");
        }
    }
}

static void reload_begin(void);
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
    log_addresses(g, old, "serving");
    if (old) {
        log_addresses(old, g, "leaving");
        stop_generation(old);
        generation_retire(old, free_generation);
        snprintf(message, sizeof message, "generation %llu is live", (unsigned long long)g->id);
        reload_end(true, message);
        return;
    }
    unsigned unused = handover_drop_rest();
    if (unused)
        log_warning(NULL, "%u of the sockets that were handed over are no listener's; closed", unused);
    log_notice(NULL, "weir is serving with %s", gw.path);
    notify_ready();
    gw.reload.running = false;
    if (gw.reload.next)
        reload_begin();
}

/* Sockets before anything else, so that a port that is taken changes nothing. -1: diagnostics are in the tree. */
static int
open_sockets(struct generation *g)
{
    return generation_open(g) != 0 ? -1 : admin_follow(g);
}

static void
go_live(struct generation *g)
{
    if (gw.current)
        generation_retire_sockets(gw.current, g);
    start_generation(g);
    proxy_publish(g, on_published);
}

/* ---- reload ---- */

/* As much of a text as fits, without half a character at its end: it goes into JSON. */
static void
copy_text(char *out, size_t room, const char *text)
{
    int n = snprintf(out, room, "%s", text);
    size_t len = n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
    while (len > 0 && !utf8_valid(out, len))
        len--;
    out[len] = '\0';
}

static void
reload_record(bool ok, const char *message)
{
    gw.last.ok = ok;
    gw.last.at = clock_wall();
    copy_text(gw.last.message, sizeof gw.last.message, message);
    stats_gauge_set(gw.reload_metric, ok);
    if (ok)
        log_notice(NULL, "reload: %s", message);
    else
        log_error(NULL, "reload failed, the running configuration stays: %.*s", (int)strcspn(message, "\n"), message);
    struct waiter *w = gw.reload.now;
    gw.reload.now = NULL;
    while (w) {
        struct waiter *next = w->next;
        w->done(ok, gw.last.message, w->arg);
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

static void
check_workers(const struct generation *g)
{
    unsigned n = daemon_conf_workers(g->conf);
    if (n != workers_count())
        log_warning(NULL, "`workers` is %u now; the %u threads that run stay until a restart", n, workers_count());
}

/* Good news are told by on_published: an order is carried out when every worker serves by the new configuration. */
static void
reload_finish(void *arg)
{
    (void)arg;
    struct generation *g = gw.reload.built;
    struct strbuf *text = &gw.reload.text;
    gw.reload.built = NULL;
    if (gw.draining) { /* it would open sockets that nobody serves any more */
        if (g)
            generation_free(g);
        reload_end(false, "the daemon is draining");
        return;
    }
    bool open = g && open_sockets(g) == 0;
    if (g && !open) {
        strbuf_clear(text);
        conf_diagnostics(g->conf, text);
        generation_free(g);
    }
    if (text->n)
        fputs(text->p, stderr);
    if (!open) {
        reload_end(false, text->n ? text->p : "the configuration could not be built");
        return;
    }
    gw.last_id = g->id;
    check_workers(g);
    go_live(g);
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
        notify_reloaded();
        reload_record(false, gw.draining ? "the daemon is draining" : "the helper threads are busy; try again");
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
    gw.drain_deadline = clock_now() + (gw.current ? gw.current->drain_timeout : 0);
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

/* A successor has the sockets, or there is nobody to hold them: what is under way is finished. */
static void
leave(bool successor)
{
    if (gw.draining >= DRAIN_CLOSING)
        return;
    if (successor)
        log_notice(NULL, "a successor serves; finishing what is under way");
    admin_leave();
    proxy_hand_over();
    gw.draining = DRAIN_LAG; /* clients with an idle connection learn of it by their next answer, if they ask in time */
    timer_after(&gw.drain_timer, gw.current ? gw.current->drain_lag : 0);
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
take_signal(int signo)
{
    switch (signo) {
    case SIGHUP:
        gateway_reload(reload_done_quietly, NULL);
        break;
    case SIGUSR1:
        access_log_reopen();
        break;
    case SIGUSR2: /* its default would end the process */
        log_warning(NULL, "SIGUSR2: the binary cannot be exchanged while it runs; restart weir");
        break;
    default:
        /* A drain that was ordered before (preStop, `weir drain`) goes on; only asking again is a reason to cut it. */
        if (gw.stop_asked)
            gateway_stop();
        else
            gateway_drain();
        gw.stop_asked = true;
    }
}

static void
on_signal(int signo, void *arg)
{
    (void)arg;
    if (supervised())
        log_info(NULL, "signal %d is the supervisor's to obey", signo); /* it got it too, or it should have */
    else
        take_signal(signo);
}

static const struct supervised_events supervised_events = { take_signal, leave };

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
    static const char *const version[] = { "version" };
    metrics_init();
    gw.generation_metric = stats_series(
        stats_family("weir_config_generation", STATS_GAUGE, "Number of the live configuration.", NULL, 0, NULL, 0),
        NULL);
    gw.reload_metric =
        stats_series(stats_family("weir_config_last_reload_success", STATS_GAUGE,
                                  "1 when the last load of the configuration succeeded, else 0.", NULL, 0, NULL, 0),
                     NULL);
    stats_gauge_set(gw.reload_metric, 1);
    stats_gauge_set(
        stats_series(stats_family("weir_start_time_seconds", STATS_GAUGE,
                                  "When the process started, in seconds since the epoch.", NULL, 0, NULL, 0),
                     NULL),
        (double)gw.started_at / (double)NSEC_PER_SEC);
    stats_gauge_set(stats_series(stats_family("weir_build_info", STATS_GAUGE, "Always 1; the version is the label.",
                                              version, 1, NULL, 0),
                                 (struct slice[]){ SLICE(PACKAGE_VERSION) }),
                    1);
}

/* The first generation with its sockets. NULL: the reasons were printed. */
static struct generation *
build_first(struct conf *conf)
{
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    struct generation *g = load_generation(conf, gw.last_id = 1, &text);
    if (g && open_sockets(g) != 0) {
        strbuf_clear(&text);
        conf_diagnostics(g->conf, &text);
        generation_free(g);
        g = NULL;
    }
    if (text.n)
        fputs(text.p, stderr);
    strbuf_fini(&text);
    return g;
}

#define SWEEP_EVERY (30 * NSEC_PER_SEC)
#define STUCK_AFTER (2 * NSEC_PER_SEC) /* of one turn of a loop */

static void
on_sweep(struct timer *t)
{
    keyed_state_sweep(clock_now());
    timer_after(t, SWEEP_EVERY);
}

/* What the service loop does beside what it is asked for. */
static void
start_housekeeping(void)
{
    static const int signals[] = { SIGHUP, SIGTERM, SIGINT, SIGUSR1, SIGUSR2 };
    timer_init(&gw.drain_timer, gw.loop, on_drain_timer);
    timer_init(&gw.sweep_timer, gw.loop, on_sweep);
    timer_after(&gw.sweep_timer, SWEEP_EVERY);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        gw.signals[i] = signal_watch_new(gw.loop, signals[i], on_signal, NULL);
    notify_start(gw.loop);
    supervised_start(gw.loop, &supervised_events);
}

/* Everything but what a generation holds; also when the start failed half-way. */
static void
gateway_fini(void)
{
    admin_fini();
    if (gw.resolver)
        resolver_free(gw.resolver);
    watchdog_stop();
    notify_fini();
    supervised_fini();
    timer_fini(&gw.drain_timer);
    timer_fini(&gw.sweep_timer);
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
    struct err e = { 0 };

    gw.path = xstrdup(path);
    gw.started_at = clock_wall();
    strbuf_init(&gw.reload.text, 1 << 20);
    if (workers_init(daemon_conf_workers(conf)) != 0 || stats_init(workers_count()) != 0 || offload_init() != 0) {
        log_error(NULL, "threads could not be prepared: %m");
        return -1;
    }
    gw.loop = worker_get(WORKER_SERVICE)->loop;
    gw.resolver = resolver_new(gw.loop, &e);
    if (!gw.resolver) {
        log_error(NULL, "%s", e.text);
        return -1;
    }
    host_set_resolver(gw.resolver);
    start_housekeeping();
    register_metrics();
    admin_init(&services);
    struct generation *g = build_first(conf);
    if (!g) {
        offload_fini();
        gateway_fini();
        return -1;
    }
    if (watchdog_start(STUCK_AFTER) != 0 || workers_start(proxy_worker_start, proxy_worker_stop) != 0) {
        log_error(NULL, "worker threads could not be started: %m");
        return -1;
    }
    gw.reload.running = true;
    go_live(g);
    return 0;
}

int
gateway_run(void)
{
    loop_run(gw.loop);
    offload_fini();
    workers_stop();
    /* A reload that was under way comes to its end here, while what it needs is still there. */
    mailbox_drain(worker_get(WORKER_SERVICE)->mailbox);
    log_notice(NULL, "stopped");
    if (gw.current) {
        stop_generation(gw.current);
        generation_free(gw.current);
        gw.current = NULL;
    }
    gateway_fini();
    return EXIT_SUCCESS;
}
