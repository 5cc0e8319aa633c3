/* self_loop: the loop of the calling thread, for what a module asks of the host outside a phase. */
#ifndef POLICY_SELF_LOOP_H
#define POLICY_SELF_LOOP_H

#include "../event/worker.h"

struct loop *self_loop(void);

#endif
