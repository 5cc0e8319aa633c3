#include "metrics.h"

#include "../base/name_map.h"
#include "../base/xalloc.h"
#include "../net/acceptor.h"
#include "../net/tls.h"
#include "../policy/chain.h"
#include "../session/glitch.h"
#include "../stats/stats.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct stats_family *requests, *calls, *connections, *turned_away;
static stats_id duration, total, active, idle, loop_lag;
static struct {
    const char *name;
    stats_id open, total;
} streams[] = { [STREAM_WEBSOCKET] = { "websocket" }, [STREAM_TUNNEL] = { "tunnel" }, [STREAM_EVENTS] = { "events" } };

/* Of a route, as long as some generation has one of that name. */
struct route_metrics {
    char *name; /* owned */
    size_t n;
    uint32_t number; /* never given twice; 0 is "none" */
    unsigned users;
};

static struct {
    pthread_mutex_t lock;
    struct name_map by_name;
    uint32_t last;
} routes = { .lock = PTHREAD_MUTEX_INITIALIZER };
static _Atomic unsigned forgotten; /* how many are gone */

static void
collect_pauses(struct strbuf *out, void *arg)
{
    (void)arg;
    stats_expose_head(out, "weir_accept_pauses_total", "counter",
                      "How often accepting connections had to pause for want of descriptors or memory.");
    stats_expose_value(out, "weir_accept_pauses_total", NULL, NULL, 0, (double)acceptor_pauses());
}

static void
init_streams(void)
{
    static const char *const labels[] = { "kind" };
    struct stats_family *open = stats_family("weir_streams", STATS_GAUGE,
                                             "Open WebSockets, other tunnels, and streams of server-sent events.",
                                             labels, 1, NULL, 0);
    struct stats_family *all = stats_family("weir_streams_total", STATS_COUNTER,
                                            "WebSockets, other tunnels, and streams of server-sent events so far.",
                                            labels, 1, NULL, 0);

    for (unsigned i = STREAM_WEBSOCKET; i < sizeof streams / sizeof *streams; i++) {
        streams[i].open = stats_series(open, (struct slice[]){ slice_str(streams[i].name) });
        streams[i].total = stats_series(all, (struct slice[]){ slice_str(streams[i].name) });
    }
}

void
metrics_init(void)
{
    static const char *const labels[] = { "route", "method", "code" };
    static const char *const call_labels[] = { "route", "grpc_status" };
    static const char *const refusals[] = { "listener", "limit" };
    static const char *const sides[] = { "side", "state" };
    static const double bounds[] = { .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30 };

    requests = stats_family("weir_requests_total", STATS_COUNTER,
                            "Requests answered or ended, by route, method and status.", labels, 3, NULL, 0);
    calls = stats_family("weir_grpc_requests_total", STATS_COUNTER,
                         "Calls of gRPC, by route and the status with which they ended.", call_labels, 2, NULL, 0);
    duration = stats_series(stats_family("weir_request_duration_seconds", STATS_HISTOGRAM,
                                         "From the first byte of a request's head to the end of its response.", NULL, 0,
                                         bounds, sizeof bounds / sizeof *bounds),
                            NULL);
    connections = stats_family("weir_connections", STATS_GAUGE, "Open connections.", sides, 2, NULL, 0);
    turned_away = stats_family("weir_connections_refused_total", STATS_COUNTER,
                               "Client connections closed at once because a limit of their listener was reached.",
                               refusals, 2, NULL, 0);
    active = stats_series(connections, (struct slice[]){ SLICE("downstream"), SLICE("active") });
    idle = stats_series(connections, (struct slice[]){ SLICE("downstream"), SLICE("idle") });
    loop_lag =
        stats_series(stats_family("weir_loop_lag_seconds", STATS_GAUGE,
                                  "Longest turn of an event loop since the metrics were last read.", NULL, 0, NULL, 0),
                     NULL);
    total = stats_series(
        stats_family("weir_exchanges_total", STATS_COUNTER, "Requests of all routes.", NULL, 0, NULL, 0), NULL);
    init_streams();
    glitch_init();
    stats_add_collector(collect_pauses, NULL);
    tls_metrics_init();
}

