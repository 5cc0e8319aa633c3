/*
 * field: a list of header (or trailer) fields in order of arrival. Names and values are slices: into the head that was received, a
 * static string, or the exchange's arena; the list itself lives in an arena. Well-known names carry a token, so that looking one up
 * compares integers.
 */
#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include "../base/arena.h"
#include "../base/slice.h"

#include <stdint.h>

/* The names weir itself looks at. FIELD_OTHER for the rest. The table is token.c, a perfect hash over these rows. */
#define FIELD_LIST(X)                                                                                                     \
    X(HOST, "host") X(CONTENT_LENGTH, "content-length") X(TRANSFER_ENCODING, "transfer-encoding") X(CONNECTION, "connection") \
    X(UPGRADE, "upgrade") X(TE, "te") X(TRAILER, "trailer") X(EXPECT, "expect") X(KEEP_ALIVE, "keep-alive")               \
    X(PROXY_CONNECTION, "proxy-connection") X(PROXY_AUTHENTICATE, "proxy-authenticate")                                   \
    X(PROXY_AUTHORIZATION, "proxy-authorization") X(PROXY_STATUS, "proxy-status") X(VIA, "via") X(FORWARDED, "forwarded") \
    X(X_FORWARDED_FOR, "x-forwarded-for") X(X_FORWARDED_PROTO, "x-forwarded-proto") X(X_FORWARDED_HOST, "x-forwarded-host") \
    X(X_FORWARDED_PORT, "x-forwarded-port") X(X_FORWARDED_PREFIX, "x-forwarded-prefix") X(X_REAL_IP, "x-real-ip")         \
    X(X_REQUEST_ID, "x-request-id") X(TRACEPARENT, "traceparent") X(TRACESTATE, "tracestate")                             \
    X(AUTHORIZATION, "authorization") X(COOKIE, "cookie") X(SET_COOKIE, "set-cookie") X(DATE, "date") X(SERVER, "server") \
    X(CONTENT_TYPE, "content-type") X(LOCATION, "location") X(ALLOW, "allow") X(RETRY_AFTER, "retry-after")               \
    X(WWW_AUTHENTICATE, "www-authenticate") X(MAX_FORWARDS, "max-forwards") X(HTTP2_SETTINGS, "http2-settings")           \
    X(CLIENT_CERT, "client-cert") X(USER_AGENT, "user-agent") X(RATELIMIT, "ratelimit") X(RATELIMIT_POLICY, "ratelimit-policy")

enum field_id {
    FIELD_OTHER,
#define X(id, name) FIELD_##id,
    FIELD_LIST(X)
#undef X
    FIELD_COUNT
};

struct field {
    struct slice name;  /* as received or written; compared without case */
    struct slice value; /* without surrounding white space */
    uint16_t id;        /* enum field_id */
};

struct fields {
    struct field *v;
    unsigned n, room;
    struct arena *arena;
};

enum field_id field_lookup(struct slice name);       /* any case */
const char *field_name(enum field_id id);            /* canonical spelling for the wire: "Content-Length" */

void fields_init(struct fields *f, struct arena *arena);
void fields_add(struct fields *f, struct slice name, struct slice value);      /* slices are kept, not copied */
void fields_add_id(struct fields *f, enum field_id id, struct slice value);
/* First field of that id or name, or NULL. Valid until the list changes. */
struct field *fields_find(const struct fields *f, enum field_id id);
struct field *fields_find_name(const struct fields *f, struct slice name);
struct field *fields_next(const struct fields *f, const struct field *after);  /* the next of the same name */
unsigned fields_count(const struct fields *f, enum field_id id);
unsigned fields_remove(struct fields *f, enum field_id id);                    /* all of them; returns how many */
unsigned fields_remove_name(struct fields *f, struct slice name);
void fields_set(struct fields *f, struct slice name, struct slice value);      /* removes all of that name, adds one */
void fields_set_id(struct fields *f, enum field_id id, struct slice value);

/* Is `token` a member of a comma-separated list field (any of its lines, any case)? */
bool fields_list_has(const struct fields *f, enum field_id id, struct slice token);
/* Steps through a comma-separated value: false at the end. Empty members are skipped (RFC 9110 5.6.1). */
bool field_list_next(struct slice *rest, struct slice *member);

bool field_is_token(struct slice s);         /* RFC 9110 5.6.2, not empty */
bool field_is_value(struct slice s);         /* RFC 9110 5.5: no control bytes but HTAB; no CR, LF, NUL */

/* The value of cookie NAME (RFC 6265 4.2), first match over all Cookie lines; false: none. */
bool cookie_find(const struct fields *f, struct slice name, struct slice *value);

#endif
