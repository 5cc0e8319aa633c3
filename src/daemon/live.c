#include "live.h"

#include "../admin/admin.h"
#include "../base/log.h"
#include "../proxy/tls_build.h"
#include "../proxy/worker.h"
#include "error_log.h"
#include "trim.h"

static struct {
    const char *path;
    struct resolver *resolver;
    struct generation *current;
    live_done done; /* of the publication under way */
    stats_id metric;
} lv;

/* ---- what a generation has that runs ---- */

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
        cluster_start(g->targets[i]->cluster, lv.resolver);
    for (unsigned i = 0; i < g->n_stores; i++)
        store_start(g->stores[i], lv.resolver);
    policy_scope_start(&g->scope);
}

static void
free_generation(struct generation *g)
{
    log_info(NULL, "generation %llu is no longer used", (unsigned long long)g->id);
    generation_free(g);
    trim_memory(); /* what it took lies between things that stay, in the heap of the thread that built it */
}

/* ---- publication ---- */

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

int
live_open(struct generation *g)
{
    return generation_open(g) != 0 || admin_follow(g) != 0 ? -1 : error_log_follow(g->conf);
}

static void
on_published(struct generation *g)
{
    struct generation *old = lv.current;
    lv.current = g;
    if (g->n_listeners == 0)
        log_warning(NULL, "%s has no `listener`: nobody is served", lv.path);
    stats_gauge_set(lv.metric, (double)g->id);
    set_log_level(g);
    conf_seal(g->conf); /* its texts were for diagnostics */
    log_addresses(g, old, "serving");
    tls_warn(g);
    if (old) {
        log_addresses(old, g, "leaving");
        stop_generation(old);
        generation_retire(old, free_generation);
    }
    lv.done(g, !old);
}

void
live_publish(struct generation *g, live_done done)
{
    lv.done = done;
    if (lv.current)
        generation_retire_sockets(lv.current, g);
    start_generation(g);
    proxy_publish(g, on_published);
}

/* ---- life ---- */

struct generation *
live_current(void)
{
    return lv.current;
}

/* On the service thread, as is every answer of admin. */
static void
collect_certificates(struct strbuf *out, void *arg)
{
    (void)arg;
    if (lv.current)
        tls_expose(lv.current, out);
}

void
live_init(const char *path, struct resolver *resolver)
{
    lv.path = path;
    lv.resolver = resolver;
    lv.metric = stats_series(
        stats_family("weir_config_generation", STATS_GAUGE, "Number of the live configuration.", NULL, 0, NULL, 0),
        NULL);
    stats_add_collector(collect_certificates, NULL);
}

void
live_fini(void)
{
    if (lv.current) {
        stop_generation(lv.current);
        generation_free(lv.current);
        lv.current = NULL;
    }
}
