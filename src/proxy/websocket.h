/*
 * websocket: a tunnel whose frames are followed, so that weir can take leave between two of them: both sides get a
 * Close frame (1001, going away), and what they say after that goes nowhere.
 */
#ifndef PROXY_WEBSOCKET_H
#define PROXY_WEBSOCKET_H

#include "exchange.h"

/* Has the client been switched to it? With the answer's head at hand. */
bool websocket_is(const struct exchange *x);
void websocket_begin(struct exchange *x); /* before the first bytes of the tunnel */
/* Says Close to both sides as soon as it can. The exchange ends when the client has ended its side. */
void websocket_leave(struct exchange *x);

#endif
