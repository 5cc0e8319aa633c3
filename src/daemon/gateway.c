#include "config.h"

#include "gateway.h"

#include "../admin/admin.h"
#include "../base/log.h"
#include "../event/offload.h"
#include "../event/watchdog.h"
#include "../policy/module.h"
#include "../proxy/metrics.h"
#include "../proxy/tls_build.h"
#include "../proxy/worker.h"
#include "daemon_conf.h"
#include "drain.h"
#include "error_log.h"
#include "file_watch.h"
#include "init.h"
#include "live.h"
#include "notify.h"
#include "reload.h"
#include "rights.h"
#include "supervised.h"
#include "trim.h"

#include <signal.h>
#include <stdlib.h>

static struct {
    struct loop *loop;
    struct resolver *resolver;
    nsec_t started_at;
    bool stop_asked; /* by a signal: the next one stops at once */
    struct timer sweep_timer;
    nsec_t warned_at; /* of certificates that run out; monotonic */
    struct signal_watch *signals[5];
} gw;

/* ---- signals ---- */

static void
reload_done_quietly(bool ok, const char *message, void *arg)
{
    (void)ok;
    (void)message;
    (void)arg;
}

static void
on_file_reload_done(bool ok, const char *message, void *arg)
{
    (void)ok;
    (void)message;
    (void)arg;
    file_watch_asked();
}

static void
on_file_change(void)
{
    if (drain_on())
        file_watch_follow(NULL, false);
    else
        reload_ask(on_file_reload_done, NULL);
}

static void
take_signal(int signo)
{
    switch (signo) {
    case SIGHUP:
        reload_ask(reload_done_quietly, NULL);
        break;
    case SIGUSR1:
        access_log_reopen();
        error_log_reopen();
        break;
    case SIGUSR2: /* its default would end the process */
        log_warning(NULL, "SIGUSR2: the binary cannot be exchanged while it runs; restart weir");
        break;
    default:
        /* A drain that was ordered before (preStop, `weir drain`) goes on; only asking again is a reason to cut it. */
        if (gw.stop_asked)
            drain_skip();
        else
            drain_begin();
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

static const struct supervised_events supervised_events = { take_signal, drain_leave };

/* ---- what admin asks ---- */

static nsec_t
started_at(void)
{
    return gw.started_at;
}

static const struct admin_services services = {
    live_current, reload_ask, reload_ask_dry, drain_begin, drain_on, reload_last, started_at,
};

/* ---- life ---- */

static void
register_metrics(void)
{
    static const char *const version[] = { "version" };
    metrics_init();
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

#define SWEEP_EVERY (30 * NSEC_PER_SEC)
#define WARN_EVERY (86400 * NSEC_PER_SEC)
#define STUCK_AFTER (2 * NSEC_PER_SEC) /* of one turn of a loop */

static void
on_sweep(struct timer *t)
{
    keyed_state_sweep(clock_now());
    if (live_current() && clock_now() - gw.warned_at >= WARN_EVERY) {
        tls_warn(live_current());
        gw.warned_at = clock_now();
    }
    timer_after(t, SWEEP_EVERY);
}

/* What the service loop does beside what it is asked for. */
static void
start_housekeeping(void)
{
    static const int signals[] = { SIGHUP, SIGTERM, SIGINT, SIGUSR1, SIGUSR2 };
    drain_init(gw.loop);
    file_watch_init(gw.loop, on_file_change);
    timer_init(&gw.sweep_timer, gw.loop, on_sweep);
    timer_after(&gw.sweep_timer, SWEEP_EVERY);
    gw.warned_at = clock_now(); /* the first configuration has its say when it goes live */
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        gw.signals[i] = signal_watch_new(gw.loop, signals[i], on_signal, NULL);
    init_start(gw.loop);
    notify_start(gw.loop);
    supervised_start(gw.loop, &supervised_events);
}

/* Everything but what a generation holds; also when the start failed half-way. */
static void
gateway_fini(void)
{
    admin_fini();
    file_watch_fini();
    if (gw.resolver)
        resolver_free(gw.resolver);
    watchdog_stop();
    notify_fini();
    error_log_fini();
    init_fini();
    supervised_fini();
    drain_fini();
    timer_fini(&gw.sweep_timer);
    for (size_t i = 0; i < sizeof gw.signals / sizeof *gw.signals; i++)
        signal_watch_free(gw.signals[i]);
    tls_thread_fini(); /* of probes */
    workers_fini();
    stats_fini();
}

int
gateway_start(struct conf *conf, const char *path)
{
    struct err e = { 0 };

    gw.started_at = clock_wall();
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
    reload_init(path, gw.resolver);
    register_metrics();
    admin_init(&services);
    struct generation *g = reload_first(conf);
    if (g && rights_settle(g) != 0) {
        generation_free(g);
        g = NULL;
    }
    if (!g) {
        offload_fini();
        reload_fini();
        gateway_fini();
        return -1;
    }
    if (watchdog_start(STUCK_AFTER) != 0 || workers_start(proxy_worker_start, proxy_worker_stop) != 0) {
        log_error(NULL, "worker threads could not be started: %m");
        return -1;
    }
    reload_go_live(g);
    trim_memory();
    return 0;
}

int
gateway_run(void)
{
    loop_run(gw.loop);
    offload_fini();
    workers_stop();
    supervised_stop();
    /* A reload that was under way comes to its end here, while what it needs is still there. */
    mailbox_drain(worker_get(WORKER_SERVICE)->mailbox);
    log_notice(NULL, "stopped");
    reload_fini();
    loop_last_turn(gw.loop); /* for health checks that were under way */
    gateway_fini();
    return EXIT_SUCCESS;
}
