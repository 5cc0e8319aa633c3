/* forward: what of a head goes on, and what weir adds (RFC 9110 7.6). */
#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H

#include "exchange.h"

/* Before any policy looks: drops hop-by-hop fields, those Connection names, and (by default) names with underscores; settles who the client is and the request's
 * id. Nominated names can never drop a field that routing, framing or policies rely on. */
void forward_receive(struct exchange *x);
/* Once, before the first attempt: Via, X-Forwarded-*, Forwarded, X-Request-Id, traceparent. */
void forward_request(struct exchange *x);
/* The target in origin-form for this route: prefix stripped. In the exchange's arena. */
struct slice forward_target(struct exchange *x);
/* An origin's response head on its way to the client. */
void forward_response(struct exchange *x, struct http_response *r);
/* Is the request one that has come through this gateway too often (Via), or with Max-Forwards used up? */
bool forward_loops(const struct http_request *r);

#endif
