/*
 * reply: answers made by weir itself, as heads and bodies: refusals as problem documents (RFC 9457), what a policy
 * replied, the routes' own `respond` and `redirect`. The exchange sends them, `weir explain` shows them.
 *
 * Each begins *r anew (status, phrase, X-Request-Id), makes it x->res, adds its row to the record, and returns the
 * body. All in the exchange's arena. To a gRPC client what would be an error is trailers alone (grpc.h): x->grpc.http
 * is the status that it would have been.
 */
#ifndef PROXY_REPLY_H
#define PROXY_REPLY_H

#include "../http/reason.h"
#include "../policy/exchange.h"

struct route;

/* detail: for the client; empty: the title says it. allow: with method_not_allowed. retry_after: seconds; 0: unknown.
 */
struct refusal {
    const struct reason *reason;
    struct slice detail, allow;
    unsigned retry_after;
};

struct slice reply_refusal(struct http_response *r, struct weir_exchange *x, const struct refusal *refusal);
struct slice reply_policy(struct http_response *r, struct weir_exchange *x); /* host->reply, from x->refusal */
struct slice reply_options(struct http_response *r, struct weir_exchange *x, struct slice allow);
struct slice reply_https(struct http_response *r, struct weir_exchange *x, const struct route *route);
struct slice reply_route(struct http_response *r, struct weir_exchange *x, const struct route *route);

/* Only the document; also what the admin listener answers with. */
struct slice reply_problem(struct arena *a, const struct reason *r, struct slice detail, struct slice request_id);

#endif
