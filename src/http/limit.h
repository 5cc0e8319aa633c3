/*
 * limit: the bounds that a listener sets for its clients, by the names that gateway.conf gives them, so that whoever
 * hits one is told which it was and how much it allows.
 */
#ifndef HTTP_LIMIT_H
#define HTTP_LIMIT_H

#include "../base/arena.h"

#include <stdint.h>

enum limit_unit { LIMIT_BYTES, LIMIT_COUNT, LIMIT_RATE, LIMIT_TIME /* nanoseconds */ };

/* clang-format off */
#define LIMIT_LIST(X)                                                                                              \
    X(REQUEST_LINE, "limits", "request_line", BYTES) X(FIELD, "limits", "field", BYTES)                            \
    X(HEAD, "limits", "head", BYTES) X(FIELDS, "limits", "fields", COUNT)                                          \
    X(REQUESTS, "limits", "requests", COUNT) X(STREAMS, "limits", "streams", COUNT)                                \
    X(CONNECTIONS, "limits", "connections", COUNT)                        \
    X(CONNECTIONS_PER_CLIENT, "limits", "connections_per_client", COUNT) X(BODY_RATE, "limits", "body_rate", RATE) \
    X(RESPONSE_RATE, "limits", "response_rate", RATE) X(HEAD_TIME, "timeouts", "head", TIME)                       \
    X(BODY_TIME, "timeouts", "body", TIME) X(IDLE_TIME, "timeouts", "idle", TIME)                                  \
    X(WRITE_TIME, "timeouts", "write", TIME)

enum limit_id {
    LIMIT_NONE,
#define X(id, block, name, unit) LIMIT_##id,
    LIMIT_LIST(X)
#undef X
    LIMITS
};
/* clang-format on */

const char *limit_block(enum limit_id id); /* "limits" or "timeouts"; "" for LIMIT_NONE */
const char *limit_name(enum limit_id id);  /* "request_line"; "" for LIMIT_NONE */
/* What was wrong and by which bound: "a field longer than the limit: `limits field` is 8192 bytes". NUL-terminated. */
struct slice limit_detail(struct arena *a, enum limit_id id, int64_t value, const char *what);
/* The same for a bound of another name: "`max_body` is 1048576 bytes". */
struct slice limit_words(struct arena *a, const char *name, enum limit_unit unit, int64_t value, const char *what);

#endif
