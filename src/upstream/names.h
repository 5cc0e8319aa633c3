/*
 * names: the endpoints of a live upstream that are written as names. One watch per name and port, on the service loop,
 * kept in the upstream's state, so that a reload begins with the answers there are. The last good answer is kept for as
 * long as the name is used.
 */
#ifndef UPSTREAM_NAMES_H
#define UPSTREAM_NAMES_H

#include "cluster.h"
#include "upstream_conf.h"

struct name_watch;

/* Service thread. Watches exactly the names of these lines; those already watched go on. */
void names_sync(struct cluster_state *st, const struct endpoint_line *lines, unsigned n, struct resolver *r);
/* Begins to watch those of them that are not watched yet; the others stay. */
void names_add(struct cluster_state *st, const struct endpoint_line *lines, unsigned n, struct resolver *r);
/* Has each of them been answered (or failed) once? */
bool names_answered(struct cluster_state *st, const struct endpoint_line *lines, unsigned n);
void names_stop(struct cluster_state *st);
/* Has every name been answered (or failed) once? */
bool names_round_done(const struct cluster_state *st);

/* Any thread: the addresses known for a name so far; how many were copied. */
unsigned names_known(struct cluster_state *st, const char *host, uint16_t port, struct addr out[RESOLVER_ADDRS_MAX]);

#endif
