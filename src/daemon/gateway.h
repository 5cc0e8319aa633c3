/*
 * gateway: the running process: its generations, reload, drain and end. Everything here is on the service thread.
 *
 *     starting -> serving -> (reload)* -> draining -> stopped
 */
#ifndef DAEMON_GATEWAY_H
#define DAEMON_GATEWAY_H

#include "../admin/admin.h"
#include "../proxy/generation.h"

/* Starts serving with a checked tree: workers, resolver, listeners, admin. The gateway owns conf afterwards. -1: the
 * reasons were printed on stderr. */
int gateway_start(struct conf *conf, const char *path);
/* Serves until drained or stopped. Exit code. */
int gateway_run(void);

/* Loads the file anew off the data path; done comes later. Requests that come meanwhile are served together by one more
 * load. */
void gateway_reload(void (*done)(bool ok, const char *message, void *arg), void *arg);
void gateway_drain(void);        /* SIGTERM, as weir(8) has it */
void gateway_stop(void);         /* at once: the second SIGTERM */

#endif
