#include "metrics.h"

#include "../base/hash.h"
#include "../base/xalloc.h"
#include "../net/listener.h"
#include "../stats/stats.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static struct stats_family *requests, *connections;
static stats_id duration, total, active, idle, loop_lag;

/* Names of routes by number; few, and only added to. */
static struct {
    pthread_mutex_t lock;
    struct slice *names;
    unsigned n, room;
    unsigned *slots; /* hash table of numbers; 0: free */
    size_t n_slots;
} routes = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
collect_pauses(struct strbuf *out, void *arg)
{
    (void)arg;
    stats_expose_head(out, "weir_accept_pauses_total", "counter",
                      "How often accepting connections had to pause for want of descriptors or memory.");
    stats_expose_value(out, "weir_accept_pauses_total", NULL, NULL, 0, (double)acceptor_pauses());
}

void
metrics_init(void)
{
    static const char *const labels[] = { "route", "method", "code" };
    static const char *const sides[] = { "side", "state" };
    static const double bounds[] = { .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30 };

    requests = stats_family("weir_requests_total", STATS_COUNTER,
                            "Requests answered or ended, by route, method and status.", labels, 3, NULL, 0);
    duration = stats_series(stats_family("weir_request_duration_seconds", STATS_HISTOGRAM,
                                         "From the first byte of a request's head to the end of its response.", NULL, 0,
                                         bounds, sizeof bounds / sizeof *bounds),
                            NULL);
    connections = stats_family("weir_connections", STATS_GAUGE, "Open connections.", sides, 2, NULL, 0);
    active = stats_series(connections, (struct slice[]){ SLICE("downstream"), SLICE("active") });
    idle = stats_series(connections, (struct slice[]){ SLICE("downstream"), SLICE("idle") });
    loop_lag =
        stats_series(stats_family("weir_loop_lag_seconds", STATS_GAUGE,
                                  "Longest turn of an event loop since the metrics were last read.", NULL, 0, NULL, 0),
                     NULL);
    total = stats_series(
        stats_family("weir_exchanges_total", STATS_COUNTER, "Requests of all routes.", NULL, 0, NULL, 0), NULL);
    stats_add_collector(collect_pauses, NULL);
}

static unsigned *
route_slot(struct slice name)
{
    for (size_t i = hash_slice(name) & (routes.n_slots - 1);; i = (i + 1) & (routes.n_slots - 1)) {
        unsigned *s = &routes.slots[i];
        if (!*s || slice_eq(routes.names[*s], name))
            return s;
    }
}

static void
routes_grow(void)
{
    if (routes.n + 1 < routes.room)
        return;
    routes.room = routes.room ? routes.room * 2 : 64;
    routes.names = xrealloc(routes.names, routes.room * sizeof *routes.names);
    free(routes.slots);
    routes.n_slots = routes.room * 2;
    routes.slots = xcalloc(routes.n_slots, sizeof *routes.slots);
    if (routes.n == 0)
        routes.names[routes.n++] = SLICE("none");
    for (unsigned i = 1; i < routes.n; i++)
        *route_slot(routes.names[i]) = i;
}

unsigned
metrics_route(struct slice name)
{
    pthread_mutex_lock(&routes.lock);
    routes_grow();
    unsigned *s = route_slot(name);
    if (!*s) {
        routes.names[routes.n] = slice_of(xstrndup(name.p, name.n), name.n);
        *s = routes.n++;
    }
    unsigned id = *s;
    pthread_mutex_unlock(&routes.lock);
    return id;
}

/* This worker's way from (route, method, code) to the series, so that the lock of stats_series is taken once per
 * combination. */
static _Thread_local struct {
    struct series {
        uint64_t key; /* 0: free */
        stats_id id;
    } * v;
    size_t n, room;
} seen;

static struct series *
seen_slot(uint64_t key)
{
    for (size_t i = (key * 0x9E3779B97F4A7C15ULL) >> 20 & (seen.room - 1);; i = (i + 1) & (seen.room - 1))
        if (!seen.v[i].key || seen.v[i].key == key)
            return &seen.v[i];
}

static void
seen_grow(void)
{
    struct series *old = seen.v;
    size_t old_room = seen.room;
    seen.room = old_room ? old_room * 2 : 256;
    seen.v = xcalloc(seen.room, sizeof *seen.v);
    for (size_t i = 0; i < old_room; i++)
        if (old[i].key)
            *seen_slot(old[i].key) = old[i];
    free(old);
}

static stats_id
series_of(unsigned route, enum http_method method, int status)
{
    uint64_t key = (uint64_t)route << 20 | (uint64_t)method << 12 | (uint64_t)(unsigned)status | 1ULL << 60;
    if (seen.n * 2 >= seen.room)
        seen_grow();
    struct series *s = seen_slot(key);
    if (!s->key) {
        char code[12];
        int n = snprintf(code, sizeof code, "%d", status);
        pthread_mutex_lock(&routes.lock);
        struct slice name = route && route < routes.n ? routes.names[route] : SLICE("none");
        pthread_mutex_unlock(&routes.lock);
        *s = (struct series){ key, stats_series(requests, (struct slice[]){ name, slice_str(method_name(method)),
                                                                            slice_of(code, (size_t)n) }) };
        seen.n++;
    }
    return s->id;
}

void
metrics_request(unsigned route, enum http_method method, int status, nsec_t took)
{
    stats_add(series_of(route, method, status), 1);
    stats_add(total, 1);
    stats_observe(duration, (double)took / (double)NSEC_PER_SEC);
}

void
metrics_downstream(int sessions, int busy)
{
    stats_gauge_add(active, busy);
    stats_gauge_add(idle, sessions - busy);
}

void
metrics_loop_lag(double seconds)
{
    stats_gauge_set(loop_lag, seconds);
}

uint64_t
metrics_requests_total(void)
{
    return stats_counter_value(total);
}

void
metrics_connections(unsigned *downstream_active, unsigned *downstream_idle)
{
    int64_t a = stats_gauge_value(active), i = stats_gauge_value(idle);
    *downstream_active = a > 0 ? (unsigned)a : 0;
    *downstream_idle = i > 0 ? (unsigned)i : 0;
}

void
metrics_thread_fini(void)
{
    free(seen.v);
    seen.v = NULL;
    seen.n = seen.room = 0;
}
