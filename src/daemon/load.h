/* load: from a file name to a checked tree to a generation. Used by run, check, explain and every reload. */
#ifndef DAEMON_LOAD_H
#define DAEMON_LOAD_H

#include "../proxy/generation.h"

/* A tree with all tables, parsed and checked; modules loaded. conf_errors says whether it is good. Never NULL. */
struct conf *load_conf(const char *path);
/* A tree with the core's tables and nothing parsed: for help and the manual. */
struct conf *load_tables(void);
/* Builds a generation from a checked tree and runs its `test` blocks. NULL: the diagnostics (errors and warnings) are
 * in `out`, and conf is freed. Good: warnings are in `out`. */
struct generation *load_generation(struct conf *conf, uint64_t id, struct strbuf *out);

#endif
