/*
 * proxy_worker: what one worker thread owns: its current generation, sessions, connection pool and acceptors.
 * Everything here is touched by that worker's thread only; the service thread reaches it by messages.
 */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include "generation.h"
#include "lasting.h"
#include "../net/proxy_intro.h"
#include "../session/down.h"
#include "../upstream/pool.h"

struct proxy_worker {
    struct worker *worker;
    struct generation *gen;           /* current; one of its workers_on */
    struct proxy_intros *intros;      /* accepted connections whose PROXY header is awaited */
    struct down_sessions *sessions;
    struct pool *pool;
    struct proxy_listener *listeners; /* one per open address */
    unsigned exchanges;               /* in flight */
    struct lasting_list lasting;      /* those of them that can take leave */
    bool draining;
};

/* On the worker's thread, first and last. */
void proxy_worker_start(struct worker *w);
void proxy_worker_stop(struct worker *w);

/* Service thread: hands a built and bound generation to every worker; done() runs there once all have it. */
void proxy_publish(struct generation *g, void (*done)(struct generation *g));
/* Service thread: from now on clients are told to close their connections. */
void proxy_leave(void);
/* Service thread: the same, and listeners stop accepting: a successor does. */
void proxy_hand_over(void);
/* Service thread: listeners stop accepting, idle sessions close, busy ones after their answer. */
void proxy_drain(void);
/* Service thread: what is still open is closed. */
void proxy_abort(void);
/* Client connections over all workers; any thread. */
unsigned proxy_sessions(void);

#endif
