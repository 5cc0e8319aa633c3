/*
 * opener: a short-lived process with root's rights that the supervisor starts when a reload was denied something. It
 * reads the configuration itself, opens what that names (files that root alone may read, ports below 1024) and hands it
 * to the process that serves as `user`. So the one that faces the network can ask for what the configuration's owner
 * has written, and for nothing else.
 */
#ifndef DAEMON_OPENER_H
#define DAEMON_OPENER_H

/* In the environment of a process that is one. */
#define OPENER_ENV "WEIR_OPENER"

/* With the channel and the sockets of the supervisor (supervised_init). Exit code. */
int opener_run(const char *path);

#endif
