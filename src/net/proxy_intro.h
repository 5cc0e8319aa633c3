/*
 * proxy_intro: the time between the accept of a connection and the end of the PROXY header that introduces it. Reads
 * the header's bytes and none of what follows, then hands the connection over with the announced addresses.
 */
#ifndef NET_PROXY_INTRO_H
#define NET_PROXY_INTRO_H

#include "acceptor.h"

struct proxy_intros; /* of one worker */

struct proxy_intros *proxy_intros_new(struct loop *l);
void proxy_intros_abort(struct proxy_intros *set); /* ends all that wait */
void proxy_intros_free(struct proxy_intros *set);  /* aborts them; before the loop is freed */

/* Takes over fd. `done` comes once, later (at once when the kernel has no memory): with the fd for its next owner and
 * the addresses to go by (those given when the header announces none), or with -1 when the connection was closed: no
 * header, a wrong one (logged), not in time (0: no deadline; logged), aborted. */
void proxy_intro_start(struct proxy_intros *set, int fd, const struct addr *peer, const struct addr *local,
                       nsec_t timeout, acceptor_fn done, void *arg);

#endif
