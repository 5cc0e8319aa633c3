/*
 * choice: what becomes of a request before any policy looks at it: a route takes it, weir answers it by itself (OPTIONS
 * that goes no further), or it is refused. The exchange and `weir explain` ask here, so that both say the same.
 */
#ifndef PROXY_CHOICE_H
#define PROXY_CHOICE_H

#include "../http/reason.h"
#include "route.h"

struct choice {
    enum { CHOICE_ROUTE, CHOICE_OPTIONS, CHOICE_REFUSE, CHOICE_HTTPS } what; /* HTTPS: the route sends it there */
    const struct route *route; /* with CHOICE_REFUSE: the one that refused the method; else NULL */
    enum reason_id reason;     /* CHOICE_REFUSE */
    const char *detail;        /* the same; static, for the client */
    struct slice allow;        /* value of Allow; empty: none */
};

/* x->req as forward_receive left it. Sets x->route_name and adds the row of the decision. A Max-Forwards that goes on
 * is counted down. */
void choose(const struct route_table *t, struct weir_exchange *x, struct choice *out);

/* What is wrong with a head before it is cleaned: an expectation that cannot be met, a loop, a time-out of gRPC that is
 * none. NULL: nothing. */
const char *choice_refuses_head(struct weir_exchange *x, enum reason_id *reason);

#endif
