/*
 * acceptor: one worker's accepting at one listening address. It accepts until it is told to stop, at most 64
 * connections per turn. Out of descriptors or memory it pauses for 100 ms, which is counted; who waits in the queue is
 * accepted later. The last descriptors are the service worker's (descriptors.h), so that an administrator gets in when
 * clients do not, and its acceptors keep a spare one for the case that all the same none is left. On its worker.
 */
#ifndef NET_ACCEPTOR_H
#define NET_ACCEPTOR_H

#include "../event/worker.h"
#include "listener.h"

struct acceptor;
/* Takes over the fd, which is non-blocking and close-on-exec. */
typedef void (*acceptor_fn)(int fd, const struct addr *peer, const struct addr *local, void *arg);

/* Holds a reference to s. NULL: the worker has no socket in s, or watching failed (logged). */
struct acceptor *acceptor_start(struct worker *w, struct listener_socket *s, acceptor_fn on_accept, void *arg);
/* Accepts what is queued first, then closes this worker's socket. Not from inside on_accept. */
void acceptor_stop(struct acceptor *a);
/* Stops in a while: whoever connects from now on does not find this socket, but who is shaking hands comes in. True:
 * `gone(arg)` comes then, unless acceptor_stop comes before. False: it has stopped. The socket is another's too, or its
 * address (the kernel goes on choosing it among those that have listened there together), or cannot be hidden. */
bool acceptor_leave(struct acceptor *a, void (*gone)(void *arg));
uint64_t acceptor_pauses(void); /* how often accepting had to pause, all workers; any thread */

#endif
