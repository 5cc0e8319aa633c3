/*
 * grpc: what gRPC over HTTP/2 (PROTOCOL-HTTP2) adds to heads and trailers: its content types, its time-out, its status
 * codes and their message, and what they mean to those that count in HTTP statuses.
 */
#ifndef HTTP_GRPC_H
#define HTTP_GRPC_H

#include "message.h"
#include "reason.h"

/* The status codes with their words in configurations and in `why`. */
/* clang-format off */
#define GRPC_STATUS_LIST(X)                                                                           \
    X(OK, ok) X(CANCELLED, cancelled) X(UNKNOWN, unknown) X(INVALID_ARGUMENT, invalid_argument)       \
    X(DEADLINE_EXCEEDED, deadline_exceeded) X(NOT_FOUND, not_found) X(ALREADY_EXISTS, already_exists) \
    X(PERMISSION_DENIED, permission_denied) X(RESOURCE_EXHAUSTED, resource_exhausted)                 \
    X(FAILED_PRECONDITION, failed_precondition) X(ABORTED, aborted) X(OUT_OF_RANGE, out_of_range)     \
    X(UNIMPLEMENTED, unimplemented) X(INTERNAL, internal) X(UNAVAILABLE, unavailable)                 \
    X(DATA_LOSS, data_loss) X(UNAUTHENTICATED, unauthenticated)

enum grpc_status {
#define X(id, word) GRPC_##id,
    GRPC_STATUS_LIST(X)
#undef X
    GRPC_STATUS_COUNT
};
/* clang-format on */

const char *grpc_status_name(enum grpc_status s);                /* "UNAVAILABLE": in metrics and variables */
const char *grpc_status_word(enum grpc_status s);                /* "unavailable" */
bool grpc_status_find(struct slice word, enum grpc_status *out); /* by its word; false: there is none */
/* The value of a grpc-status field. What is no code, or one that nobody knows, is UNKNOWN. */
enum grpc_status grpc_status_parse(struct slice value);

/* application/grpc, application/grpc+proto ...; not application/grpc-web, which is another protocol. Parameters are
 * allowed. */
bool grpc_content_type(struct slice value);

/* The value of a grpc-timeout field: 1 to 8 digits and one of H M S m u n. -1: it is not that. The specification says
 * "positive", but clients whose time is up send 0, and mean it. At most a century. */
int grpc_timeout_parse(struct slice value, nsec_t *out);
#define GRPC_TIMEOUT_MAX 10 /* bytes of what is written */
/* Writes the longest time-out that is not longer than `left` (at least 1n), as finely as 8 digits can say it. Returns
 * how many bytes. */
size_t grpc_timeout_write(char out[GRPC_TIMEOUT_MAX], nsec_t left);

/* What a gRPC client makes of an HTTP status without a grpc-status (http-grpc-status-mapping). */
enum grpc_status grpc_of_http(int status);
/* What weir tells a gRPC client whom it answers for this reason: known better than by the HTTP status alone. */
enum grpc_status grpc_of_reason(const struct reason *r);
/* The HTTP status that says the same, for those that count by it: breakers, outlier detection, modules. 5xx are the
 * failures of an origin. UNIMPLEMENTED is none of them (404, which gRPC clients read so): else anybody who calls a
 * method that does not exist could open a breaker. */
int grpc_to_http(enum grpc_status s);

/* The messages of a body as it comes: five bytes before each, the last four of which are its length. Zero it first. */
struct grpc_framing {
    uint64_t seen;   /* bytes of the body so far */
    uint32_t length; /* of the message that is coming, as far as its prefix is there; then what is left of it */
    unsigned prefix; /* bytes of the prefix that are there */
};
/* The next bytes of the body. False: they begin a message longer than `max`. */
bool grpc_framing_within(struct grpc_framing *m, struct slice bytes, uint64_t max);

/* grpc-message: percent-encoded where it is not printable ASCII. In the arena, or the text itself. */
struct slice grpc_message(struct arena *a, struct slice text);

#endif
