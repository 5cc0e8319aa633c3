/*
 * listener: a listening address; every worker has a socket of its own for it (SO_REUSEPORT). Sockets are opened by the service thread before
 * a generation is published (so that a failed bind fails the load), are kept over reloads by address, and are closed only after their backlog was accepted empty.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "../event/worker.h"
#include "addr.h"
#include "conn.h"

struct listener_socket; /* one address, one fd per worker; shared by generations through references */

/* Finds the open one for that address or binds a new one, for worker ids first..last. NULL with *e ("0.0.0.0:80: address already in use (is another ... ?)"). */
struct listener_socket *listener_open(const struct addr *a, unsigned first, unsigned last, int backlog, struct err *e);
void listener_hold(struct listener_socket *s);
void listener_put(struct listener_socket *s);           /* at the last one: closed */
const struct addr *listener_addr(const struct listener_socket *s); /* with the real port where port 0 was asked for */

/* On worker: accepts until told to stop. on_accept takes over the fd. At EMFILE/ENFILE accepting pauses for 100 ms and is counted. */
struct acceptor;
struct acceptor *acceptor_start(struct worker *w, struct listener_socket *s,
                                void (*on_accept)(int fd, const struct addr *peer, const struct addr *local, void *arg), void *arg);
void acceptor_set_arg(struct acceptor *a, void *arg);   /* the new generation's listener */
void acceptor_stop(struct acceptor *a);                 /* accepts what is queued first; then forgets the fd */

#endif
