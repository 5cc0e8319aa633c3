#include "state.h"
#include "../base/hash.h"
#include "../base/log.h"
#include "../base/xalloc.h"
#include "finder.h"
#include "lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct {
    pthread_mutex_t lock;
    struct store_state *first; /* newest first */
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* For a worker; holds st. */
struct message {
    struct store_state *st;
    unsigned id;
    struct store_map *map;
};

static void
post(struct store_state *st, unsigned id, void (*fn)(void *), struct store_map *map)
{
    struct message *m = xmalloc(sizeof(*m));

    *m = (struct message){ st, id, map };
    store_state_hold(st);
    worker_post(id, fn, m);
}

/* ------------------------------------------------------------------ metrics */

static const char *const error_names[] = {
    [STORE_TIMEOUT] = "timeout", [STORE_UNAVAILABLE] = "unavailable", [STORE_SERVER] = "server"
};

/* One line for each name: the newest state of it that is in use. */
static void
expose_up(struct strbuf *out, void *arg)
{
    static const char *const labels[] = { "store" };
    const struct store_state *st, *newer;
    nsec_t latency;

    pthread_mutex_lock(&registry.lock);
    if (registry.first)
        stats_expose_head(out, "weir_store_up", "gauge", "1 while the store answers, else 0.");
    for (st = registry.first; st; st = st->next) {
        struct slice name = slice_str(st->name);

        for (newer = registry.first; newer != st && strcmp(newer->name, st->name) != 0; newer = newer->next)
            ;
        if (newer == st)
            stats_expose_value(out, "weir_store_up", labels, &name, 1, state_status(st, &latency) == LANE_UP);
    }
    pthread_mutex_unlock(&registry.lock);
}

static void
declare_metrics(struct store_state *st)
{
    static const double buckets[] = { 0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5 };
    static const char *const labels[] = { "store", "error" };
    struct slice values[2] = { slice_str(st->name) };
    struct stats_family *errors, *latency;
    unsigned i;

    errors =
        stats_family("weir_store_errors_total", STATS_COUNTER, "Commands to a store that failed.", labels, 2, NULL, 0);
    for (i = 0; i < STORE_ERRORS; i++) {
        values[1] = slice_str(error_names[i]);
        st->errors[i] = stats_series(errors, values);
    }
    latency = stats_family("weir_store_latency_seconds", STATS_HISTOGRAM, "Time from a command to its answer.", labels,
                           1, buckets, sizeof(buckets) / sizeof(buckets[0]));
    st->latency = stats_series(latency, values);
}

/* ------------------------------------------------------------------ registry */

/* A new certificate file under the old path is another store. */
static char *
make_key(const struct state_settings *s, struct arena *arena)
{
    struct stat file = { 0 };

    if (s->ca.n && stat(s->ca.p, &file) < 0)
        file.st_size = -1;
    return (char *)arena_printf(arena, "%.*s\n%.*s\n%.*s\n%d %lld %lld.%ld", SLICE_FMT(s->name), SLICE_FMT(s->url),
                                SLICE_FMT(s->ca), s->verify, (long long)file.st_size, (long long)file.st_mtim.tv_sec,
                                file.st_mtim.tv_nsec)
        .p;
}

static void
state_free(struct store_state *st)
{
    explicit_bzero(st->key, strlen(st->key));
    tls_client_put(st->tls);
    map_put(st->map);
    pthread_mutex_destroy(&st->lock);
    arena_fini(&st->arena);
    free(st);
}

static void
set_server_name(struct store_state *st)
{
    unsigned i;

    /* Servers that a sentinel or cluster names by address have certificates for a name near that of the hosts listed.
     */
    for (i = 0; i < st->url.n_hosts && !st->server_name.n; i++) {
        if (!st->url.hosts[i].literal)
            st->server_name = st->url.hosts[i].name;
    }
}

