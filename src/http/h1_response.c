#include "h1_parse.h"
#include "chars.h"
#include "../base/parse.h"

/* Longest idle time that an origin is believed, in seconds. */
#define KEEP_ALIVE_MAX 86400

static enum h1_result
bad(struct h1_error *err, const char *text)
{
    return h1_fail(err, REASON_UPSTREAM_BAD_RESPONSE, text);
}

/* 100..999; 0: not three digits. */
static int
parse_status(const char *p)
{
    for (int i = 0; i < 3; i++) {
        if (p[i] < '0' || p[i] > '9')
            return 0;
    }
    return p[0] == '0' ? 0 : (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
}

/* version SP status SP [reason] CRLF (RFC 9112 4). The second space is often left out with the reason, which cannot be
 * misread. */
static enum h1_result
parse_status_line(struct http_response *r, const char **p, const char *end, const struct h1_limits *limits,
                  struct h1_error *err)
{
    const char *s = *p, *stop;

    if (end - s < 14)
        return bad(err, "a status line that is cut short");
    r->version = h1_version(s);
    if (!r->version)
        return bad(err, "a version other than HTTP/1.0 and HTTP/1.1");
    r->status = parse_status(s + 9);
    if (s[8] != ' ' || !r->status)
        return bad(err, "a status that is not three digits");
    s += 12;
    stop = scan_value(s, end);
    if (end - stop < 2 || stop[0] != '\r' || stop[1] != '\n')
        return bad(err, "a control byte in the status line");
    if (stop > s && *s != ' ')
        return bad(err, "a status that is not three digits");
    if ((size_t)(stop - *p) > limits->request_line)
        return bad(err, "a status line longer than the limit");
    if (stop > s)
        r->reason_phrase = slice_of(s + 1, (size_t)(stop - s) - 1);
    *p = stop + 2;
    return H1_MORE;
}

/* RFC 9112 6.3. Called with what the framing fields say. */
static void
take_body(struct http_response *r, enum http_method method, bool framed)
{
    bool announced = r->body.kind == BODY_CHUNKED || r->body.length > 0;

    if (status_has_no_body(r->status)) {
        /* 304 may tell a length. With 1xx and 204 it is against RFC 9110 8.6, and a body might well follow. */
        if (r->status != 304 && announced)
            r->keep_alive = false;
        r->body_withheld = announced;
        r->body = (struct body_framing){ .kind = BODY_NONE };
    } else if (method == METHOD_HEAD) {
        r->body_withheld = announced;
        r->body = (struct body_framing){ .kind = BODY_NONE };
    } else if (!framed) {
        r->body.kind = BODY_UNTIL_CLOSE;
        r->keep_alive = false;
    }
}

/* Keep-Alive: timeout=5, max=100 */
static nsec_t
keep_alive_timeout(struct slice params)
{
    struct slice param;
    uint64_t seconds;

    while (field_list_next(&params, &param)) {
        if (param.n > 8 && strncasecmp(param.p, "timeout=", 8) == 0 &&
            parse_u64(slice_from(param, 8), KEEP_ALIVE_MAX, &seconds) == 0)
            return (nsec_t)seconds * NSEC_PER_SEC;
    }
    return 0;
}

enum h1_result
h1_parse_response(struct http_response *r, const char *p, size_t n, const struct h1_limits *limits,
                  enum http_method method, struct arena *arena, struct h1_error *err)
{
    struct h1_marks marks;
    const char *end = p + n, *wrong;
    bool framed;

    h1_zero(&marks, sizeof(marks));
    h1_zero(r, sizeof(*r));
    fields_init(&r->fields, arena);
    if (n > limits->head)
        return bad(err, "a head larger than the limit");
    if (parse_status_line(r, &p, end, limits, err) == H1_ERROR)
        return H1_ERROR;
    if (h1_parse_fields(&r->fields, &marks, &p, end, limits, err) == H1_ERROR)
        return bad(err, err->text);
    wrong = h1_frame(&marks, r->version, &r->body, &framed);
    if (!wrong && marks.malformed_connection)
        wrong = "a Connection field that is not a short list of names";
    if (wrong)
        return bad(err, wrong);
    r->keep_alive = h1_persistent(&marks, r->version);
    r->keep_alive_timeout = keep_alive_timeout(marks.keep_alive_params);
    take_body(r, method, framed);
    return H1_DONE;
}
