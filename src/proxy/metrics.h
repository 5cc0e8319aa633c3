/* metrics: the proxy's own counters: requests by route, method and code, durations, client connections. */
#ifndef PROXY_METRICS_H
#define PROXY_METRICS_H

#include "../base/clock.h"
#include "../http/grpc.h"
#include "../http/limit.h"
#include "../http/message.h"
#include "../stats/stats.h"

struct route_metrics;

void metrics_init(void);        /* declares them; service thread, before workers start */
void metrics_thread_fini(void); /* on each worker, last */

/* Of the routes of that name, the same over reloads; a use. With the last use its series go. Any thread. */
struct route_metrics *metrics_route(struct slice name);
void metrics_route_put(struct route_metrics *m); /* nobody counts for it any more; NULL is allowed */

/* One exchange is over; route NULL: "none". On a worker: no lock once the (route, method, code) has been seen there. */
void metrics_request(const struct route_metrics *route, enum http_method method, int status, nsec_t took);
/* weir_grpc_requests_total, on top of that. */
void metrics_grpc(const struct route_metrics *route, enum grpc_status status);
/* What may last. */
enum metrics_stream { STREAM_NONE, STREAM_WEBSOCKET, STREAM_TUNNEL, STREAM_EVENTS };
void metrics_stream(enum metrics_stream kind, int change); /* one more (1) or less (-1) is open on this worker */
void metrics_downstream(int sessions, int busy); /* changes of weir_connections{side="downstream"} on this worker */
/* weir_connections_refused_total of a listener. Takes a lock. */
stats_id metrics_turned_away(const char *listener, enum limit_id limit);
/* Just before the metrics are shown: the longest turn of any loop since the last time. */
void metrics_loop_lag(double seconds);

/* For views: sums over all workers. */
uint64_t metrics_requests_total(void);
void metrics_connections(unsigned *downstream_active, unsigned *downstream_idle);

#endif
