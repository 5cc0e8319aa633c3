/*
 * field: a list of header (or trailer) fields in order of arrival. Names and values are slices: into the head that was
 * received, a static string, or the exchange's arena; the list itself lives in an arena. Well-known names carry a
 * token, so that looking one up compares integers.
 *
 * The list checks nothing: whoever adds a name or a value that did not come out of a parsed head asks field_is_token
 * and field_is_value first.
 */
#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include "../base/arena.h"
#include "../base/slice.h"

#include <stdint.h>

/* The names weir itself looks at, and the most frequent others (a known name needs no further check), in canonical
 * spelling. FIELD_OTHER for the rest. token.c makes a hash table of these rows; a name has at most 32 bytes. */
/* clang-format off */
#define FIELD_LIST(X)                                                                                       \
    X(HOST, "Host") X(CONTENT_LENGTH, "Content-Length") X(TRANSFER_ENCODING, "Transfer-Encoding")           \
    X(CONNECTION, "Connection") X(UPGRADE, "Upgrade") X(TE, "TE") X(TRAILER, "Trailer") X(EXPECT, "Expect") \
    X(KEEP_ALIVE, "Keep-Alive") X(PROXY_CONNECTION, "Proxy-Connection")                                     \
    X(PROXY_AUTHENTICATE, "Proxy-Authenticate") X(PROXY_AUTHORIZATION, "Proxy-Authorization")               \
    X(PROXY_STATUS, "Proxy-Status") X(VIA, "Via") X(FORWARDED, "Forwarded")                                 \
    X(X_FORWARDED_FOR, "X-Forwarded-For") X(X_FORWARDED_PROTO, "X-Forwarded-Proto")                         \
    X(X_FORWARDED_HOST, "X-Forwarded-Host") X(X_FORWARDED_PORT, "X-Forwarded-Port")                         \
    X(X_FORWARDED_PREFIX, "X-Forwarded-Prefix") X(X_REAL_IP, "X-Real-IP") X(X_REQUEST_ID, "X-Request-Id")   \
    X(TRACEPARENT, "traceparent") X(TRACESTATE, "tracestate") X(AUTHORIZATION, "Authorization")             \
    X(COOKIE, "Cookie") X(SET_COOKIE, "Set-Cookie") X(DATE, "Date") X(SERVER, "Server")                     \
    X(CONTENT_TYPE, "Content-Type") X(LOCATION, "Location") X(ALLOW, "Allow") X(RETRY_AFTER, "Retry-After") \
    X(WWW_AUTHENTICATE, "WWW-Authenticate") X(MAX_FORWARDS, "Max-Forwards")                                 \
    X(HTTP2_SETTINGS, "HTTP2-Settings") X(CLIENT_CERT, "Client-Cert")                                       \
    X(CLIENT_CERT_CHAIN, "Client-Cert-Chain") X(USER_AGENT, "User-Agent")                                   \
    X(RATELIMIT, "RateLimit") X(RATELIMIT_POLICY, "RateLimit-Policy") X(ACCEPT, "Accept")                   \
    X(ACCEPT_ENCODING, "Accept-Encoding") X(ACCEPT_LANGUAGE, "Accept-Language")                             \
    X(ACCEPT_RANGES, "Accept-Ranges") X(AGE, "Age") X(CACHE_CONTROL, "Cache-Control")                       \
    X(CONTENT_ENCODING, "Content-Encoding") X(CONTENT_LANGUAGE, "Content-Language")                         \
    X(CONTENT_RANGE, "Content-Range") X(ETAG, "ETag") X(EXPIRES, "Expires")                                 \
    X(IDEMPOTENCY_KEY, "Idempotency-Key") X(IF_MATCH, "If-Match") X(IF_MODIFIED_SINCE, "If-Modified-Since") \
    X(IF_NONE_MATCH, "If-None-Match") X(IF_RANGE, "If-Range") X(IF_UNMODIFIED_SINCE, "If-Unmodified-Since") \
    X(LAST_MODIFIED, "Last-Modified") X(LINK, "Link") X(ORIGIN, "Origin") X(PRAGMA, "Pragma")               \
    X(PRIORITY, "Priority") X(RANGE, "Range") X(REFERER, "Referer") X(SEC_CH_UA, "Sec-CH-UA")               \
    X(SEC_CH_UA_MOBILE, "Sec-CH-UA-Mobile") X(SEC_CH_UA_PLATFORM, "Sec-CH-UA-Platform")                     \
    X(SEC_FETCH_DEST, "Sec-Fetch-Dest") X(SEC_FETCH_MODE, "Sec-Fetch-Mode")                                 \
    X(SEC_FETCH_SITE, "Sec-Fetch-Site") X(SEC_FETCH_USER, "Sec-Fetch-User")                                 \
    X(SEC_WEBSOCKET_ACCEPT, "Sec-WebSocket-Accept") X(SEC_WEBSOCKET_KEY, "Sec-WebSocket-Key")               \
    X(SEC_WEBSOCKET_VERSION, "Sec-WebSocket-Version")                                                       \
    X(STRICT_TRANSPORT_SECURITY, "Strict-Transport-Security")                                               \
    X(UPGRADE_INSECURE_REQUESTS, "Upgrade-Insecure-Requests") X(VARY, "Vary") X(X_API_KEY, "X-API-Key")     \
    X(X_CONTENT_TYPE_OPTIONS, "X-Content-Type-Options") X(X_POWERED_BY, "X-Powered-By")

