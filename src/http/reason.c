#include "grpc.h"

#include <stddef.h>
#include <string.h>

#define CLOSE true
#define KEEP false
#define ORIGIN true
#define OURS false

/* Proxy-Status error types as RFC 9209 2.3 names them; http_request_error covers every 4xx given on the origin's
 * behalf. */
static const struct reason core[REASON_COUNT] = {
    [REASON_NO_ROUTE] = { "no_route", 404, "No route", "destination_not_found", KEEP, OURS },
    [REASON_METHOD_NOT_ALLOWED] = { "method_not_allowed", 405, "Method not allowed", "http_request_error", KEEP, OURS },
    [REASON_BAD_REQUEST] = { "bad_request", 400, "Bad request", "http_request_error", CLOSE, OURS },
    [REASON_URI_TOO_LONG] = { "uri_too_long", 414, "Request line too long", "http_request_error", CLOSE, OURS,
                              GRPC_RESOURCE_EXHAUSTED },
    [REASON_HEADERS_TOO_LARGE] = { "headers_too_large", 431, "Header fields too large", "http_request_error", CLOSE,
                                   OURS },
    [REASON_BODY_TOO_LARGE] = { "body_too_large", 413, "Body too large", "http_request_error", CLOSE, OURS },
    [REASON_REQUEST_TIMEOUT] = { "request_timeout", 408, "Request not received in time", "http_request_error", CLOSE,
                                 OURS },
    [REASON_NO_HEALTHY_ENDPOINT] = { "no_healthy_endpoint", 503, "No healthy endpoint", "destination_unavailable", KEEP,
                                     OURS },
    [REASON_OVERFLOW_CONNECTIONS] = { "overflow_connections", 503, "Too many upstream connections",
                                      "connection_limit_reached", KEEP, OURS, GRPC_RESOURCE_EXHAUSTED },
    [REASON_OVERFLOW_PENDING] = { "overflow_pending", 503, "Too many requests waiting", "connection_limit_reached",
                                  KEEP, OURS, GRPC_RESOURCE_EXHAUSTED },
    [REASON_OVERFLOW_REQUESTS] = { "overflow_requests", 503, "Too many requests in progress",
                                   "connection_limit_reached", KEEP, OURS, GRPC_RESOURCE_EXHAUSTED },
    [REASON_DRAINING] = { "draining", 503, "Shutting down", "proxy_internal_response", CLOSE, OURS },
    [REASON_CONNECT_FAILED] = { "connect_failed", 502, "Upstream connection failed", "connection_refused", KEEP,
                                ORIGIN },
    [REASON_UPSTREAM_RESET] = { "upstream_reset", 502, "Upstream closed the connection", "connection_terminated", KEEP,
                                ORIGIN },
    [REASON_UPSTREAM_BAD_RESPONSE] = { "upstream_bad_response", 502, "Upstream response not understood",
                                       "http_protocol_error", KEEP, ORIGIN, GRPC_INTERNAL },
    [REASON_UPSTREAM_TLS_ERROR] = { "upstream_tls_error", 502, "Upstream TLS failed", "tls_protocol_error", KEEP,
                                    ORIGIN },
    [REASON_CONNECT_TIMEOUT] = { "connect_timeout", 504, "Upstream connection timed out", "connection_timeout", KEEP,
                                 ORIGIN },
    [REASON_UPSTREAM_TIMEOUT] = { "upstream_timeout", 504, "Upstream response timed out", "http_response_timeout", KEEP,
                                  ORIGIN, GRPC_DEADLINE_EXCEEDED },
    [REASON_BODY_ABORTED] = { "body_aborted", 0, "Body ended early", "http_response_incomplete", CLOSE, OURS,
                              GRPC_UNAVAILABLE },
    [REASON_CLIENT_CLOSED] = { "client_closed", 0, "Client went away", "http_request_error", CLOSE, OURS,
                               GRPC_CANCELLED },
    [REASON_LOOP_DETECTED] = { "loop_detected", 508, "Forwarding loop", "proxy_loop_detected", KEEP, OURS,
                               GRPC_INTERNAL },
    [REASON_EXPECTATION_FAILED] = { "expectation_failed", 417, "Expectation failed", "http_request_error", CLOSE, OURS,
                                    GRPC_INTERNAL },
    [REASON_STORE_UNAVAILABLE] = { "store_unavailable", 503, "Store unavailable", "proxy_internal_error", KEEP, OURS },
    [REASON_POLICY_ERROR] = { "policy_error", 500, "Policy failed", "proxy_internal_error", KEEP, OURS },
    [REASON_BODY_HOLD_EXCEEDED] = { "body_hold_exceeded", 413, "Body larger than a policy may hold",
                                    "http_request_error", CLOSE, OURS },
    [REASON_DURATION_EXCEEDED] = { "duration_exceeded", 0, "Lasted too long", "http_response_timeout", CLOSE, OURS },
};

#define ADDED_MAX 256

static const struct reason *added[ADDED_MAX];
static unsigned n_added;

const struct reason *
reason_get(enum reason_id id)
{
    return (unsigned)id < REASON_COUNT ? &core[id] : NULL;
}

const struct reason *
reason_find(const char *code)
{
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        if (strcmp(core[i].code, code) == 0)
            return &core[i];
    }
    for (unsigned i = 0; i < n_added; i++) {
        if (strcmp(added[i]->code, code) == 0)
            return added[i];
    }
    return NULL;
}

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool
same_meaning(const struct reason *a, const struct reason *b)
{
    return a->status == b->status && same_text(a->title, b->title) && same_text(a->proxy_error, b->proxy_error) &&
           a->close == b->close && a->upstream == b->upstream;
}

int
reason_add(const struct reason *row)
{
    const struct reason *known = reason_find(row->code);

    if (known)
        return same_meaning(known, row) ? 0 : -1;
    if (n_added == ADDED_MAX)
        return -1;
    added[n_added++] = row;
    return 0;
}
