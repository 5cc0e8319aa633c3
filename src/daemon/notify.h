/*
 * notify: what systemd is told, by the protocol of sd_notify(3): a datagram to $NOTIFY_SOCKET. A process that has
 * a supervisor tells that one, which passes it on. Does nothing where nobody listens.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include "../event/loop.h"

#include <stdbool.h>

void notify_start(struct loop *l); /* begins to feed the watchdog when one is asked for */
void notify_ready(void);           /* once; later calls do nothing */
void notify_reloading(void);
void notify_reloaded(void);
void notify_stopping(void);
void notify_fini(void);

/* To systemd itself, lines of NAME=VALUE. */
void notify_systemd(const char *text);
/* Whether these lines are what a serving process has to say there. Others (MAINPID=, FDSTORE=) would be orders, which
 * one that was taken over by an attacker must not be able to give. */
bool notify_is_status(const char *words);

#endif
