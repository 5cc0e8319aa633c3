/*
 * resolver: names to addresses by c-ares on the service loop, absolute lookups only (no search domains), re-resolved by
 * TTL (1 s to 30 s bounds), last good answer kept; after a failure the next try comes after 1 s, then 2, 4 ... 30 s.
 * /etc/hosts goes before DNS. Watches of one name share its queries, so that a new generation's watch has the old one's
 * answer at once.
 *
 * The environment may say WEIR_DNS_SERVERS=ADDRESS[:PORT],... (IPv6: [ADDRESS]:PORT): those servers are asked instead
 * of /etc/resolv.conf's; and CARES_HOSTS=FILE: read instead of /etc/hosts.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "../event/loop.h"
#include "addr.h"

#define RESOLVER_ADDRS_MAX 64

struct resolver;
struct resolver_watch;
struct resolver_lookup;

struct resolver *resolver_new(struct loop *l, struct err *e);
/* After all watches are freed. Lookups that still run are told so first. Not from inside a callback. */
void resolver_free(struct resolver *r);

/* Calls on_change at the first answer and whenever the set of addresses changes; n == 0 with *error when it never
 * resolved (and again at each failed try until it does). Addresses carry `port`, are sorted by addr_compare and differ
 * from each other; valid during the call. Never called from inside resolver_watch_new. Service loop only. */
typedef void (*resolver_change)(const struct addr *addrs, unsigned n, const char *error, void *arg);
struct resolver_watch *resolver_watch_new(struct resolver *r, struct slice name, uint16_t port,
                                          resolver_change on_change, void *arg);
void resolver_watch_free(struct resolver_watch *w); /* any time, also inside its own on_change */

/* Once, with a deadline: done comes later, exactly once, unless cancelled before. A name that is being watched is
 * answered from its last answer. */
struct resolver_lookup *resolver_lookup(struct resolver *r, struct slice name, uint16_t port, nsec_t timeout,
                                        resolver_change done, void *arg);
void resolver_lookup_cancel(struct resolver_lookup *k);

#endif
