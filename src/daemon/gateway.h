/*
 * gateway: the running process: its start, its signals and its end; reload.h and drain.h have what is between.
 * Everything here is on the service thread.
 *
 *     starting -> serving -> (reload)* -> draining -> stopped
 */
#ifndef DAEMON_GATEWAY_H
#define DAEMON_GATEWAY_H

struct conf;

/* Starts serving with a checked tree: workers, resolver, listeners, admin. The gateway owns conf afterwards. -1: the
 * reasons were printed on stderr. */
int gateway_start(struct conf *conf, const char *path);
/* Serves until drained or stopped. Exit code. */
int gateway_run(void);

#endif
