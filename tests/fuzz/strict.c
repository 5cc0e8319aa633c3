#include "strict.h"

#include <string.h>
#include <strings.h>

#define BODY_MAX (1u << 22)

static enum strict_result
bad(struct strict_message *m, const char *why)
{
    m->why = why;
    return STRICT_BAD;
}

static bool
is_token(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
            return false;
    }
    return s.n > 0;
}

/* No control bytes, no space at either end. */
static bool
is_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool
is_value(struct slice s)
{
    return is_text(s) && (s.n == 0 || (!strchr(" \t", s.p[0]) && !strchr(" \t", s.p[s.n - 1])));
}

static bool
is_target(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= ' ' || c >= 0x7f || c == '#')
            return false;
    }
    return s.n > 0 && (s.p[0] == '/' || (s.n == 1 && s.p[0] == '*'));
}

/* Up to CR LF; *s loses both. No CR or LF may be elsewhere. */
static enum strict_result
line(struct slice *s, struct slice *out)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->p[i] == '\n')
            return STRICT_BAD;
        if (s->p[i] != '\r')
            continue;
        if (i + 1 == s->n)
            return STRICT_MORE;
        if (s->p[i + 1] != '\n')
            return STRICT_BAD;
        *out = slice_of(s->p, i);
        *s = slice_from(*s, i + 2);
        return STRICT_DONE;
    }
    return STRICT_MORE;
}

static enum strict_result
fields(struct slice *s, struct strict_message *m)
{
    for (;;) {
        struct slice l;
        enum strict_result r = line(s, &l);
        const char *colon;

        if (r != STRICT_DONE)
            return r == STRICT_BAD ? bad(m, "CR or LF inside of a field line") : r;
        if (l.n == 0)
            return STRICT_DONE;
        colon = memchr(l.p, ':', l.n);
        if (!colon || m->n == STRICT_FIELDS_MAX)
            return bad(m, "a field line without a colon, or too many");
        m->fields[m->n].name = slice_of(l.p, (size_t)(colon - l.p));
        l = slice_from(l, (size_t)(colon - l.p) + 1);
        if (l.n && l.p[0] == ' ')
            l = slice_from(l, 1);
        m->fields[m->n].value = l;
        if (!is_token(m->fields[m->n].name) || !is_value(l))
            return bad(m, "a field name or value");
        m->n++;
    }
}

unsigned
strict_count(const struct strict_message *m, const char *name)
{
    unsigned n = 0;

    for (unsigned i = 0; i < m->n; i++)
        n += m->fields[i].name.n == strlen(name) && strncasecmp(m->fields[i].name.p, name, strlen(name)) == 0;
    return n;
}

struct slice
strict_field(const struct strict_message *m, const char *name)
{
    if (strict_count(m, name) != 1)
        return SLICE_NONE;
    for (unsigned i = 0;; i++)
        if (m->fields[i].name.n == strlen(name) && strncasecmp(m->fields[i].name.p, name, strlen(name)) == 0)
            return m->fields[i].value;
}

static bool
number(struct slice s, size_t *out)
{
    *out = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        *out = *out * 10 + (size_t)(s.p[i] - '0');
    }
    return s.n > 0 && s.n < 19;
}

/* From the fields: one framing or none. */
static enum strict_result
framing(struct strict_message *m)
{
    unsigned lengths = strict_count(m, "content-length"), codings = strict_count(m, "transfer-encoding");

    if (lengths + codings > 1)
        return bad(m, "more than one framing");
    if (lengths && !number(strict_field(m, "content-length"), &m->length))
        return bad(m, "a length that is no number");
    if (codings && (m->http10 || !slice_eq(strict_field(m, "transfer-encoding"), SLICE("chunked"))))
        return bad(m, "a transfer coding");
    m->framing = lengths ? STRICT_LENGTH : codings ? STRICT_CHUNKED : STRICT_NO_BODY;
    return STRICT_DONE;
}

static int
hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* No extensions, no needless zeros. */
static bool
chunk_size(struct slice l, size_t *size)
{
    *size = 0;
    if (l.n == 0 || l.n > 8 || (l.n > 1 && l.p[0] == '0'))
        return false;
    for (size_t i = 0; i < l.n; i++) {
        if (hex(l.p[i]) < 0)
            return false;
        *size = *size * 16 + (size_t)hex(l.p[i]);
    }
    return true;
}

static enum strict_result
trailers(struct slice *s, struct strict_message *m)
{
    static const char *const never[] = { "content-length", "transfer-encoding", "host", "authorization",
                                         "connection",     "content-encoding",  "te",   "trailer",
                                         "cookie",         "set-cookie" };
    struct strict_message t = { .n = 0 };
    enum strict_result r = fields(s, &t);

    m->why = t.why;
    for (size_t i = 0; r == STRICT_DONE && i < sizeof(never) / sizeof(*never); i++)
        if (strict_count(&t, never[i]))
            return bad(m, "a trailer that must not be one");
    return r;
}

