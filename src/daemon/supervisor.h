/*
 * supervisor: the parent of the serving process. It holds the listening sockets, so that none of the connections that
 * wait in their queues is lost when the process that serves them ends; starts that process anew after a crash, with
 * growing pauses; and replaces it by one of a new binary (SIGUSR2). It has no threads, reads no configuration, and
 * nothing from the network: what it reads comes from the processes it has started.
 *
 * Signals: SIGTERM, SIGINT, SIGHUP and SIGUSR1 are passed on; SIGUSR2 starts the file that this process was started
 * from, as it is then, beside the one that serves. When the new one is ready the old one is told to leave, and the
 * supervisor goes on as the new binary too, under the same process id. When it ends before, or is not ready in time,
 * the old one goes on.
 *
 * Where the serving process is `user` and not root, the supervisor stays root. All that it does for that process with
 * it is to start another one that reads the configuration (opener.h), and to pass on what that opens.
 */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H

#include "../base/clock.h"

#define SUPERVISOR_RESTART_MIN_MS 100
#define SUPERVISOR_RESTART_MAX_MS 10000
#define SUPERVISOR_STABLE_MS 60000  /* who lived that long starts anew without a pause */
#define SUPERVISOR_UPGRADE_S 60     /* until a new binary must be ready; `--upgrade-timeout` */
#define SUPERVISOR_OPENER_MS 30000  /* until an opener must have ended */
#define SUPERVISOR_KILL_MS 5000     /* from the second SIGTERM, which stops at once */

/* Runs until the serving process has ended for good. argv: `weir` and its words, with which serving processes are
 * started too. upgrade_timeout: until a new binary must be ready. The exit code of the process. */
int supervisor_run(char **argv, nsec_t upgrade_timeout);

#endif
