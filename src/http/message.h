/* message: heads as the rest of weir sees them, the same for every protocol version. */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include "../base/clock.h"
#include "field.h"

#include <stdint.h>

enum http_method {
    METHOD_OTHER,
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_CONNECT,
    METHOD_OPTIONS,
    METHOD_TRACE,
    METHOD_PATCH,
    METHOD_COUNT
};

enum http_version { HTTP_1_0 = 10, HTTP_1_1 = 11, HTTP_2 = 20 };

/* How a body is delimited (RFC 9112 6). */
enum body_kind {
    BODY_NONE,
    BODY_LENGTH,     /* `length` bytes, which may be 0 */
    BODY_CHUNKED,    /* until the last chunk, then trailers (HTTP/2: until END_STREAM) */
    BODY_UNTIL_CLOSE /* responses to HTTP/1.0 or from origins only */
};

struct body_framing {
    enum body_kind kind;
    uint64_t length;
};

struct http_request {
    enum http_method method;
    struct slice method_text;
    enum http_version version;
    struct slice target; /* as received */
    struct slice scheme; /* "http" or "https": of the connection (or :scheme) */
    struct slice
        authority; /* host[:port] as received: Host, or the authority of an absolute-form target, or :authority */
    struct slice
        host; /* lower-case, without port, without trailing dot; IPv6 in brackets; empty: HTTP/1.0 without Host */
    int port; /* of the authority; -1: none */
    struct slice path;  /* canonical (http/uri.h): used for routing, policies, logs and the origin. "*" for OPTIONS *;
                           empty for CONNECT */
    struct slice query; /* after '?', as received; without the '?' */
    bool has_query;     /* "/x?" has an empty query, "/x" has none */
    struct fields fields;
    struct body_framing body;
    bool keep_alive; /* what the client asks for */
    bool expect_continue;
    struct slice upgrade; /* value of Upgrade when Connection names it and the version is 1.1; empty: none */
};

struct http_response {
    int status; /* 100..999 */
    struct slice reason_phrase;
    enum http_version version;
    struct fields fields;
    struct body_framing body;  /* of the answer to a HEAD: BODY_NONE, whatever Content-Length says */
    bool keep_alive;           /* the origin will keep this connection */
    bool body_withheld;        /* the head tells of a body that must not come (HEAD, 304) */
    nsec_t keep_alive_timeout; /* of a Keep-Alive: timeout=N field; 0: none */
};

enum http_method method_lookup(struct slice s); /* exact case (RFC 9110 9.1); METHOD_OTHER */
const char *method_name(enum http_method m);    /* "other" for METHOD_OTHER */
bool method_idempotent(enum http_method m);     /* RFC 9110 9.2.2 */
bool method_safe(enum http_method m);           /* RFC 9110 9.2.1 */
const char *status_phrase(int status);          /* "" when unknown */
bool status_has_no_body(int status);            /* 1xx 204 304 */

#endif
