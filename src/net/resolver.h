/*
 * resolver: names to addresses by c-ares on the service loop, absolute lookups only, re-resolved by TTL (1 s to 30 s bounds), last good answer kept.
 * /etc/hosts is honoured.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "../event/loop.h"
#include "addr.h"

#define RESOLVER_ADDRS_MAX 64

struct resolver;
struct resolver_watch;

struct resolver *resolver_new(struct loop *l, struct err *e);
void resolver_free(struct resolver *r);

/* Calls on_change at the first answer and whenever the set of addresses changes; n == 0 with *error when it never resolved (and again at
 * each failed try until it does). Addresses carry `port`. Service loop only. */
typedef void (*resolver_change)(const struct addr *addrs, unsigned n, const char *error, void *arg);
struct resolver_watch *resolver_watch_new(struct resolver *r, struct slice name, uint16_t port, resolver_change on_change, void *arg);
void resolver_watch_free(struct resolver_watch *w);

/* Once, with a deadline. */
void resolver_lookup(struct resolver *r, struct slice name, uint16_t port, nsec_t timeout, resolver_change done, void *arg);

#endif
