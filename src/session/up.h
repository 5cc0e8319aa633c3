/*
 * up: a session with an origin, whatever protocol it speaks: it carries one request at a time (up_h1), or many (up_h2).
 * Who opens streams on it is its owner (the pool, a fetch).
 */
#ifndef SESSION_UP_H
#define SESSION_UP_H

#include "stream.h"

struct up_session;

/* What the owner implements. All come from the loop, never from inside an op or a function below. */
struct up_session_events {
    /* So many streams have been released since it was last called. up_room says how many may be opened; when it says
     * none and no stream is open, on_closed follows. */
    void (*on_released)(struct up_session *u, unsigned n, void *arg);
    /* It is gone (also when the origin closes an idle one, or sends what it was not asked for), and no stream is open;
     * u is not valid after this. */
    void (*on_closed)(struct up_session *u, void *arg);
};

/* Opens the stream of the next request; up_room must not be 0. Parsed heads go to `arena`. `in_cap`: bytes of body
 * buffered before reading stops. */
struct up_stream *up_open(struct up_session *u, struct arena *arena, size_t in_cap);
void up_close(struct up_session *u); /* without open streams; on_closed is not called */

unsigned up_streams(const struct up_session *u);  /* open now */
unsigned up_room(const struct up_session *u);     /* how many more the origin takes now */
unsigned up_most(const struct up_session *u);     /* at a time, by what the origin has said; 0: nothing yet */
struct conn *up_conn(const struct up_session *u); /* NULL once closed */
/* Not to be used again before: 0, or while something may come that is nobody's. */
nsec_t up_rest_until(const struct up_session *u);
/* By the origin's Keep-Alive: timeout, on the monotonic clock; 0: not given. */
nsec_t up_idle_until(const struct up_session *u);
unsigned up_served(const struct up_session *u); /* requests so far */

/* Does an established conn carry HTTP/2? What ALPN has agreed on; without TLS, what was `told`. */
bool up_carries_h2(const struct conn *c, bool told);
/* What is wrong where it must, and does not. */
#define UP_NO_H2 "the server did not agree on HTTP/2 (ALPN h2)"

#endif
