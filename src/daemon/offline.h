/* offline: a generation for commands that serve nothing (check, explain): one thread, no sockets, no traffic. */
#ifndef DAEMON_OFFLINE_H
#define DAEMON_OFFLINE_H

#include "../proxy/generation.h"

/* NULL: the reasons were printed on stderr (as warnings are, when it is good). */
struct generation *offline_load(const char *path);
void offline_free(struct generation *g);

#endif
