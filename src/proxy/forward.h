/*
 * forward: what of a head goes on, and what weir adds (RFC 9110 7.6). On a weir_exchange, so that `weir explain` shows
 * what an exchange would send.
 */
#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H

#include "route.h"

struct endpoint_state;
struct generation;
struct target;

/* Before any policy looks: cleans the head, and settles who the client is (x->client, and what a trusted peer says of
 * client_tls, scheme and id; without that they stay as they were). Is the peer trusted?
 * Drops hop-by-hop fields, those Connection names, names with underscores unless they are allowed, and of strangers
 * what only proxies say (X-Forwarded-*, X-Real-IP, X-Original-URL ...). Nominated names can never drop a field that
 * routing, framing or policies rely on. */
bool forward_receive(struct weir_exchange *x, const struct generation *g, const struct addr *peer);
struct slice forward_new_id(struct arena *arena);

/* The Host for this endpoint (NULL: not known yet); before each attempt. */
void forward_host(struct weir_exchange *x, const struct target *t, const struct endpoint_state *e);
/* Once: Via, X-Forwarded-*, Forwarded, X-Request-Id, traceparent. What `from` wrote itself is kept only when it is
 * trusted. */
/* Client-Cert, where the upstream wants it and there is one (RFC 9440). */
void forward_client_cert(struct weir_exchange *x, const struct target *t);
void forward_decorate(struct weir_exchange *x, const struct addr *from, bool trusted);
/* The target in origin-form for this route: prefix stripped. In the arena of r's fields. */
struct slice forward_target(const struct http_request *r, const struct route *route);
/* The request's trailers, by the rules of its head: origins that merge them into it must find nothing there that the
 * head may not have. */
void forward_trailers(const struct weir_exchange *x, bool underscores, struct fields *trailers);
/* An origin's response head on its way to the client. Returns what its Connection has named: the trailers lose it
 * too. */
struct field_names *forward_response(struct http_response *r, struct slice id);
/* An interim head (103) on the same way. */
void forward_interim(struct http_response *r);
/* Is the request one that has come through gateways of this name too often (Via)? */
bool forward_loops(const struct http_request *r);

#endif
