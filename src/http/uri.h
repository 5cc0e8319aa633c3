/*
 * uri: request targets (RFC 9112 3.2) and the one canonical form of a path that routing, policies, logs and the origin share.
 * Canonical: percent-encoded unreserved bytes decoded, other escapes in upper case, dot segments removed, "//" merged.
 * Refused: invalid escapes, %00, control bytes, `\`, ".." above the root, and by default %2F and %5C.
 */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include "../base/arena.h"
#include "message.h"

enum uri_slashes { URI_SLASHES_REFUSE, URI_SLASHES_KEEP, URI_SLASHES_DECODE };

struct uri_rules {
    enum uri_slashes encoded_slashes;
    bool keep_double_slashes;
};

/* Fills path, query, has_query (and, for absolute-form, scheme and authority) of r from r->target. When the path is already
 * canonical r->path points into the target; otherwise into the arena. NULL when good, else a static text saying what is wrong. */
const char *uri_parse_target(struct http_request *r, const struct uri_rules *rules, struct arena *arena);
/* Splits r->authority into host (lower-cased) and port. NULL when good. */
const char *uri_parse_authority(struct http_request *r, struct arena *arena);

/* An absolute http(s) URL as an operator writes it (JWKS, explain). false: not one. */
struct url {
    bool tls;
    struct slice host; /* without brackets for IPv6 */
    uint16_t port;     /* default filled in */
    struct slice authority, path_query; /* path_query starts with '/' (or is "/") */
};
bool url_parse(struct slice s, struct url *u);

/* Percent-decoded value of query argument NAME, '+' as space; false: none. Decoded into the arena only when it needs it. */
bool query_find(struct slice query, struct slice name, struct arena *arena, struct slice *value);

#endif
