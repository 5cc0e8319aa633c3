#include "reload.h"

#include "../base/grant.h"
#include "../base/log.h"
#include "../base/privilege.h"
#include "../base/utf8.h"
#include "../base/xalloc.h"
#include "../event/offload.h"
#include "../net/handover.h"
#include "daemon_conf.h"
#include "drain.h"
#include "error_log.h"
#include "file_watch.h"
#include "live.h"
#include "load.h"
#include "notify.h"
#include "plan.h"
#include "supervised.h"
#include "warm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two kinds of load: one that is published, and a dry one, which only says what the other would do. */
static const struct load_kind {
    void (*build)(void *arg);                  /* on a helper thread */
    void (*finish)(void *arg);                 /* what then comes of it */
    void (*end)(bool ok, const char *message); /* it is over, or cannot begin: message is for all who wait */
} published_load, dry_load;

/* Somebody who waits for a load of that kind. */
struct waiter {
    reload_done done;
    void *arg;
    const struct load_kind *kind;
    struct waiter *next;
};

#define MESSAGE_MAX 65536 /* bytes of what a waiter is told of a failure */
#define PLAN_MAX (64u << 20)

static struct {
    char *path;
    struct resolver *resolver;
    uint64_t last_id;
    bool asked;                   /* root has opened for the load under way what it was denied */
    bool running;                 /* from the first step to publication; the first generation's too */
    const struct load_kind *kind; /* of the load under way */
    struct waiter *now, *next;    /* served by the load under way; by those after it, the latest first */
    struct generation *built;     /* by the helper thread */
    struct conf_files *files;     /* of the load under way; a reference, or NULL */
    bool watch;                   /* of the live generation */
    struct strbuf text, plan;
    struct admin_reload last;
    stats_id result_metric;
} rl;

static void reload_begin(void);
static void reload_end(bool ok, const char *message);

/* ---- publication ---- */

static void
first_is_live(const struct generation *g)
{
    grant_clear();
    unsigned unused = handover_drop_rest();
    if (unused)
        log_warning(NULL, "%u of the sockets that were handed over are no listener's; closed", unused);
    file_watch_follow(conf_files(g->conf), rl.watch);
    log_notice(NULL, "weir is serving with %s", rl.path);
    notify_ready();
    error_log_tell();
    rl.running = false;
    if (rl.next)
        reload_begin();
}

static void
on_live(struct generation *g, bool first)
{
    char message[64];
    rl.watch = conf_get_int(conf_root(g->conf), "watch") != 0;
    if (first) {
        first_is_live(g);
        return;
    }
    error_log_tell();
    snprintf(message, sizeof message, "generation %llu is live", (unsigned long long)g->id);
    reload_end(true, message);
}

/* ---- who waits ---- */

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

/* What the last load has reported, for those who wait. */
static const char *
failure_text(void)
{
    if (rl.text.n == 0)
        return "the configuration could not be built";
    if (rl.text.n > MESSAGE_MAX)
        rl.text.p[MESSAGE_MAX] = '\0';
    return rl.text.p;
}

static void
tell_waiters(bool ok, const char *message)
{
    struct waiter *w = rl.now;
    rl.now = NULL;
    while (w) {
        struct waiter *next = w->next;
        w->done(ok, message, w->arg);
        free(w);
        w = next;
    }
}

static void
reload_record(bool ok, const char *message)
{
    rl.last.ok = ok;
    rl.last.at = clock_wall();
    copy_text(rl.last.message, sizeof rl.last.message, message);
    stats_gauge_set(rl.result_metric, ok);
    if (ok)
        log_notice(NULL, "reload: %s", message);
    else
        log_error(NULL, "reload failed, the running configuration stays: %.*s", (int)strcspn(message, "\n"), message);
    tell_waiters(ok, message);
}

/* ---- a load ---- */

static void
load_over(void)
{
    rl.running = rl.asked = false;
    grant_clear();
    handover_drop_rest(); /* what was opened for it in vain */
}

/* The load under way is over: its message goes to all who wait for it, and the next one may begin. */
static void
reload_end(bool ok, const char *message)
{
    load_over();
    notify_reloaded();
    if (rl.files)
        file_watch_follow(rl.files, rl.watch);
    conf_files_put(rl.files);
    rl.files = NULL;
    reload_record(ok, message);
    if (rl.next)
        reload_begin();
}

static void
check_workers(const struct generation *g)
{
    unsigned n = daemon_conf_workers(g->conf);
    if (n != workers_count())
        log_warning(NULL, "`workers` is %u now; the %u threads that run stay until a restart", n, workers_count());
}

static int
offload_load(void)
{
    return offload_run(rl.kind->build, rl.kind->finish, NULL);
}

/* Whoever waits for a load that cannot begin is told why. */
static void
load_refused(void)
{
    rl.kind->end(false, drain_on() ? "the daemon is draining" : "the helper threads are busy; try again");
}

/* The same load once more, with what root has opened. */
static void
load_again(void)
{
    if (offload_load() != 0)
        load_refused();
}

/* Was it for want of rights that root, in another process, still has? Then it comes again. */
static bool
ask_root(void)
{
    if (rl.asked || !privilege_missed())
        return false;
    rl.asked = supervised_ask(load_again);
    return rl.asked;
}

/* ---- the dry one ---- */

/* The live generation stays as long as this runs: nothing is published meanwhile. */
static void
dry_build(void *arg)
{
    (void)arg;
    strbuf_clear(&rl.text);
    strbuf_clear(&rl.plan);
    struct generation *g = load_generation(load_conf(rl.path), rl.last_id + 1, &rl.text);
    if (!g)
        return;
    if (plan_probe(live_current(), g, rl.asked) == 0) {
        plan_write(live_current(), g, strbuf_slice(&rl.text), &rl.plan);
    } else {
        strbuf_clear(&rl.text);
        conf_diagnostics(g->conf, &rl.text);
    }
    generation_free(g);
}

