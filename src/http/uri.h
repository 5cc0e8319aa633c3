/*
 * uri: request targets (RFC 9112 3.2) and the one canonical form of a path that routing, policies, logs and the origin
 * share. Canonical: percent-encoded unreserved bytes decoded, other escapes in upper case, bytes that RFC 3986 does not
 * allow in a path encoded, dot segments removed, "//" merged unless the rules keep them. Refused: invalid escapes,
 * control bytes even if encoded, `\`, bytes from 0x80 on that are not encoded, ".." above the root, dot segments with
 * parameters ("..;", which some origins take for ".."), and by default %2F and %5C.
 */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include "../base/arena.h"
#include "message.h"

/* What becomes of %2F and %5C. Decoding makes %2F a separator; %5C stays encoded, since a bare `\` is refused. Beside
 * one that stays encoded a dot segment is refused: an origin that decodes would leave the path that was routed. */
enum uri_slashes { URI_SLASHES_REFUSE, URI_SLASHES_KEEP, URI_SLASHES_DECODE };

struct uri_rules {
    enum uri_slashes encoded_slashes;
    bool keep_double_slashes;
    bool refuse_parameters; /* `;`, also as %3B: some origins cut "/a;x/b" to "/a/b" */
};

/* Fills path, query, has_query (and, for absolute-form, scheme and authority; for CONNECT, authority) of r from
 * r->target and r->method. When the path is already canonical r->path points into the target; otherwise into the arena.
 * NULL when good, else a static text saying what is wrong. `rules` may be NULL: the defaults. */
const char *uri_parse_target(struct http_request *r, const struct uri_rules *rules, struct arena *arena);
/* Splits r->authority into host (lower-cased) and port. An empty authority is refused. NULL when good. */
const char *uri_parse_authority(struct http_request *r, struct arena *arena);

/* The canonical form of a path that starts with '/', without a query. NULL when good, as above. */
const char *uri_canonical_path(struct slice path, const struct uri_rules *rules, struct arena *arena,
                               struct slice *out);
/* Checks host[:port] (no user information, no empty port; IPv6 in brackets) and splits it: host as written, but without
 * a trailing dot. *port is -1 when there is none. NULL when good. */
const char *uri_split_authority(struct slice authority, struct slice *host, int *port);

/* An absolute http(s) URL as an operator writes it (JWKS, explain), without user information and fragment. All slices
 * point into `s`, so a query needs a path before it. false: not one. */
struct url {
    bool tls;
    struct slice host;                  /* without brackets for IPv6 */
    uint16_t port;                      /* default filled in */
    struct slice authority, path_query; /* path_query starts with '/' (or is "/") */
};
bool url_parse(struct slice s, struct url *u);

/* Decodes %XX; what is not a valid escape stays as it is. Points into s when there is nothing to decode. */
struct slice uri_decode(struct slice s, bool plus_is_space, struct arena *arena);
/* Percent-decoded value of query argument NAME, '+' as space; false: none. The first of several. Decoded into the arena
 * only when it needs it. */
bool query_find(struct slice query, struct slice name, struct arena *arena, struct slice *value);

#endif
