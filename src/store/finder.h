/*
 * finder: learns on the service loop where a store's servers are, and publishes that as a map: addresses of a name
 * (resolver), the master that sentinels name, the slots of a cluster. Asked again when a lane has trouble; tries on for
 * ever, with a back-off.
 */
#ifndef STORE_FINDER_H
#define STORE_FINDER_H

#include "state.h"

struct finder *finder_new(struct store_state *st, struct resolver *r);
void finder_free(struct finder *f);
void finder_refresh(struct finder *f);

#endif
