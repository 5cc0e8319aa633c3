/*
 * store: a named Redis, used by policies. Each worker has a connection of its own to it; commands of one loop turn
 * leave in one write and replies are matched in order. hiredis formats commands and reads replies; the bytes go over
 * weir's own conn (TLS, unix sockets, deadlines).
 *
 * A store breaker keeps a dead Redis from costing each request its timeout: after 3 failures in 1 s commands fail at
 * once for 500 ms, doubling to 30 s.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "../conf/conf.h"
#include "../event/worker.h"
#include "../net/resolver.h"

#include <weir/module.h>

extern const struct weir_directive store_rows[];

struct store; /* immutable, in a generation; run-time state (connections, breaker) is keyed by name and URL and outlives
                 it */
struct store_call;

/* redis:// rediss:// unix:// with optional user:password@ and /DB; redis+sentinel:// and redis+cluster:// too. NULL
 * after a reported error. */
struct store *store_build(const struct weir_conf *block, struct arena *arena); /* any thread */
/* Service thread. Workers connect at once, so that the first request does not wait for that. */
void store_start(struct store *s, struct resolver *r);
void store_stop(struct store *s); /* service thread; before store_free */
void store_free(struct store *s); /* any thread. The last store of a name and URL closes the connections */

const char *store_name(const struct store *s);
const char *store_url_shown(const struct store *s); /* password as *** */
/* Have both the same run-time state: connections, breaker? Any thread that holds their generations. */
bool store_same_state(const struct store *a, const struct store *b);
bool store_required(const struct store *s);
/* "up", "down", "connecting"; latency of the last replies in ms, -1: none. Service thread. */
const char *store_state(const struct store *s, double *latency_ms);

/* On a worker. done comes later, never from inside, within the store's timeout; its reply holds integers, or an error:
 * "timeout", "unavailable" (no connection, or the breaker is open), else the server's text. Everything given is copied.
 * NULL only when it cannot be queued (10000 under way on this worker, more than 16 arguments or 64 KiB, 64 other
 * scripts in use): done is not called. */
struct store_call *store_eval(struct store *s, const char *script, struct slice key, const struct slice *args,
                              unsigned n, weir_store_done done, void *arg);
void store_cancel(struct store_call *c); /* done will not be called */

#endif
