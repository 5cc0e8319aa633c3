/*
 * grpc: what is different about an exchange whose client speaks gRPC. Its client has a deadline of its own; how an
 * answer has ended stands in the trailers; answers of weir's own are trailers alone (a head that ends the stream:
 * HTTP 200, grpc-status, grpc-message), since a gRPC client reads no documents.
 *
 * On a weir_exchange where `weir explain` needs it too. Nothing here is asked unless px.grpc.is.
 */
#ifndef PROXY_GRPC_H
#define PROXY_GRPC_H

#include "../http/grpc.h"
#include "../policy/exchange.h"

struct exchange;

/* Of a request by HTTP/2 (`weir explain` has no protocol, and asks of every one), and of what policies have made of
 * others: sets x->grpc.is for a POST of that content type. */
void grpc_receive(struct weir_exchange *x);
/* Before policies see a request of another version: whether it has that content type without being a call, so that
 * nobody takes it for one that a policy has made. */
void grpc_note_claim(struct weir_exchange *x);
/* Its grpc-timeout into x->grpc.timeout. What is wrong with it; NULL: nothing. */
const char *grpc_refuses_timeout(struct weir_exchange *x);

/* Makes a head of weir's own, begun with the status that HTTP has for it, one of trailers alone. */
void grpc_reply(struct http_response *r, struct weir_exchange *x, enum grpc_status status, struct slice message);
/* When policies have edited such a head: a Retry-After is said in the words of gRPC too (proposal A6). */
void grpc_pushback(struct weir_exchange *x);

/* The route's deadline is set: the client's joins it. false: that is over already. */
bool grpc_begin(struct exchange *x);
/* Was it the client's own deadline that has passed? */
bool grpc_gave_up(const struct exchange *x);
/* Then a row for the record, and what is to be said of it. */
const char *grpc_record_timeout(struct exchange *x, const char *reason, const char *what);
/* Before an attempt is sent: the origin has no more time than what is left. */
void grpc_shorten(struct exchange *x);

/* Is each message of the request so far no longer than max_body, which bounds the whole of other bodies? Of one that a
 * policy rewrites nobody knows the messages: it is bounded as a whole. */
bool grpc_within_cap(struct exchange *x);

/* The origin's head is there. Does it settle how the call has ended: an answer of trailers alone, or none of gRPC?
 * *status: for those who count, then. */
bool grpc_settled(struct exchange *x, int *status);
bool grpc_trailers_only(const struct exchange *x); /* is its head all of the origin's answer? */
bool grpc_told_to_wait(const struct exchange *x);  /* by the origin, before it is asked again (A6) */
/* All of the answer has come: the attempt is settled by its grpc-status. */
void grpc_ended(struct exchange *x);
/* The answer has begun and cannot be completed: ends it with this status, by way of the policies that look at its body.
 * false: not the way to end this one, which is none of gRPC, or they refuse. */
bool grpc_cut(struct exchange *x, enum grpc_status status, struct slice message);
bool grpc_cut_refused(struct exchange *x); /* the same for the reason of a policy */
void grpc_count(struct exchange *x); /* at the end, once */

#endif
