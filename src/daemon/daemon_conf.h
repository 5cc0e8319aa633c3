/* daemon_conf: directives of the process as a whole. */
#ifndef DAEMON_DAEMON_CONF_H
#define DAEMON_DAEMON_CONF_H

#include "../conf/conf.h"

extern const struct weir_directive daemon_rows[];

/* How many worker threads: `workers auto` is one for each CPU this process may use. */
unsigned daemon_conf_workers(const struct conf *c);

#endif
