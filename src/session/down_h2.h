/*
 * down_h2: an HTTP/2 session with a client (RFC 9113), on nghttp2, which does frames, HPACK, windows and the order in
 * which streams are served (RFC 9218 urgencies); the bytes are moved here. Each request is a down_stream of its own.
 *
 * Flow: what a client may send of a body before somebody takes it is its stream's window, DOWN_IN_CAP; the window of
 * the connection is given back as bytes arrive, so that one request that nobody reads never holds up another. What
 * waits for the client has a cap per stream, which shrinks while many wait (H2_OUT_*). Who does not read what is
 * written is not read from.
 *
 * Deadlines: those of HTTP/1.1, for each stream: body progress and rate; what waits for its window. For the connection:
 * idle, a head that does not come to its end, what waits in the socket. Abuse: glitch.h, and the bounds of nghttp2.
 *
 * Malformed heads that nghttp2 finds end with RST_STREAM (RFC 9113 8.1.1); the handler is told by on_bad_request all
 * the same, its answer goes nowhere. All others are answered. Leaving: GOAWAY in two steps (RFC 9113 6.8).
 */
#ifndef SESSION_DOWN_H2_H
#define SESSION_DOWN_H2_H

#include "down.h"

/* Takes over c, whose client has chosen HTTP/2, and what came from it already (emptied). It counts as the session that
 * it was before: the handler is told of its end only. */
void down_h2_start(struct down_sessions *set, struct conn *c, const struct down_source *source, struct iobuf *early);

#endif
