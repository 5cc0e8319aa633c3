/* metrics: the proxy's own counters: requests by route, method and code, durations, exchanges in flight. */
#ifndef PROXY_METRICS_H
#define PROXY_METRICS_H

#include "../base/clock.h"
#include "../http/message.h"

void metrics_init(void);
/* A small number for a route's name, the same over reloads; 0 is "none". Any thread. */
unsigned metrics_route(struct slice name);
/* One exchange is over. On a worker: no lock once the (route, method, code) has been seen there. */
void metrics_request(unsigned route, enum http_method method, int status, nsec_t took);
void metrics_downstream(int sessions, int busy); /* changes of weir_connections{side="downstream"} on this worker */
/* Just before the metrics are shown: the longest turn of any loop since the last time. */
void metrics_loop_lag(double seconds);
uint64_t metrics_requests_total(void);
void metrics_connections(unsigned *downstream_active, unsigned *downstream_idle);
void metrics_thread_fini(void);

#endif
