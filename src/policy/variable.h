/*
 * variable: the namespace of run-time variables: the core's table and what modules added. Exact names, or prefixes that
 * end with a dot. template.h has what others use.
 */
#ifndef POLICY_VARIABLE_H
#define POLICY_VARIABLE_H

#include "module.h"
#include "exchange.h"

struct variable {
    const char *name, *help;
    struct slice (*get)(struct weir_exchange *x, struct slice rest); /* the core's; NULL: a module's */
    const struct weir_variable *row;
    const struct module *owner; /* NULL: the core */
};

/* rest: what follows a prefix, in name's memory. NULL: unknown. */
const struct variable *variable_find(struct slice name, struct slice *rest);
struct slice variable_get(const struct variable *v, struct weir_exchange *x, struct slice rest);
/* For messages: the nearest name that exists, or NULL. */
const char *variable_nearest(struct slice name, struct arena *arena);
/* Is there any variable of the same first label ("jwt.")? */
bool variable_namespace_known(struct slice name);

#endif
