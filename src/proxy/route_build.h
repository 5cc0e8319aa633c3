/* route_build: the route table of a generation from its tree. Errors go to the tree's diagnostics. */
#ifndef PROXY_ROUTE_BUILD_H
#define PROXY_ROUTE_BUILD_H

#include "generation.h"

struct route_table *route_build_all(struct generation *g);

/* The value that a line `hsts` stands for; empty: none. */
struct slice route_hsts(const struct weir_conf *line, struct arena *arena);

#endif