static void
dry_end(bool ok, const char *message)
{
    load_over();
    tell_waiters(ok, message);
    strbuf_fini(&rl.plan);
    strbuf_fini(&rl.text);
    if (rl.next)
        reload_begin();
}

static void
dry_finish(void *arg)
{
    (void)arg;
    bool ok = rl.plan.n > 0 && !rl.plan.truncated;
    if (rl.plan.n == 0 && !drain_on() && ask_root())
        return;
    if (rl.plan.truncated)
        dry_end(false, "the difference is too long to be told");
    else
        dry_end(ok, ok ? rl.plan.p : failure_text());
}

static const struct load_kind dry_load = { dry_build, dry_finish, dry_end };

/* ---- the one that is published ---- */

static void
reload_build(void *arg)
{
    (void)arg;
    strbuf_clear(&rl.text);
    rl.text.truncated = false;
    struct conf *conf = load_conf(rl.path);
    conf_files_put(rl.files);                     /* of a first try without root */
    rl.files = conf_files_hold(conf_files(conf)); /* also when it is not good */
    rl.built = load_generation(conf, rl.last_id + 1, &rl.text);
}

/* Opens g, or frees it; then NULL, and why is in text, in place of what the load had to say. */
static struct generation *
open_or_free(struct generation *g, struct strbuf *text)
{
    if (!g || live_open(g) == 0)
        return g;
    strbuf_clear(text);
    conf_diagnostics(g->conf, text);
    generation_free(g);
    return NULL;
}

static void
log_diagnostics(const struct strbuf *text, bool good)
{
    if (text->n)
        log_block(good ? LOG_LVL_WARNING : LOG_LVL_ERROR, text->p);
}

static void
give_up(struct generation *g)
{
    warm_undo(g);
    generation_free(g);
}

static void
on_warm(struct generation *g)
{
    if (!drain_on()) {
        live_publish(g, on_live);
        return;
    }
    give_up(g);
    reload_end(false, "the daemon is draining");
}

/* Good news are told by on_live: an order is carried out when every worker serves by the new configuration. */
static void
reload_finish(void *arg)
{
    (void)arg;
    struct generation *g = rl.built;
    rl.built = NULL;
    if (drain_on()) { /* it would open sockets that nobody serves any more */
        if (g)
            generation_free(g);
        reload_end(false, "the daemon is draining");
        return;
    }
    g = open_or_free(g, &rl.text);
    if (!g && ask_root())
        return;
    log_diagnostics(&rl.text, g);
    if (!g) {
        reload_end(false, failure_text());
        return;
    }
    rl.last_id = g->id;
    check_workers(g);
    warm_start(g, rl.resolver, on_warm);
}

static const struct load_kind published_load = { reload_build, reload_finish, reload_end };

/* ---- orders ---- */

/* All who want the same as the one that has waited longest are served by one load. */
static void
take_waiters(void)
{
    struct waiter *later = NULL;
    for (struct waiter *w = rl.next; w; w = w->next)
        rl.kind = w->kind;
    while (rl.next) {
        struct waiter *w = rl.next, **to = w->kind == rl.kind ? &rl.now : &later;
        rl.next = w->next;
        w->next = *to;
        *to = w;
    }
    while (later) { /* in the order in which they were */
        struct waiter *w = later;
        later = w->next;
        w->next = rl.next;
        rl.next = w;
    }
}

static void
reload_begin(void)
{
    rl.running = true;
    take_waiters();
    privilege_missed(); /* not of this load */
    if (rl.kind == &published_load)
        notify_reloading();
    if (offload_load() != 0)
        load_refused();
}

static void
ask(reload_done done, void *arg, const struct load_kind *kind)
{
    if (drain_on()) {
        done(false, "the daemon is draining", arg);
        return;
    }
    struct waiter *w = xcalloc(1, sizeof *w);
    *w = (struct waiter){ done, arg, kind, rl.next };
    rl.next = w;
    if (!rl.running)
        reload_begin();
}

void
reload_ask(reload_done done, void *arg)
{
    ask(done, arg, &published_load);
}

void
reload_ask_dry(reload_done done, void *arg)
{
    ask(done, arg, &dry_load);
}

struct generation *
reload_first(struct conf *conf)
{
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    struct generation *g = open_or_free(load_generation(conf, rl.last_id = 1, &text), &text);
    log_diagnostics(&text, g);
    strbuf_fini(&text);
    return g;
}

/* ---- life ---- */

const struct admin_reload *
reload_last(void)
{
    return &rl.last;
}

void
reload_init(const char *path, struct resolver *resolver)
{
    rl.path = xstrdup(path);
    rl.resolver = resolver;
    strbuf_init(&rl.text, 1 << 20);
    strbuf_init(&rl.plan, PLAN_MAX);
    rl.result_metric =
        stats_series(stats_family("weir_config_last_reload_success", STATS_GAUGE,
                                  "1 when the last load of the configuration succeeded, else 0.", NULL, 0, NULL, 0),
                     NULL);
    stats_gauge_set(rl.result_metric, 1);
    live_init(rl.path, resolver);
}

void
reload_go_live(struct generation *g)
{
    rl.running = true;
    live_publish(g, on_live);
}

void
reload_fini(void)
{
    struct generation *warming = warm_stop();
    if (warming) {
        give_up(warming);
        reload_end(false, "the daemon has ended");
    }
    live_fini();
    strbuf_fini(&rl.text);
    strbuf_fini(&rl.plan);
    conf_files_put(rl.files);
    rl.files = NULL;
    free(rl.path);
    rl.path = NULL;
}
