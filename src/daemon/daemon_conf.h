/* daemon_conf: directives of the process as a whole. */
#ifndef DAEMON_DAEMON_CONF_H
#define DAEMON_DAEMON_CONF_H

#include "../conf/conf.h"

#include <stdbool.h>

extern const struct weir_directive daemon_rows[];

/* How many worker threads: `workers auto` is one for each CPU this process may use. */
unsigned daemon_conf_workers(const struct conf *c);
const struct weir_conf *daemon_conf_user(const struct conf *c); /* `user NAME [GROUP]`; NULL: none */
uint64_t daemon_conf_open_files(const struct conf *c);          /* 0: as many as are allowed */
bool daemon_conf_core_dumps(const struct conf *c);
bool daemon_conf_confine(const struct conf *c);

#endif
