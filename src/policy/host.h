/* host: the function table handed to modules, by topic; one file each fills its part. */
#ifndef POLICY_HOST_H
#define POLICY_HOST_H

#include <weir/module.h>

void host_fill_conf(struct weir_host *h);     /* host_conf.c: configuration and the policy */
void host_fill_exchange(struct weir_host *h); /* host_exchange.c: the exchange and verdicts */
void host_fill_world(struct weir_host *h);    /* host_world.c: clock, random, log, metrics, threads, timers, stores */
void host_fill_fetch(struct weir_host *h);    /* host_fetch.c */

/* The same, noted for the policy that is being configured on this thread. */
struct weir_state *policy_state_get(const char *key, size_t size, void (*init)(void *), void (*fini)(void *));
struct weir_state *keyed_state_get(const char *key, size_t size, void (*init)(void *), void (*fini)(void *));
void *keyed_state_data(struct weir_state *s);
void keyed_state_hold(struct weir_state *s);
void keyed_state_put(struct weir_state *s);

#endif
