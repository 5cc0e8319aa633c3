/* up_h2: an HTTP/2 session with an origin (RFC 9113, on nghttp2): many requests at a time. */
#ifndef SESSION_UP_H2_H
#define SESSION_UP_H2_H

#include "../http/h1.h"
#include "up.h"

/* Takes over an established conn: ALPN said h2, or the origin is known to speak it (RFC 9113 3.3). `untold`: requests
 * at a time until the origin has said how many, 0: 100. `events` may be NULL: then it closes when no stream is open any
 * more.
 *
 * up_stream.reused is also set where the origin is known not to have looked at the request (REFUSED_STREAM, or beyond
 * the last stream of a GOAWAY); `wrote` is not set then (RFC 9113 8.7).
 *
 * An Upgrade to websocket goes as an extended CONNECT (RFC 8441) to an origin that takes it, and what it answers comes
 * back as the 101 of HTTP/1.1; to others, and to anything else, the request goes without the offer. */
struct up_session *up_h2_new(struct conn *c, const struct h1_limits *limits, unsigned untold,
                             const struct up_session_events *events, void *arg);

#endif
