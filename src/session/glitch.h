/*
 * glitch: what a client of HTTP/2 does more often than an honest one would, counted by kind on each connection. Each
 * kind has a bucket of its own: so many at once, and so many per second in the long run. Whoever goes beyond one is cut
 * off with ENHANCE_YOUR_CALM; the log line and weir_http2_cut_off_total name the counter that tripped.
 */
#ifndef SESSION_GLITCH_H
#define SESSION_GLITCH_H

#include "../base/clock.h"

#include <stdbool.h>
#include <stdint.h>

/* id, name in logs and metrics, burst, per second */
#define GLITCH_LIST(X)                                                                                                 \
    X(RESET, "reset", 500, 33)                 /* streams given up before their answer was complete */                 \
    X(MALFORMED, "malformed", 100, 10)         /* frames and heads that break the protocol within one stream */        \
    X(HEAD, "head", 100, 10)                   /* heads beyond a limit */                                              \
    X(CONTINUATION, "continuation", 1000, 100) /* and how many one head may have is bounded besides */                 \
    X(PING, "ping", 1000, 100)                                                                                         \
    X(ACK, "ack", 1000, 100) /* answers to PING and SETTINGS that the client does not take */                          \
    X(SETTINGS, "settings", 200, 10)           /* some tune windows with it all the time */                            \
    X(PRIORITY, "priority", 2000, 200)           /* PRIORITY and PRIORITY_UPDATE */                                    \
    X(EMPTY, "empty", 200, 20)                   /* DATA without data that ends nothing */                             \
    X(WINDOW_UPDATE, "window_update", 4000, 400) /* beyond those that the DATA sent accounts for */                    \
    X(TINY, "tiny_window", 1000, 100)            /* pieces of an answer cut small by the client's window */

enum glitch_kind {
#define X(id, name, burst, rate) GLITCH_##id,
    GLITCH_LIST(X)
#undef X
        GLITCHES
};

struct glitches {
    nsec_t empty[GLITCHES]; /* when each bucket will have run dry of what was counted; in the past: nothing is in it */
};

void glitch_init(void); /* declares the metrics; idempotent, any thread */
/* One more of that kind, by a client. True: that is one too many. */
bool glitch_count(struct glitches *g, enum glitch_kind kind, nsec_t now);
/* The same without the metric, for origins. */
bool glitch_too_many(struct glitches *g, enum glitch_kind kind, nsec_t now);
void glitch_cut_off(enum glitch_kind kind); /* a connection was ended for it */
const char *glitch_name(enum glitch_kind kind);
const char *glitch_complaint(enum glitch_kind kind); /* "too many of HTTP/2's frames: ping" */
unsigned glitch_burst(enum glitch_kind kind);
unsigned glitch_rate(enum glitch_kind kind); /* per second */

#endif
