/*
 * reason: the table of every reason for which weir itself answers or ends an exchange. Status, title, Proxy-Status
 * error (RFC 9209 2.3), metric label, log level and whether the connection must close all come from one row. Modules
 * add rows for their own reasons at load.
 */
#ifndef HTTP_REASON_H
#define HTTP_REASON_H

#include <stdbool.h>

struct reason {
    const char *code;        /* "no_route": in problem documents, logs, metrics and gateway.conf(5) */
    int status;              /* 0: the connection is closed without an answer */
    const char *title;       /* of the problem document: short, the same every time */
    const char *proxy_error; /* RFC 9209 error type: "http_request_denied", "connection_timeout", ... */
    bool close;              /* framing is lost or the peer misbehaves: no further request on this connection */
    bool upstream;           /* the origin's doing, as against the client's or weir's own */
    int grpc;                /* enum grpc_status for a gRPC client; 0: what its status says (grpc_of_reason) */
};

/* Core reasons, by name; the table is in reason.c. */
/* clang-format off */
#define REASON_LIST(X)                                                                                      \
    X(NO_ROUTE, no_route) X(METHOD_NOT_ALLOWED, method_not_allowed) X(BAD_REQUEST, bad_request)             \
    X(URI_TOO_LONG, uri_too_long) X(HEADERS_TOO_LARGE, headers_too_large) X(BODY_TOO_LARGE, body_too_large) \
    X(REQUEST_TIMEOUT, request_timeout) X(NO_HEALTHY_ENDPOINT, no_healthy_endpoint)                         \
    X(OVERFLOW_CONNECTIONS, overflow_connections) X(OVERFLOW_PENDING, overflow_pending)                     \
    X(OVERFLOW_REQUESTS, overflow_requests) X(DRAINING, draining) X(CONNECT_FAILED, connect_failed)         \
    X(UPSTREAM_RESET, upstream_reset) X(UPSTREAM_BAD_RESPONSE, upstream_bad_response)                       \
    X(UPSTREAM_TLS_ERROR, upstream_tls_error) X(CONNECT_TIMEOUT, connect_timeout)                           \
    X(UPSTREAM_TIMEOUT, upstream_timeout) X(BODY_ABORTED, body_aborted) X(CLIENT_CLOSED, client_closed)     \
    X(LOOP_DETECTED, loop_detected) X(EXPECTATION_FAILED, expectation_failed)                               \
    X(STORE_UNAVAILABLE, store_unavailable) X(POLICY_ERROR, policy_error)                                   \
    X(BODY_HOLD_EXCEEDED, body_hold_exceeded) X(DURATION_EXCEEDED, duration_exceeded)

enum reason_id {
#define X(id, code) REASON_##id,
    REASON_LIST(X)
#undef X
    REASON_COUNT
};
/* clang-format on */

const struct reason *reason_get(enum reason_id id);
/* By code, module reasons included; NULL when unknown. */
const struct reason *reason_find(const char *code);
/* At module load, main thread, before any worker runs. Rows are borrowed for ever. -1 when a code exists with another
 * meaning, or there is no room for more (256). */
int reason_add(const struct reason *row);

#endif
