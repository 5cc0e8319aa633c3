/*
 * watchdog: a thread that looks at the workers' loops and says in the log when one of them has been in the same turn
 * for too long: a callback that blocks, or a loop that spins. It only tells; whoever supervises the process (systemd's
 * WatchdogSec) decides.
 */
#ifndef EVENT_WATCHDOG_H
#define EVENT_WATCHDOG_H

#include "../base/clock.h"

#include <stdbool.h>

/* limit: how long a turn may take; looked at four times in that time. After workers_init; 0, or -1 with errno. */
int watchdog_start(nsec_t limit);
void watchdog_stop(void); /* idempotent; before workers_fini */
/* Is a worker past the limit right now? Any thread. */
bool watchdog_stuck(void);

#endif
