/*
 * worker: a thread with a loop and a mailbox. Number 0 is the service loop (the main thread: signals, admin, health
 * checks, DNS, reload); 1..n are the proxy workers. Ids index every per-worker shard in the process.
 */
#ifndef EVENT_WORKER_H
#define EVENT_WORKER_H

#include "loop.h"
#include "mailbox.h"

#define WORKER_MAX 256     /* service loop included */
#define WORKER_SERVICE 0u

struct worker {
    unsigned id;
    struct loop *loop;
    struct mailbox *mailbox;
    void *user;            /* proxy's per-worker state */
};

/* Creates the service worker on the calling thread and n proxy workers (threads not started). 0, or -1 with errno. */
int workers_init(unsigned n);
/* Starts the threads; on_start runs first on each of them, on_stop last: after all loops have ended and what was
 * posted to this worker has run. Either may be NULL. */
int workers_start(void (*on_start)(struct worker *), void (*on_stop)(struct worker *));
void workers_stop(void);             /* posts a stop to each and joins; from the service thread */
void workers_fini(void);             /* what was posted too late runs here, on this thread */
unsigned workers_count(void);        /* proxy workers, without the service loop */
struct worker *worker_get(unsigned id);
struct worker *worker_self(void);    /* NULL on a thread that is no worker */
unsigned worker_self_id(void);       /* WORKER_SERVICE on any other thread */
void worker_post(unsigned id, void (*fn)(void *), void *arg); /* any thread; id <= workers_count() */

#endif