enum field_id {
    FIELD_OTHER,
#define X(id, name) FIELD_##id,
    FIELD_LIST(X)
#undef X
    FIELD_COUNT
};
/* clang-format on */

struct field {
    struct slice name;  /* as received or written; compared without case */
    struct slice value; /* without surrounding white space */
    uint16_t id;        /* enum field_id */
    /* From a head that ends with CRLF behind this value, in which "Name: value" stood so. field_line asks whether it
     * still does. */
    bool as_received;
};

/* Does name.p begin the whole line as it is written out, CRLF included? Then it can be copied in one piece. */
static inline bool
field_line(const struct field *f)
{
    return f->as_received && f->value.p == f->name.p + f->name.n + 2 && memcmp(f->value.p + f->value.n, "\r\n", 2) == 0;
}

static inline const char *
field_line_end(const struct field *f)
{
    return f->value.p + f->value.n + 2;
}

/* Some of the known names. */
struct field_set {
    uint64_t bits[2]; /* by enum field_id */
};

static inline bool
field_set_has(const struct field_set *set, enum field_id id)
{
    return set->bits[id / 64u] >> (id % 64u) & 1;
}

struct fields {
    struct field *v;
    unsigned n, room;
    struct arena *arena;
    struct field_set ids; /* no field of another id is in the list: most questions are answered by that */
};

/* A list of names, NULL when it is empty. */
struct field_names {
    struct slice name;
    struct field_names *next;
};

/* The list with one more in front. The name is not copied. */
struct field_names *field_names_add(struct field_names *list, struct slice name, struct arena *arena);

enum field_id field_lookup(struct slice name); /* any case */
const char *field_name(enum field_id id); /* canonical spelling for the wire: "Content-Length"; "" for FIELD_OTHER */
struct slice field_name_slice(enum field_id id);
struct slice field_name_lower(enum field_id id); /* the same in lower case, as HTTP/2 has it */

void fields_init(struct fields *f, struct arena *arena);
void fields_grow(struct fields *f); /* room for one more */

/* For parsers that know the id of `name` already. Valid until the list changes. */
static inline struct field *
fields_push(struct fields *f, struct slice name, struct slice value, enum field_id id)
{
    if (f->n == f->room)
        fields_grow(f);
    f->ids.bits[id / 64u] |= UINT64_C(1) << (id % 64u);
    f->v[f->n] = (struct field){ .name = name, .value = value, .id = (uint16_t)id };
    return &f->v[f->n++];
}

void fields_add(struct fields *f, struct slice name, struct slice value);   /* slices are kept, not copied */
void fields_add_id(struct fields *f, enum field_id id, struct slice value); /* not FIELD_OTHER */
struct field *fields_search(const struct fields *f, enum field_id id); /* fields_find, once it may be there */
/* First field of that id or name, or NULL. Valid until the list changes. */
static inline struct field *
fields_find(const struct fields *f, enum field_id id)
{
    return field_set_has(&f->ids, id) ? fields_search(f, id) : NULL;
}

struct field *fields_find_name(const struct fields *f, struct slice name);
struct field *fields_next(const struct fields *f, const struct field *after); /* the next of the same name */
/* Value of the first field of that id; empty: none, or empty. */
struct slice fields_value(const struct fields *f, enum field_id id);
unsigned fields_count(const struct fields *f, enum field_id id);
unsigned fields_cut_out(struct fields *f, enum field_id id); /* fields_remove, once one may be there */
/* All of them; returns how many. */
static inline unsigned
fields_remove(struct fields *f, enum field_id id)
{
    return field_set_has(&f->ids, id) ? fields_cut_out(f, id) : 0;
}

unsigned fields_remove_name(struct fields *f, struct slice name);
void fields_set(struct fields *f, struct slice name, struct slice value); /* removes all of that name, adds one */
void fields_set_id(struct fields *f, enum field_id id, struct slice value);

/* Does it belong to one connection only (RFC 9110 7.6.1), whether Connection names it or not? */
bool field_hop_by_hop(enum field_id id);
/* Do framing, routing, policies or the origin rely on it, so that a peer must not be able to take it away by naming it
 * in Connection, nor bring it in by a trailer? */
bool field_relied_on(enum field_id id);
/* Removes the hop-by-hop fields, and what Connection names unless it is relied on. Returns the names of the latter, in
 * the arena: they are of this hop in the trailers too (RFC 9110 7.6.1). */
struct field_names *fields_remove_hop_by_hop(struct fields *f);

/* Is `token` a member of a comma-separated list field (any of its lines, any case)? */
bool fields_list_has(const struct fields *f, enum field_id id, struct slice token);
/* Steps through a comma-separated value: false at the end. Empty members are skipped (RFC 9110 5.6.1). A comma inside a
 * quoted string does not separate. */
bool field_list_next(struct slice *rest, struct slice *member);

/* All that most Connection fields say, in the spelling that most have: no name of a field. */
static inline bool
field_is_plain_option(struct slice connection)
{
    return slice_eq(connection, SLICE("keep-alive")) || slice_eq(connection, SLICE("close"));
}

/* The same name to an origin that makes no difference between '_' and '-', nor of case? */
bool field_names_alike(struct slice a, struct slice b);

bool field_is_token(struct slice s); /* RFC 9110 5.6.2, not empty */
bool field_is_value(struct slice s); /* RFC 9110 5.5: no control bytes but HTAB; no CR, LF, NUL */

/* The value of cookie NAME (RFC 6265 4.2), first match over all Cookie lines; false: none. Quotes are part of the
 * value. */
bool cookie_find(const struct fields *f, struct slice name, struct slice *value);

#endif