static enum strict_result
chunks(struct slice *s, struct strict_message *m)
{
    for (;;) {
        struct slice l;
        enum strict_result r = line(s, &l);
        size_t size, have;

        if (r != STRICT_DONE)
            return r == STRICT_BAD ? bad(m, "the line of a chunk") : r;
        if (!chunk_size(l, &size))
            return bad(m, "the size of a chunk");
        if (size == 0)
            return trailers(s, m);
        have = s->n < size ? s->n : size;
        strbuf_add(&m->body, s->p, have);
        *s = slice_from(*s, have);
        if (s->n < 2)
            return have < size || s->n == 0 || s->p[0] == '\r' ? STRICT_MORE : bad(m, "the end of a chunk");
        if (memcmp(s->p, "\r\n", 2) != 0)
            return bad(m, "the end of a chunk");
        *s = slice_from(*s, 2);
    }
}

static enum strict_result
body(struct slice *s, struct strict_message *m)
{
    size_t have;

    switch (m->framing) {
    case STRICT_NO_BODY:
        return STRICT_DONE;
    case STRICT_CHUNKED:
        return chunks(s, m);
    case STRICT_LENGTH:
    case STRICT_UNTIL_CLOSE:
        break;
    }
    have = m->framing == STRICT_LENGTH && s->n > m->length ? m->length : s->n;
    strbuf_add(&m->body, s->p, have);
    *s = slice_from(*s, have);
    return m->framing == STRICT_LENGTH && have == m->length ? STRICT_DONE : STRICT_MORE;
}

static enum strict_result
rest(struct slice whole, struct slice s, struct strict_message *m, enum strict_result (*frame)(struct strict_message *))
{
    enum strict_result r = fields(&s, m);

    m->all = whole;
    if (r != STRICT_DONE)
        return r;
    m->head = whole.n - s.n;
    r = frame(m);
    if (r == STRICT_DONE)
        r = body(&s, m);
    m->all.n = whole.n - s.n;
    return r;
}

static void
begin(struct strict_message *m)
{
    memset(m, 0, sizeof(*m));
    strbuf_init(&m->body, BODY_MAX);
}

static bool
version(struct slice s, struct strict_message *m)
{
    m->http10 = slice_eq(s, SLICE("HTTP/1.0"));
    return m->http10 || slice_eq(s, SLICE("HTTP/1.1"));
}

enum strict_result
strict_request(struct slice s, struct strict_message *m)
{
    struct slice whole = s, l, rest_of;
    enum strict_result r;
    const char *space;

    begin(m);
    r = line(&s, &l);
    if (r != STRICT_DONE)
        return r == STRICT_BAD ? bad(m, "CR or LF inside of a request line") : r;
    space = l.n ? memchr(l.p, ' ', l.n) : NULL;
    if (!space)
        return bad(m, "a request line");
    m->method = slice_of(l.p, (size_t)(space - l.p));
    rest_of = slice_from(l, m->method.n + 1);
    space = rest_of.n ? memchr(rest_of.p, ' ', rest_of.n) : NULL;
    if (!space)
        return bad(m, "a request line");
    m->target = slice_of(rest_of.p, (size_t)(space - rest_of.p));
    if (!is_token(m->method) || !is_target(m->target) || !version(slice_from(rest_of, m->target.n + 1), m))
        return bad(m, "a method, a target or a version");
    r = rest(whole, s, m, framing);
    if (m->head && strict_count(m, "host") != 1 && r != STRICT_BAD)
        return bad(m, "not one Host");
    return r;
}

static enum strict_result
response_framing(struct strict_message *m)
{
    bool none = m->status < 200 || m->status == 204 || m->status == 304 || slice_eq(m->method, SLICE("HEAD"));
    enum strict_result r = framing(m);

    if (r != STRICT_DONE)
        return r;
    if ((m->status < 200 || m->status == 204) && m->framing != STRICT_NO_BODY)
        return bad(m, "a framing where there can be no body");
    if (none)
        m->framing = STRICT_NO_BODY;
    else if (m->framing == STRICT_NO_BODY)
        m->framing = STRICT_UNTIL_CLOSE;
    return STRICT_DONE;
}

enum strict_result
strict_response(struct slice s, struct slice method, struct strict_message *m)
{
    struct slice whole = s, l;
    enum strict_result r;
    size_t status;

    begin(m);
    m->method = method;
    r = line(&s, &l);
    if (r != STRICT_DONE)
        return r == STRICT_BAD ? bad(m, "CR or LF inside of a status line") : r;
    if (l.n < 13 || l.p[8] != ' ' || l.p[12] != ' ' || !version(slice_of(l.p, 8), m) ||
        !number(slice_of(l.p + 9, 3), &status) || status < 100 || !is_text(slice_from(l, 13)))
        return bad(m, "a status line"); /* the reason may begin with a space (RFC 9112 4) */
    m->status = (unsigned)status;
    return rest(whole, s, m, response_framing);
}

void
strict_fini(struct strict_message *m)
{
    strbuf_fini(&m->body);
}
