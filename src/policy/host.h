/* host: the function table handed to modules, by topic; one file each fills its part. */
#ifndef POLICY_HOST_H
#define POLICY_HOST_H

#include "exchange.h"

void host_fill_conf(struct weir_host *h);     /* host_conf.c: configuration and the policy */
void host_fill_exchange(struct weir_host *h); /* host_exchange.c: the exchange and verdicts */
void host_fill_body(struct weir_host *h);     /* host_body.c: bodies and trailers */
void host_fill_world(struct weir_host *h);    /* host_world.c: clock, random, log, metrics, threads, timers, stores */
void host_fill_fetch(struct weir_host *h);    /* host_fetch.c */

/* The name of a field that a policy is about to write, as it may be kept; empty where it may not be written: then the
 * record says why, but for a policy in shadow. host_exchange.c */
struct slice host_acceptable(struct weir_exchange *x, const char *name, struct slice value, enum field_id *found);

/* The same, noted for the policy that is being configured on this thread. */
struct weir_state *policy_state_get(const char *key, size_t size, void (*init)(void *), void (*fini)(void *));
struct weir_state *keyed_state_get(const char *key, size_t size, void (*init)(void *), void (*fini)(void *));
void *keyed_state_data(struct weir_state *s);
void keyed_state_hold(struct weir_state *s);
void keyed_state_put(struct weir_state *s);

#endif
