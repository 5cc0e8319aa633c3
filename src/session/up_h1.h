/*
 * up_h1: an HTTP/1.1 session with an origin. Carries one request at a time; what may be kept goes back to its owner
 * (the pool).
 */
#ifndef SESSION_UP_H1_H
#define SESSION_UP_H1_H

#include "../http/h1.h"
#include "stream.h"

struct up_session;

/* What the pool implements. Both come from the loop, never from inside an op or a function below. */
struct up_session_events {
    void (*on_idle)(struct up_session *u, void *arg); /* a request ended well; it may carry another */
    /* It is gone (also when the origin closes an idle one, or sends what it was not asked for); u is not valid after
     * this. */
    void (*on_closed)(struct up_session *u, void *arg);
};

/* Takes over an established conn. `events` may be NULL: then it closes after one request. */
struct up_session *up_h1_new(struct conn *c, const struct h1_limits *limits, const struct up_session_events *events,
                             void *arg);
/* Opens the stream of the next request; the session must be idle. Parsed heads go to `arena`. `in_cap`: bytes of body
 * buffered before reading stops. */
struct up_stream *up_h1_open(struct up_session *u, struct arena *arena, size_t in_cap);
void up_h1_close(struct up_session *u); /* an idle one; on_closed is not called */

struct conn *up_h1_conn(const struct up_session *u);
/* Not to be used again before: 0, or while something may come that is nobody's. */
nsec_t up_h1_rest_until(const struct up_session *u);
/* By the origin's Keep-Alive: timeout, on the monotonic clock; 0: not given. */
nsec_t up_h1_idle_until(const struct up_session *u);
unsigned up_h1_served(const struct up_session *u); /* requests so far */

#endif
