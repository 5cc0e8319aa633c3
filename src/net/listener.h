/*
 * listener: a listening address; every worker has a socket of its own for it (SO_REUSEPORT; a unix address has one
 * socket that all share). Sockets are opened by the service thread before a generation is published (so that a failed
 * bind fails the load), are kept over reloads by address, and each worker's one is closed after its backlog was
 * accepted empty.
 *
 * The life of one: listener_open for each generation that names it; acceptor_start (acceptor.h) on each worker of its
 * range when it is new there. When a generation without it is published: listener_retire (service thread, first),
 * acceptor_leave or acceptor_stop on each worker; listener_put when the generation that held it is freed. From
 * listener_retire on, a listener_open of the same address binds anew.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "addr.h"

#include <stdbool.h>

struct listener_socket; /* one address, one fd per worker; shared by generations through references */

/* Finds the open one for that address and range or binds a new one, for worker ids first..last. A port of 0 always
 * binds a new one. A stale unix socket file is replaced when nobody answers on it; the new one has mode 0660. NULL with
 * *e: one line that names the address, what is wrong and what to do. Any thread. */
struct listener_socket *listener_open(const struct addr *a, unsigned first, unsigned last, int backlog, struct err *e);
void listener_hold(struct listener_socket *s);
/* At the last one (acceptors hold one each): closed, a unix file removed. */
void listener_put(struct listener_socket *s);
void listener_retire(struct listener_socket *s); /* not to be found any more; idempotent */
/* A successor serves (handover_share): from now on listener_handed_over says at which addresses, even where it has not
 * taken all of their sockets. Before workers are told. */
void listener_note_successor(void);
bool listener_handed_over(const struct listener_socket *s);
const struct addr *listener_addr(const struct listener_socket *s); /* with the real port where port 0 was asked for */

/* For acceptors, each on its worker: the worker's own socket; -1: it has none. A generation may come back to an address
 * while the workers are still leaving it: then a socket that was closed is opened anew. */
int listener_slot_fd(struct listener_socket *s, unsigned worker);
void listener_slot_close(struct listener_socket *s, unsigned worker); /* retires s */

#endif
