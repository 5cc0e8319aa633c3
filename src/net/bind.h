/* bind: sockets with an address of this host, for listeners. Any thread. */
#ifndef NET_BIND_H
#define NET_BIND_H

#include "addr.h"

#include <stdbool.h>

/* A stream socket, non-blocking and close-on-exec, bound; shared: with SO_REUSEPORT, so that others may be too. A port
 * that only root may bind is bound by root while there is one (privilege.h). -1 with errno. */
int bind_socket(const struct addr *a, bool shared);
/* A listening TCP socket that is not found any more by who connects now (another one with its address is, or they are
 * refused), while whoever has begun its handshake there comes in. False: this kernel cannot. */
bool bind_hide(int fd);
/* Takes that back, which needs CAP_NET_RAW. False: it cannot. */
bool bind_show(int fd);
/* Removes what a dead process left at the path. -1 with errno when something lives there. */
int bind_remove_stale(const struct addr *a);
/* Could the address be bound, as far as can be seen without listening there? The port is shared with the sockets of
 * this process (SO_REUSEPORT), and nobody who has it is disturbed. Only of TCP addresses anything is seen. -1 with *e.
 */
int bind_probe(const struct addr *a, struct err *e);
/* What errno means for the operator, and what to do; -1. */
int bind_error(const struct addr *a, struct err *e);

#endif
