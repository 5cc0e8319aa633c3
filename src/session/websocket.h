/* websocket: what weir has to know of the WebSocket handshake of HTTP/1.1 (RFC 6455) where the other side speaks
 * HTTP/2. */
#ifndef SESSION_WEBSOCKET_H
#define SESSION_WEBSOCKET_H

#include "../base/arena.h"

/* Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 4.2.2); in the arena. */
struct slice websocket_accept(struct arena *a, struct slice key);

#endif