static struct store_state *
state_new(const struct state_settings *s, struct err *e)
{
    struct store_state *st = xcalloc(1, sizeof(*st));

    arena_init(&st->arena);
    pthread_mutex_init(&st->lock, NULL);
    atomic_init(&st->holds, 1);
    st->key = make_key(s, &st->arena);
    st->name = arena_slice(&st->arena, s->name).p;
    st->subject = arena_printf(&st->arena, "store %s", st->name).p;
    store_url_parse(arena_slice(&st->arena, s->url), &st->arena, &st->url); /* it was checked */
    set_server_name(st);
    if (st->url.tls) {
        struct tls_client_conf tls = { .ca = s->ca.n ? s->ca.p : NULL, .verify = s->verify };
        enum tls_part part;

        st->tls = tls_client_new(&tls, e, &part);
        if (!st->tls) {
            state_free(st);
            return NULL;
        }
    }
    if (st->url.kind == STORE_SINGLE && st->url.n_hosts && st->url.hosts[0].literal)
        st->map = map_new_single(&st->url.hosts[0].addr, 1);
    declare_metrics(st);
    return st;
}

static struct store_state *
find(const char *key)
{
    struct store_state *st = registry.first;

    while (st && strcmp(st->key, key) != 0)
        st = st->next;
    return st;
}

struct store_state *
store_state_get(const struct state_settings *s, struct err *e)
{
    struct store_state *st;
    struct arena arena;
    char *key;

    arena_init(&arena);
    key = make_key(s, &arena);
    pthread_mutex_lock(&registry.lock);
    st = find(key);
    if (!st) {
        st = state_new(s, e);
        if (st) {
            if (!registry.first)
                stats_add_collector(expose_up, NULL);
            st->next = registry.first;
            registry.first = st;
        }
    }
    if (st)
        st->users++;
    pthread_mutex_unlock(&registry.lock);
    explicit_bzero(key, strlen(key));
    arena_fini(&arena);
    return st;
}

void
store_state_hold(struct store_state *st)
{
    atomic_fetch_add_explicit(&st->holds, 1, memory_order_relaxed);
}

void
store_state_put(struct store_state *st)
{
    if (atomic_fetch_sub_explicit(&st->holds, 1, memory_order_acq_rel) == 1)
        state_free(st);
}

static void
close_lane(void *arg)
{
    struct message *m = arg;
    struct lane *l = m->st->lanes[m->id];

    m->st->lanes[m->id] = NULL;
    if (l)
        lane_free(l);
    store_state_put(m->st);
    free(m);
}

static bool
unregister(struct store_state *st)
{
    struct store_state **link = &registry.first;
    bool last;

    pthread_mutex_lock(&registry.lock);
    last = --st->users == 0;
    if (last) {
        while (*link != st)
            link = &(*link)->next;
        *link = st->next;
        if (!registry.first)
            stats_del_collector(expose_up, NULL);
    }
    pthread_mutex_unlock(&registry.lock);
    return last;
}

void
state_release(struct store_state *st)
{
    bool opened[WORKER_MAX];
    unsigned id;

    if (!unregister(st))
        return;
    pthread_mutex_lock(&st->lock);
    st->closing = true;
    memcpy(opened, st->opened, sizeof(opened));
    pthread_mutex_unlock(&st->lock);
    for (id = 0; id < WORKER_MAX; id++) {
        if (opened[id])
            post(st, id, close_lane, NULL);
    }
    store_state_put(st);
}

/* ------------------------------------------------------------------ lanes */

static struct lane *
open_lane(struct store_state *st, unsigned id)
{
    struct store_map *map = NULL;
    bool closing;

    pthread_mutex_lock(&st->lock);
    closing = st->closing;
    if (!closing) {
        st->opened[id] = true;
        map = st->map;
        if (map)
            map_hold(map);
    }
    pthread_mutex_unlock(&st->lock);
    if (closing)
        return NULL;
    store_state_hold(st);
    st->lanes[id] = lane_new(st, id);
    if (map)
        lane_set_map(st->lanes[id], map);
    return st->lanes[id];
}

struct lane *
state_lane(struct store_state *st)
{
    unsigned id = worker_self_id();

    return st->lanes[id] ? st->lanes[id] : open_lane(st, id);
}

static void
open_early(void *arg)
{
    struct message *m = arg;

    if (!m->st->lanes[m->id])
        open_lane(m->st, m->id);
    store_state_put(m->st);
    free(m);
}

static void
follow(void *arg)
{
    struct message *m = arg;
    struct lane *l = m->st->lanes[m->id];

    if (l)
        lane_set_map(l, m->map);
    else
        map_put(m->map);
    store_state_put(m->st);
    free(m);
}

