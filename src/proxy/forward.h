/* forward: what of a head goes on, and what weir adds (RFC 9110 7.6). */
#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H

#include "exchange.h"

/* Before any policy looks: settles who the client is and the request's id, and cleans the head. */
void forward_receive(struct exchange *x);
/* Drops hop-by-hop fields, those Connection names, and names with underscores unless they are allowed. Nominated names
 * can never drop a field that routing, framing or policies rely on. */
void forward_clean(struct http_request *r, bool underscores);

/* Before each attempt: Host for this endpoint, and once what forward_decorate adds. */
void forward_request(struct exchange *x);
/* Via, X-Forwarded-*, Forwarded, X-Request-Id, traceparent. What `from` wrote itself is kept only if it is trusted. */
void forward_decorate(struct http_request *r, const struct addr *from, bool trusted, struct slice id);
/* The target in origin-form for this route: prefix stripped. In the arena of r's fields. */
struct slice forward_target(const struct http_request *r, const struct route *route);
/* The request's trailers, by the rules of its head: origins that merge them into it must find nothing there that the
 * head may not have. */
void forward_trailers(struct exchange *x, struct fields *trailers);
/* An origin's response head on its way to the client. */
void forward_response(struct exchange *x, struct http_response *r);
/* An interim head (103) on the same way. */
void forward_interim(struct http_response *r);
/* Is the request one that has come through gateways of this name too often (Via)? */
bool forward_loops(const struct http_request *r);

#endif
