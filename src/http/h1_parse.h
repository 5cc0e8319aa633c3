/* h1_parse: what the parsers of requests, responses and trailers share. Private to the codec. */
#ifndef HTTP_H1_PARSE_H
#define HTTP_H1_PARSE_H

#include "h1.h"

/* What the framing rules need to know of the fields, gathered while they are read. */
struct h1_marks {
    unsigned hosts, lengths, codings, upgrades;                    /* how many lines of each */
    struct slice host, length, coding, upgrade, keep_alive_params; /* value of the last one */
    unsigned connection_members;
    bool close, keep_alive, names_upgrade; /* members of Connection */
    bool malformed_connection;
    bool expects_continue, expects_other;
    bool misspelt; /* a name that some take for Content-Length or Transfer-Encoding */
};

/* Where n is a constant the compiler inlines `rep stos`, which takes longer to start than libc takes in all; so it must
 * not see that n is one. */
static inline void
h1_zero(void *p, size_t n)
{
    __asm__("" : "+r"(n));
    memset(p, 0, n);
}

static inline enum h1_result
h1_fail(struct h1_error *err, enum reason_id reason, const char *text)
{
    err->reason = reason;
    err->text = text;
    err->limit = LIMIT_NONE;
    return H1_ERROR;
}

static inline enum h1_result
h1_exceed(struct h1_error *err, enum limit_id limit, const char *text)
{
    err->reason = limit == LIMIT_REQUEST_LINE ? REASON_URI_TOO_LONG : REASON_HEADERS_TOO_LARGE;
    err->text = text;
    err->limit = limit;
    return H1_ERROR;
}

/* Field lines from *p on to the empty line that ends them, which must be the last of [*p, end). *p moves behind it. */
enum h1_result h1_parse_fields(struct fields *f, struct h1_marks *m, const char **p, const char *end,
                               const struct h1_limits *limits, struct h1_error *err);

/* Content_Length and the like, which some origins would frame by. */
bool h1_misspells_framing(struct slice name);
/* chunked.c: what belongs in the head (RFC 9110 6.5.1). */
bool h1_refused_in_trailer(unsigned id);

/* h1_framing.c: Content-Length and Transfer-Encoding (RFC 9112 6.1, 6.3). NULL when good; *known: one of them was
 * there. */
const char *h1_frame(const struct h1_marks *m, enum http_version version, struct body_framing *body, bool *known);
bool h1_persistent(const struct h1_marks *m, enum http_version version); /* RFC 9112 9.3 */
/* "HTTP/1.0" or "HTTP/1.1" at p, of 8 bytes; 0: neither. */
enum http_version h1_version(const char *p);

#endif
