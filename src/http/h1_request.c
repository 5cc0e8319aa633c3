#include "h1_parse.h"
#include "chars.h"

static enum h1_result
bad(struct h1_error *err, const char *text)
{
    return h1_fail(err, REASON_BAD_REQUEST, text);
}

/* method SP target SP version CRLF (RFC 9112 3), with exactly one space each. */
static enum h1_result
parse_request_line(struct http_request *r, const char **p, const char *end, const struct h1_limits *limits,
                   struct h1_error *err)
{
    const char *start = *p, *s = start;

    while (s < end && char_is(*s, CHAR_TOKEN))
        s++;
    if (s == start || s == end || *s != ' ')
        return bad(err, "a method that is not a token and one space");
    /* Not before it is known to be one: whoever logs "HEAD" has also answered as HEAD is answered. */
    r->method_text = slice_of(start, (size_t)(s - start));
    r->method = method_lookup(r->method_text);
    start = ++s;
    s = scan_target(start, end);
    r->target = slice_of(start, (size_t)(s - start));
    if ((size_t)(s - *p) + 9 > limits->request_line)
        return h1_exceed(err, LIMIT_REQUEST_LINE, "a request line longer than the limit");
    if (s == start)
        return bad(err, "an empty request target");
    if (end - s < 11 || *s != ' ')
        return bad(err, "a request target that is not followed by one space and a version");
    r->version = h1_version(s + 1);
    if (!r->version)
        return bad(err, "a version other than HTTP/1.0 and HTTP/1.1");
    if (s[9] != '\r' || s[10] != '\n')
        return bad(err, "something behind the version");
    *p = s + 11;
    return H1_MORE;
}

/* The Host field counts for origin-form; else the target's authority replaces it (RFC 9112 3.2.2), but it must be sound
 * all the same. */
static const char *
take_host(struct http_request *r, const struct h1_marks *m, struct arena *arena)
{
    struct slice from_target = r->authority;
    const char *wrong;

    r->port = -1;
    if (m->hosts > 1)
        return "more than one Host";
    if (m->hosts == 0 && r->version == HTTP_1_1)
        return "no Host";
    if (m->hosts) {
        r->authority = m->host;
        wrong = uri_parse_authority(r, arena);
        if (wrong || from_target.n == 0)
            return wrong;
    }
    if (from_target.n == 0)
        return NULL;
    r->authority = from_target;
    wrong = uri_parse_authority(r, arena);
    if (wrong)
        return wrong;
    if (m->hosts)
        fields_find(&r->fields, FIELD_HOST)->value = r->authority;
    else
        fields_add_id(&r->fields, FIELD_HOST, r->authority);
    return NULL;
}

static enum h1_result
apply_marks(struct http_request *r, const struct h1_marks *m, struct arena *arena, struct h1_error *err)
{
    const char *wrong;
    bool framed;

    wrong = h1_frame(m, r->version, &r->body, &framed);
    if (!wrong)
        wrong = take_host(r, m, arena);
    if (!wrong && r->method == METHOD_CONNECT && r->port < 0)
        wrong = "a CONNECT target without a port";
    if (!wrong && m->malformed_connection)
        wrong = "a Connection field that is not a short list of names";
    if (wrong)
        return bad(err, wrong);
    if (m->expects_other)
        return h1_fail(err, REASON_EXPECTATION_FAILED, "an expectation other than 100-continue");
    r->keep_alive = h1_persistent(m, r->version);
    /* HTTP/1.0 knows neither (RFC 9110 7.8, 10.1.1). Two Upgrade lines are no honest client's: none is followed. */
    if (r->version == HTTP_1_1) {
        r->expect_continue = m->expects_continue;
        if (m->names_upgrade && m->upgrades == 1)
            r->upgrade = m->upgrade;
    }
    return H1_DONE;
}

enum h1_result
h1_parse_request(struct http_request *r, const char *p, size_t n, const struct h1_limits *limits,
                 const struct uri_rules *uri, struct arena *arena, struct h1_error *err)
{
    struct slice scheme = r->scheme;
    struct h1_marks marks;
    const char *end = p + n, *wrong;

    h1_zero(&marks, sizeof(marks));
    h1_zero(r, sizeof(*r));
    r->scheme = scheme;
    r->port = -1;
    fields_init(&r->fields, arena);
    if (n > limits->head)
        return h1_exceed(err, LIMIT_HEAD, "a head larger than the limit");
    if (parse_request_line(r, &p, end, limits, err) == H1_ERROR ||
        h1_parse_fields(&r->fields, &marks, &p, end, limits, err) == H1_ERROR)
        return H1_ERROR;
    wrong = uri_parse_target(r, uri, arena);
    r->scheme = scheme; /* the connection's, whatever an absolute target says */
    if (wrong)
        return bad(err, wrong);
    return apply_marks(r, &marks, arena, err);
}
