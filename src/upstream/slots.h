/*
 * slots: permission to have one connection to an upstream, counted over all workers. A slot is free, or held by one
 * connection, or on its way to a worker whose request waits. Who gives one up while somebody waits passes it on, oldest
 * wait first, so that no worker starves and no newcomer slips in.
 */
#ifndef UPSTREAM_SLOTS_H
#define UPSTREAM_SLOTS_H

#include "cluster_state.h"

struct endpoint_state;

/* limit 0: no bound. */
bool slots_acquire(struct cluster_state *st, unsigned limit);
/* Frees the slot or passes it to the worker that waits longest. */
void slots_release(struct cluster_state *st);

/* One more waits here; false: there are `limit` already. */
bool slots_wait_begin(struct cluster_state *st, unsigned limit, nsec_t oldest_here);
void slots_wait_end(struct cluster_state *st, nsec_t oldest_here); /* 0: nobody waits here now */
/* Since when the request that has waited longest waits, if that is on another worker; 0: it is not, or none waits. */
nsec_t slots_oldest_elsewhere(struct cluster_state *st);
/* Idle connections on other workers hold slots that somebody here needs: asks for them, at most every 10 ms. */
void slots_ask_idle(struct cluster_state *st);

/* ---- what the pool does on the receiving worker (pool.c; pool_on_slot: lease.c) ---- */
void pool_on_slot(struct cluster_state *st); /* a slot is here: it must be used or released */
/* Give up one idle connection of this upstream for each request that waits elsewhere. */
void pool_on_ask_idle(struct cluster_state *st);
void pool_on_retired(struct endpoint_state *e); /* close idle connections to it */

#endif
