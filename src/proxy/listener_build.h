/* listener_build: the listeners of a generation: limits and deadlines from the tree, TLS contexts, and sockets bound
 * before it is published. */
#ifndef PROXY_LISTENER_BUILD_H
#define PROXY_LISTENER_BUILD_H

#include "generation.h"

void listeners_build(struct generation *g); /* errors go to the tree's diagnostics; binds nothing */
void listeners_bind(struct generation *g);  /* what is not bound yet; errors at the `bind` lines */
void listeners_free(struct generation *g);
/* The arguments of a line of CIDRs; *n of them. */
struct cidr *cidrs_build(struct arena *arena, const struct weir_conf *line, unsigned *n);

#endif
