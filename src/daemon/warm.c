#include "warm.h"

#include "../base/log.h"

#define WARM_AT_MOST (2 * NSEC_PER_SEC)
#define WARM_LOOK (5 * NSEC_PER_MSEC)

static struct {
    struct generation *g; /* NULL: none */
    void (*done)(struct generation *g);
    struct timer timer;
    nsec_t deadline;
} wm;

static void
tell_name(const char *endpoint, void *arg)
{
    log_warning(NULL, "upstream %s: %s has no address yet", (const char *)arg, endpoint);
}

static void
tell_policy(const struct weir_policy *p, void *arg)
{
    (void)arg;
    log_warning(NULL, "%s: what `%s` fetches is not there yet", policy_line(p), policy_name(p));
}

static bool
ready(const struct generation *g)
{
    bool all = policy_scope_warm(&g->scope, NULL, NULL);
    for (unsigned i = 0; i < g->n_targets && all; i++)
        all = cluster_resolved(g->targets[i]->cluster);
    return all;
}

static void
tell_missing(const struct generation *g)
{
    policy_scope_warm(&g->scope, tell_policy, NULL);
    for (unsigned i = 0; i < g->n_targets; i++)
        cluster_unresolved(g->targets[i]->cluster, tell_name, (void *)g->targets[i]->cluster->name);
}

static void
look(void)
{
    struct generation *g = wm.g;
    if (!ready(g) && clock_now() < wm.deadline) {
        timer_after(&wm.timer, WARM_LOOK);
        return;
    }
    tell_missing(g);
    wm.g = NULL;
    timer_fini(&wm.timer);
    wm.done(g);
}

static void
on_time(struct timer *t)
{
    (void)t;
    look();
}

void
warm_start(struct generation *g, struct resolver *r, void (*done)(struct generation *g))
{
    wm.g = g;
    wm.done = done;
    wm.deadline = clock_now() + WARM_AT_MOST;
    timer_init(&wm.timer, worker_get(WORKER_SERVICE)->loop, on_time);
    for (unsigned i = 0; i < g->n_targets; i++)
        cluster_resolve(g->targets[i]->cluster, r);
    look();
}

void
warm_undo(struct generation *g)
{
    for (unsigned i = 0; i < g->n_targets; i++)
        cluster_unresolve(g->targets[i]->cluster);
}

struct generation *
warm_stop(void)
{
    struct generation *g = wm.g;
    if (g)
        timer_fini(&wm.timer);
    wm.g = NULL;
    return g;
}
