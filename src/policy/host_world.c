/* The part of the host table that reaches beyond the exchange: clock, random, log, metrics, threads, timers, stores. */
#include "host.h"
#include "run.h"
#include "self_loop.h"

#include "../base/hash.h"
#include "../base/log.h"
#include "../base/random.h"
#include "../base/xalloc.h"
#include "../stats/stats.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

/* ---- clock, random, hash ---- */

static int64_t
host_now(void)
{
    return clock_now();
}

static int64_t
host_wall(void)
{
    return clock_wall();
}

static uint64_t
host_hash(struct weir_str s)
{
    return hash_stable(slice_of_str(s));
}

/* ---- log and metrics ---- */

static void __attribute__((format(printf, 3, 4))) host_log(int level, const char *subject, const char *fmt, ...)
{
    static struct log_site sites[LOG_LVL_DEBUG + 1]; /* one budget per level for all modules */
    enum log_level lvl = level < 0 ? LOG_LVL_ERROR : level > LOG_LVL_DEBUG ? LOG_LVL_DEBUG : (enum log_level)level;
    char text[1024];
    va_list ap;

    if (lvl > log_get_level())
        return;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    log_write(&sites[lvl], lvl, subject, "%s", text);
}

struct weir_metric {
    stats_id id;
    char kind;
    unsigned users;    /* under the lock */
    UT_hash_handle hh; /* by id */
};

/* Handles of metrics; as many as modules ever had series at one time, for the life of the process: a series' number is
 * used again, and its handle with it. */
static struct {
    pthread_mutex_t lock;
    struct weir_metric *metrics;
} handles = { PTHREAD_MUTEX_INITIALIZER, NULL };

static struct weir_metric *
handle_of(struct stats_family *f, const struct slice *values, char kind)
{
    struct weir_metric *m;
    stats_id id;

    pthread_mutex_lock(&handles.lock);
    id = stats_series(f, values);
    HASH_FIND(hh, handles.metrics, &id, sizeof(id), m);
    if (!m) {
        m = xcalloc(1, sizeof(*m));
        m->id = id;
        HASH_ADD(hh, handles.metrics, id, sizeof(m->id), m);
    }
    if (m->users++ == 0) /* workers read it from then on */
        m->kind = kind;
    pthread_mutex_unlock(&handles.lock);
    return m;
}

static struct weir_metric *
host_metric(char kind, const char *name, const char *help, const char *const *labels, const struct weir_str *values,
            unsigned n)
{
    struct slice v[STATS_LABELS_MAX];
    struct stats_family *f;

    n = n < STATS_LABELS_MAX ? n : STATS_LABELS_MAX;
    for (unsigned i = 0; i < n; i++)
        v[i] = slice_of_str(values[i]);
    f = stats_family(name, kind == 'g' ? STATS_GAUGE : STATS_COUNTER, help, labels, n, NULL, 0);
    return handle_of(f, v, kind == 'g' ? 'g' : 'c');
}

static void
host_metric_add(struct weir_metric *m, int64_t n)
{
    if (m->kind == 'g')
        stats_gauge_add(m->id, n);
    else if (n > 0)
        stats_add(m->id, (uint64_t)n);
}

static void
host_metric_set(struct weir_metric *m, double v)
{
    if (m->kind == 'g')
        stats_gauge_set(m->id, v);
}

static void
host_metric_put(struct weir_metric *m)
{
    bool last;

    if (!m)
        return;
    pthread_mutex_lock(&handles.lock);
    last = m->users > 0 && --m->users == 0;
    if (last && m->id)
        stats_drop_series(m->id);
    pthread_mutex_unlock(&handles.lock);
}

/* ---- threads ---- */

struct loop *
self_loop(void)
{
    struct worker *w = worker_self();
    struct loop *l = w ? w->loop : loop_current();

    if (!l && (w = worker_get(WORKER_SERVICE)))
        l = w->loop; /* the thread that starts a generation before its loop runs */
    return l;
}

struct weir_timer {
    struct timer timer;
    void (*fn)(void *);
    void *arg;
};

static void
timer_end(struct weir_timer *t)
{
    struct loop *l = t->timer.loop;

    timer_fini(&t->timer);
    loop_defer_free(l, free, t);
}

static void
on_timer(struct timer *timer)
{
    struct weir_timer *t = (struct weir_timer *)timer;

    timer_end(t); /* freed after this turn: its function may not cancel it any more */
    t->fn(t->arg);
}

static struct weir_timer *
host_timer_after(int64_t ns, void (*fn)(void *), void *arg)
{
    struct weir_timer *t = xcalloc(1, sizeof(*t));

    t->fn = fn;
    t->arg = arg;
    timer_init(&t->timer, self_loop(), on_timer);
    timer_after(&t->timer, ns > 0 ? ns : 0);
    return t;
}

static void
host_timer_cancel(struct weir_timer *t)
{
    if (t)
        timer_end(t);
}

/* ---- stores ---- */

static void
wait_unlink(struct store_wait *w)
{
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
}

static void
on_store_done(const struct weir_store_reply *reply, void *arg)
{
    struct store_wait *w = arg;
    struct policy_run *run = w->run;
    struct link_run *before = run->current;

    wait_unlink(w);
    run->current = w->who; /* slots and notes are those of the policy that asked */
    w->done(reply, w->arg);
    run->current = before;
}

static struct weir_call *
host_store_eval(struct weir_exchange *x, struct weir_str store, const char *script, struct weir_str key,
                const struct weir_str *args, unsigned n, weir_store_done done, void *arg)
{
    struct policy_run *run = x->run;
    struct store_wait *w;

    if (x->explaining || !x->services || !x->services->store_eval || run->finished)
        return NULL;
    w = arena_zalloc(x->arena, sizeof(*w));
    w->run = run;
    w->who = run->current;
    w->done = done;
    w->arg = arg;
    w->call = x->services->store_eval(x, store, script, key, args, n, on_store_done, w);
    if (!w->call)
        return NULL;
    w->next = run->waits;
    w->link = &run->waits;
    if (w->next)
        w->next->link = &w->next;
    run->waits = w;
    return (struct weir_call *)w;
}

void
host_fill_world(struct weir_host *h)
{
    h->now = host_now;
    h->wall = host_wall;
    h->random = random_u64;
    h->random_bytes = random_bytes;
    h->hash = host_hash;
    h->log = host_log;
    h->metric = host_metric;
    h->metric_add = host_metric_add;
    h->metric_set = host_metric_set;
    h->metric_put = host_metric_put;
    h->worker = worker_self_id;
    h->post = worker_post;
    h->timer_after = host_timer_after;
    h->timer_cancel = host_timer_cancel;
    h->store_eval = host_store_eval;
}
