/*
 * order: warns of a policy that uses a variable of another policy which runs after it, or not at all on that route: the
 * variable has no value then, and a limit keyed by it counts all callers as one.
 */
#ifndef POLICY_ORDER_H
#define POLICY_ORDER_H

#include "policy.h"
#include "template.h"

/* A text that p has compiled in configure. */
void order_note(struct weir_policy *p, const struct template *t);
/* The policies of a route in their order; block: the route. One warning per policy line and variable, however many
 * routes it holds for. */
void order_check(struct weir_policy *const *policies, unsigned n, const struct weir_conf *block);

#endif
