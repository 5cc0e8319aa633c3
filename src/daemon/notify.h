/* notify: what systemd is told (sd_notify). Does nothing when weir was built without it or runs without it. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include "../event/loop.h"

void notify_start(struct loop *l); /* begins to feed the watchdog when one is asked for */
void notify_ready(void);           /* once; later calls do nothing */
void notify_reloading(void);
void notify_reloaded(void);
void notify_stopping(void);
void notify_fini(void);

#endif