struct route_metrics *
metrics_route(struct slice name)
{
    struct route_metrics *m;

    pthread_mutex_lock(&routes.lock);
    m = name_map_get(&routes.by_name, name);
    if (!m) {
        m = xcalloc(1, sizeof *m);
        m->name = xstrndup(name.p, name.n);
        m->n = name.n;
        m->number = ++routes.last;
        name_map_put(&routes.by_name, slice_of(m->name, m->n), m);
    }
    m->users++;
    pthread_mutex_unlock(&routes.lock);
    return m;
}

void
metrics_route_put(struct route_metrics *m)
{
    struct slice name;

    if (!m)
        return;
    pthread_mutex_lock(&routes.lock);
    if (--m->users == 0) {
        name = slice_of(m->name, m->n);
        name_map_del(&routes.by_name, name);
        /* Under the lock: a new route of this name would count into the series that go. */
        stats_drop(requests, name);
        stats_drop(calls, name);
        chain_forget(name);
        atomic_fetch_add(&forgotten, 1);
        free(m->name);
        free(m);
    }
    if (routes.by_name.n == 0)
        name_map_fini(&routes.by_name);
    pthread_mutex_unlock(&routes.lock);
}

/* This worker's way from (route, method, code), or (route, status of gRPC), to the series, so that the lock of
 * stats_series is taken once per combination. */
static _Thread_local struct {
    struct series {
        uint64_t key; /* 0: free */
        stats_id id;
    } * v;
    size_t n, room;
    unsigned forgotten; /* when it was begun */
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

/* A place for one more. What has vanished in the meantime takes none: the rest comes back as it is needed. */
static void
seen_make_room(void)
{
    unsigned now = atomic_load_explicit(&forgotten, memory_order_relaxed);

    if (seen.n * 2 < seen.room)
        return;
    if (now != seen.forgotten) {
        free(seen.v);
        seen.v = NULL;
        seen.n = seen.room = 0;
        seen.forgotten = now;
    }
    seen_grow();
}

static struct series *
seen_at(uint64_t key)
{
    seen_make_room();
    return seen_slot(key);
}

static void
see(struct series *s, uint64_t key, struct stats_family *family, const struct slice *values)
{
    *s = (struct series){ key, stats_series(family, values) };
    seen.n++;
}

static stats_id
series_of(const struct route_metrics *route, enum http_method method, int status)
{
    uint64_t key =
        (uint64_t)(route ? route->number : 0) << 20 | (uint64_t)method << 12 | (uint64_t)(unsigned)status | 1ULL << 60;
    struct series *s = seen_at(key);
    if (!s->key) {
        char code[12];
        int n = snprintf(code, sizeof code, "%d", status);
        struct slice name = route ? slice_of(route->name, route->n) : SLICE("none");
        see(s, key, requests, (struct slice[]){ name, slice_str(method_name(method)), slice_of(code, (size_t)n) });
    }
    return s->id;
}

void
metrics_grpc(const struct route_metrics *route, enum grpc_status status)
{
    uint64_t key = (uint64_t)(route ? route->number : 0) << 20 | (uint64_t)status | 1ULL << 61;
    struct series *s = seen_at(key);

    if (!s->key)
        see(s, key, calls,
            (struct slice[]){ route ? slice_of(route->name, route->n) : SLICE("none"),
                              slice_str(grpc_status_name(status)) });
    stats_add(s->id, 1);
}

void
metrics_request(const struct route_metrics *route, enum http_method method, int status, nsec_t took)
{
    stats_add(series_of(route, method, status), 1);
    stats_add(total, 1);
    stats_observe(duration, (double)took / (double)NSEC_PER_SEC);
}

void
metrics_stream(enum metrics_stream kind, int change)
{
    stats_gauge_add(streams[kind].open, change);
    if (change > 0)
        stats_add(streams[kind].total, (uint64_t)change);
}

void
metrics_downstream(int sessions, int busy)
{
    stats_gauge_add(active, busy);
    stats_gauge_add(idle, sessions - busy);
}

stats_id
metrics_turned_away(const char *listener, enum limit_id limit)
{
    return stats_series(turned_away, (struct slice[]){ slice_str(listener), slice_str(limit_name(limit)) });
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