struct store_map *
state_map(struct store_state *st)
{
    struct store_map *m;

    pthread_mutex_lock(&st->lock);
    m = st->map;
    if (m)
        map_hold(m);
    pthread_mutex_unlock(&st->lock);
    return m;
}

/* ------------------------------------------------------------------ service thread */

void
state_start(struct store_state *st, struct resolver *r)
{
    unsigned id;

    if (st->started++)
        return;
    if (!st->finder && !(st->url.kind == STORE_SINGLE && st->url.hosts[0].literal))
        st->finder = finder_new(st, r);
    for (id = 1; id <= workers_count() && !st->opened_all; id++)
        post(st, id, open_early, NULL);
    st->opened_all = true;
}

void
state_stop(struct store_state *st)
{
    if (--st->started)
        return;
    if (st->finder)
        finder_free(st->finder);
    st->finder = NULL;
}

void
state_publish(struct store_state *st, struct store_map *m)
{
    bool opened[WORKER_MAX];
    struct store_map *old;
    unsigned id;

    if (atomic_exchange_explicit(&st->nowhere, false, memory_order_relaxed))
        state_recovered(st);
    pthread_mutex_lock(&st->lock);
    old = st->map;
    if (map_equal(old, m)) {
        pthread_mutex_unlock(&st->lock);
        map_put(m);
        return;
    }
    st->map = m;
    memcpy(opened, st->opened, sizeof(opened));
    pthread_mutex_unlock(&st->lock);
    map_put(old);
    for (id = 0; id < WORKER_MAX; id++) {
        if (!opened[id])
            continue;
        map_hold(m);
        post(st, id, follow, m);
    }
}

void
state_nowhere(struct store_state *st, const char *why)
{
    atomic_store_explicit(&st->nowhere, true, memory_order_relaxed);
    state_trouble(st, why);
}

static void
refresh_here(void *arg)
{
    struct message *m = arg;

    atomic_store_explicit(&m->st->asked, false, memory_order_relaxed);
    if (m->st->finder)
        finder_refresh(m->st->finder);
    store_state_put(m->st);
    free(m);
}

void
state_refresh(struct store_state *st)
{
    if (st->url.kind == STORE_SINGLE || atomic_exchange_explicit(&st->asked, true, memory_order_relaxed))
        return;
    post(st, WORKER_SERVICE, refresh_here, NULL);
}

/* ------------------------------------------------------------------ what is told */

void
state_trouble(struct store_state *st, const char *text)
{
    uint64_t hash = hash_slice(slice_str(text));
    bool known = false;
    unsigned i;

    pthread_mutex_lock(&st->lock);
    for (i = 0; i < STATE_TOLD && i < st->n_told; i++)
        known |= st->told[i] == hash;
    if (!known)
        st->told[st->n_told++ % STATE_TOLD] = hash;
    pthread_mutex_unlock(&st->lock);
    if (!known)
        log_error(st->subject, "%s", text);
}

void
state_recovered(struct store_state *st)
{
    bool was_away;

    pthread_mutex_lock(&st->lock);
    was_away = st->n_told != 0;
    st->n_told = 0;
    pthread_mutex_unlock(&st->lock);
    if (was_away)
        log_notice(st->subject, "is back");
}

enum lane_status
state_status(const struct store_state *st, nsec_t *latency)
{
    enum lane_status all = LANE_NONE, one;
    unsigned id;
    nsec_t took;

    *latency = -1;
    for (id = 0; id < WORKER_MAX; id++) {
        one = (enum lane_status)atomic_load_explicit(&st->views[id].status, memory_order_relaxed);
        took = atomic_load_explicit(&st->views[id].latency, memory_order_relaxed);
        if (one == LANE_UP && took > *latency)
            *latency = took;
        /* One worker that is refused knows more than others that have not asked lately. */
        if (one == LANE_DOWN || (one == LANE_UP && all != LANE_DOWN) || all == LANE_NONE)
            all = one;
    }
    if (*latency == 0)
        *latency = -1;
    if (all != LANE_UP && atomic_load_explicit(&st->nowhere, memory_order_relaxed))
        return LANE_DOWN;
    return all;
}
