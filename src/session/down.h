/*
 * down: sessions with clients, whatever protocol they speak: what a listener says about them, and the set of all of one
 * worker, through which they are told to leave.
 */
#ifndef SESSION_DOWN_H
#define SESSION_DOWN_H

#include "../http/h1.h"
#include "stream.h"

struct down_conf { /* of a listener, in a generation; a session copies what it needs when it begins a request */
    struct h1_limits limits;
    nsec_t head_timeout, body_timeout, idle_timeout, write_timeout; /* body, write: without any progress. 0: none */
    /* Bytes per second below which a body, or the reading of an answer, ends like one without progress once the time
     * for that is used up (patience.h). 0: one byte in time is enough. */
    uint64_t body_rate, response_rate;
    uint64_t keepalive_requests; /* 0: no bound */
    bool http2;                  /* clients may speak HTTP/2: by ALPN on TLS, else by its preface */
    unsigned streams;            /* requests at a time on one connection of HTTP/2 */
    struct uri_rules uri;
};

struct down_session;
struct down_sessions; /* all sessions of one worker: idle list for drain, counts */

struct down_sessions *down_sessions_new(struct loop *l);
/* Aborts what there is; before the loop is freed, and not from a callback of a session. */
void down_sessions_free(struct down_sessions *set);
unsigned down_sessions_count(const struct down_sessions *set);
/* From now on every answer says Connection: close; idle sessions stay. Before down_sessions_drain, so that clients
 * have left by themselves when that comes: a session that is closed while idle may cross the client's next request. */
void down_sessions_leave(struct down_sessions *set);
/* Idle sessions are closed (a session whose client is about to send gets its one more answer with Connection: close),
 * busy ones close after their answer. New sessions from then on get Connection: close too. */
void down_sessions_drain(struct down_sessions *set);
/* Closes everything at once: the end of the drain's timeout. Open streams get on_abort (draining). */
void down_sessions_abort(struct down_sessions *set);

/* Where a session gets its listener's settings and handler: asked before each request, so that it follows reloads. What
 * is returned must live until it asks again. */
struct down_source {
    const struct down_conf *(*conf)(void *arg);
    const struct down_handler *(*handler)(void *arg);
    void *arg;
};

#endif
