/* reference: the sections of gateway.conf(5) that are made from the tables, in mdoc(7): directives, variables,
 * reasons. */
#ifndef DAEMON_REFERENCE_H
#define DAEMON_REFERENCE_H

#include "../conf/conf.h"

struct module;

/* c holds the rows of the core and of these modules. */
void reference_print(struct conf *c, const struct module *const *modules, unsigned n, struct strbuf *out);

#endif
