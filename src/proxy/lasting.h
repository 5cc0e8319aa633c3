/*
 * lasting: an exchange that may last: a tunnel, a stream of events, or any answer where `max_duration` bounds it. Those
 * that know how take leave: a WebSocket by a Close frame, a stream of server-sent events by a well-formed end, upon
 * which its client comes again. Others can only be broken off.
 */
#ifndef PROXY_LASTING_H
#define PROXY_LASTING_H

#include "exchange.h"
#include "metrics.h"

#include <sys/queue.h>

struct lasting { /* in the exchange's arena */
    struct exchange *x;
    void (*leave)(struct exchange *x); /* NULL: it cannot */
    enum metrics_stream kind;          /* as it is counted; STREAM_NONE: it is not */
    bool leaving;
    bool listed; /* among those of its worker */
    TAILQ_ENTRY(lasting) link;
    struct timer turn; /* in a drain: when it is asked to leave */
    struct timer end;  /* max_duration; not set: none */
};

TAILQ_HEAD(lasting_list, lasting);

/* The answer's head was given to the client. Nothing happens for an exchange that is none of these. */
void lasting_begin(struct exchange *x);
void lasting_end(struct exchange *x); /* the exchange is over; where x->lasting is not NULL */
/* Takes leave, within a few seconds. false: it cannot, or does so already. */
bool lasting_leave(struct exchange *x);
/* All of a worker that can leave do so, one by one over the first half of the drain's timeout, so that not all clients
 * come again at once. */
void lasting_drain(struct proxy_worker *w);

#endif
