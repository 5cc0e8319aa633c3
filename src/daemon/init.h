/*
 * init: what process 1 of a container owes its system, when weir is that one without a supervisor: it has no default
 * dispositions of signals, and the orphans of others become its children. Nothing here does anything in any other
 * process. Service thread.
 */
#ifndef DAEMON_INIT_H
#define DAEMON_INIT_H

#include "../event/loop.h"

void init_begin(void);           /* first of all: who is told to end while it still starts, ends */
void init_start(struct loop *l); /* from now on children that end are reaped */
void init_fini(void);

#endif
