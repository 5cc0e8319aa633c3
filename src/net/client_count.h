/*
 * client_count: how many connections each client address has open; shared by all workers. IPv6 counts by /64, which is
 * what one client gets; a unix peer has no address and is not counted. There is one small entry for each address that
 * has a connection, so that the memory is bounded by the connections there are.
 */
#ifndef NET_CLIENT_COUNT_H
#define NET_CLIENT_COUNT_H

#include "addr.h"

struct client_counts;
struct client_count; /* of one address */

struct client_counts *client_counts_new(void);
void client_counts_free(struct client_counts *t); /* when every count was given back */
/* One more connection of that address. *out: to be given back when it closes; NULL for an address that is not counted.
 * false: it has `max` already. Any thread. */
bool client_count_take(struct client_counts *t, const struct addr *a, unsigned max, struct client_count **out);
void client_count_give(struct client_count *c); /* any thread; NULL is allowed */
size_t client_counts_addresses(struct client_counts *t);

#endif
