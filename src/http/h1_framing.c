/* h1_framing: where a message ends. What two parsers could read differently is refused (RFC 9112 6.1, 6.3, 11.2). */
#include "h1_parse.h"
#include "../base/parse.h"

static const char *
frame_chunked(const struct h1_marks *m, enum http_version version, struct body_framing *body)
{
    if (version != HTTP_1_1)
        return "Transfer-Encoding in an HTTP/1.0 message";
    if (m->lengths)
        return "both Content-Length and Transfer-Encoding";
    if (m->codings > 1 || !slice_ieq(m->coding, SLICE("chunked")))
        return "a Transfer-Encoding other than chunked";
    body->kind = BODY_CHUNKED;
    return NULL;
}

/* The largest length is 2^63-1, so that sums of two never overflow. */
static const char *
frame_length(const struct h1_marks *m, struct body_framing *body)
{
    if (m->lengths > 1)
        return "more than one Content-Length";
    if (parse_u64(m->length, INT64_MAX, &body->length) != 0)
        return "a Content-Length that is not a number";
    body->kind = BODY_LENGTH;
    return NULL;
}

const char *
h1_frame(const struct h1_marks *m, enum http_version version, struct body_framing *body, bool *known)
{
    body->kind = BODY_NONE;
    body->length = 0;
    *known = m->codings || m->lengths;
    if (m->misspelt)
        return "a field name that looks like Content-Length or Transfer-Encoding";
    if (m->codings)
        return frame_chunked(m, version, body);
    return m->lengths ? frame_length(m, body) : NULL;
}

bool
h1_persistent(const struct h1_marks *m, enum http_version version)
{
    return !m->close && (version == HTTP_1_1 || m->keep_alive);
}

enum http_version
h1_version(const char *p)
{
    if (memcmp(p, "HTTP/1.1", 8) == 0)
        return HTTP_1_1;
    return memcmp(p, "HTTP/1.0", 8) == 0 ? HTTP_1_0 : (enum http_version)0;
}
