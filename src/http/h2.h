/*
 * h2: heads of HTTP/2 requests and responses (RFC 9113 8) as the rest of weir sees them, without I/O and without a
 * library's types: fields go in as they come out of HPACK, one by one, and a message like one of HTTP/1.1 comes out.
 * What both versions have in common (targets, authorities, limits, what is refused) is the same code.
 */
#ifndef HTTP_H2_H
#define HTTP_H2_H

#include "h1.h"

/* State while a field block is coming. */
struct h2_head {
    struct http_request *r;
    struct arena *arena;                                    /* gets copies of all that is kept */
    struct slice method, scheme, path, authority, protocol; /* the pseudo-header fields */
    size_t bytes;                                           /* so far, as lines of HTTP/1.1 would have them */
    unsigned crumbs;                                        /* lines of Cookie */
    bool regular;                                           /* a field that is no pseudo-header field has come */
    bool tunnel;         /* an extended CONNECT (RFC 8441): r is the upgrade request that HTTP/1.1 has for it */
    struct h1_error err; /* text NULL: good so far */
};

/* Both outlive the head. */
void h2_head_begin(struct h2_head *h, struct http_request *r, struct arena *arena);
/* One field. After the first error nothing more is kept; counting goes on. */
void h2_head_add(struct h2_head *h, const struct h1_limits *limits, struct slice name, struct slice value);
/* All fields have come. Fills what h1_parse_request does (scheme stays as it was, it is the connection's); lines of
 * Cookie become one (RFC 9113 8.2.3). `ends`: no body and no trailers follow. H1_DONE or H1_ERROR with h->err. On an
 * error r->method, method_text and target are set as far as they are sound. */
enum h1_result h2_head_end(struct h2_head *h, const struct h1_limits *limits, const struct uri_rules *uri, bool ends);

/* The same for a response. Errors are REASON_UPSTREAM_BAD_RESPONSE, and REASON_HEADERS_TOO_LARGE beyond a limit. */
struct h2_response {
    struct http_response *r;
    struct arena *arena; /* gets copies of all that is kept */
    size_t bytes;        /* so far, as lines of HTTP/1.1 would have them */
    bool regular;        /* a field that is no pseudo-header field has come */
    struct h1_error err; /* text NULL: good so far */
};

void h2_response_begin(struct h2_response *h, struct http_response *r, struct arena *arena);
void h2_response_add(struct h2_response *h, const struct h1_limits *limits, struct slice name, struct slice value);
/* Fills what h1_parse_response does. `method`: of the request. An interim response is a head of its own. */
enum h1_result h2_response_end(struct h2_response *h, enum http_method method, bool ends);

/* One field of a trailer section; copied to out's arena. *bytes: 0 before the first. What a head must have is refused.
 */
enum h1_result h2_trailer_add(struct fields *out, size_t *bytes, const struct h1_limits *limits, struct slice name,
                              struct slice value, struct h1_error *err);

/* Is it left out of a head in HTTP/2, where the frames say it or nothing does (RFC 9113 8.2.2)? */
bool h2_connection_specific(enum field_id id);

#endif
