/*
 * drain: the end that nobody notices. Not ready at once, still accepting during `lag`, then no new connections, and
 * the rest is cut when `timeout` has passed. Stops the service loop. Service thread.
 */
#ifndef DAEMON_DRAIN_H
#define DAEMON_DRAIN_H

#include "../event/loop.h"

#include <stdbool.h>

void drain_init(struct loop *loop);
void drain_begin(void); /* SIGTERM, as weir(8) has it; again: nothing */
void drain_skip(void);  /* at once: the second SIGTERM */
/* A successor has the sockets, or there is nobody to hold them (false): what is under way is finished. */
void drain_leave(bool successor);
bool drain_on(void);
void drain_fini(void);

#endif
