#include "h2.h"
#include "../base/parse.h"
#include "../base/random.h"
#include "chars.h"
#include "h2_parse.h"

/* Beside method and target in a request line: two spaces and the version. */
#define REQUEST_LINE_EXTRA 10

void
h2_head_begin(struct h2_head *h, struct http_request *r, struct arena *arena)
{
    memset(h, 0, sizeof(*h));
    memset(r, 0, sizeof(*r));
    h->r = r;
    h->arena = arena;
    r->version = HTTP_2;
    r->port = -1;
    r->keep_alive = true;
    fields_init(&r->fields, arena);
}

/* ------------------------------------------------------------------ one field */

static void
wrong(struct h2_head *h, const char *text)
{
    if (!h->err.text)
        h1_fail(&h->err, REASON_BAD_REQUEST, text);
}

static void
beyond(struct h2_head *h, enum limit_id limit, const char *text)
{
    if (!h->err.text)
        h1_exceed(&h->err, limit, text);
}

static struct slice *
pseudo_field(struct h2_head *h, struct slice name)
{
    if (slice_eq(name, SLICE(":method")))
        return &h->method;
    if (slice_eq(name, SLICE(":path")))
        return &h->path;
    if (slice_eq(name, SLICE(":scheme")))
        return &h->scheme;
    if (slice_eq(name, SLICE(":authority")))
        return &h->authority;
    return slice_eq(name, SLICE(":protocol")) ? &h->protocol : NULL;
}

static void
add_pseudo(struct h2_head *h, struct slice name, struct slice value)
{
    struct slice *to = pseudo_field(h, name);

    if (!to)
        wrong(h, "an unknown pseudo-header field");
    else if (h->regular)
        wrong(h, "a pseudo-header field behind other fields");
    else if (to->n)
        wrong(h, "a pseudo-header field twice");
    else if (!value.n || h2_value_error(value))
        wrong(h, "a pseudo-header field that is empty or has control bytes");
    else
        *to = arena_slice(h->arena, value);
}

/* Not all that came: of Cookie one line is left in the end. */
static unsigned
fields_so_far(const struct h2_head *h)
{
    return h->r->fields.n - (h->crumbs > 1 ? h->crumbs - 1 : 0);
}

static void
add_regular(struct h2_head *h, const struct h1_limits *limits, struct slice name, struct slice value)
{
    enum field_id id = field_lookup(name);
    const char *text = h2_field_error(id, name, value);

    h->regular = true;
    h->crumbs += id == FIELD_COOKIE;
    if (text) {
        wrong(h, text);
        return;
    }
    h2_field_push(&h->r->fields, id, name, value);
    if (fields_so_far(h) > limits->fields)
        beyond(h, LIMIT_FIELDS, "more fields than the limit");
}

void
h2_head_add(struct h2_head *h, const struct h1_limits *limits, struct slice name, struct slice value)
{
    bool pseudo = name.n && name.p[0] == ':';

    h->bytes += name.n + value.n + H2_LINE_EXTRA;
    if (h->err.text)
        return;
    if (pseudo && slice_eq(name, SLICE(":path")) && value.n + REQUEST_LINE_EXTRA > limits->request_line)
        beyond(h, LIMIT_REQUEST_LINE, "a request target longer than the limit");
    else if (!pseudo && name.n + value.n + 2 > limits->field)
        beyond(h, LIMIT_FIELD, "a field longer than the limit");
    else if (h->bytes > limits->head)
        beyond(h, LIMIT_HEAD, "a head larger than the limit");
    else if (pseudo)
        add_pseudo(h, name, value);
    else
        add_regular(h, limits, name, value);
}

/* ------------------------------------------------------------------ the whole head */

/* RFC 9113 8.2.3: a client may cut Cookie in pieces, so that some of them compress well. */
static void
join_cookies(struct h2_head *h, const struct h1_limits *limits)
{
    struct fields *f = &h->r->fields;
    size_t n = 0;
    char *all, *at;
    unsigned kept = 0, first = 0;

    for (unsigned i = 0; i < f->n; i++)
        if (f->v[i].id == FIELD_COOKIE)
            n += f->v[i].value.n + 2;
    all = at = arena_alloc(h->arena, n);
    for (unsigned i = 0; i < f->n; i++) {
        struct slice value = f->v[i].value;

        if (f->v[i].id != FIELD_COOKIE || at == all) {
            first = f->v[i].id == FIELD_COOKIE ? kept : first;
            f->v[kept++] = f->v[i];
        }
        if (f->v[i].id != FIELD_COOKIE)
            continue;
        if (value.n)
            memcpy(at, value.p, value.n);
        memcpy(at + value.n, "; ", 2);
        at += value.n + 2;
    }
    f->n = kept;
    f->v[first].value = slice_of(all, n - 2);
    if (n + sizeof("Cookie") - 1 > limits->field)
        beyond(h, LIMIT_FIELD, "Cookie fields longer in all than the limit of one");
}

static void
take_method(struct h2_head *h)
{
    struct http_request *r = h->r;

    if (!h->method.n)
        wrong(h, "no :method");
    else if (!field_is_token(h->method))
        wrong(h, "a method that is not a token");
    else {
        r->method_text = h->method;
        r->method = method_lookup(h->method);
    }
}

static void
take_target(struct h2_head *h, const struct h1_limits *limits)
{
    struct http_request *r = h->r;

    if (r->method == METHOD_CONNECT && !h->protocol.n) { /* RFC 9113 8.5 */
        r->target = h->authority;
        if (h->path.n || h->scheme.n || !h->authority.n)
            wrong(h, "a CONNECT with :path or :scheme, or without :authority");
        return;
    }
    r->target = h->path;
    if (!h->path.n)
        wrong(h, "no :path");
    else if (h->path.p[0] != '/' && !(r->method == METHOD_OPTIONS && slice_eq(h->path, SLICE("*"))))
        wrong(h, "a :path that does not begin with a slash");
    else if (scan_target(h->path.p, h->path.p + h->path.n) != h->path.p + h->path.n)
        wrong(h, "a byte in :path that no URI has");
    else if (r->method_text.n + h->path.n + REQUEST_LINE_EXTRA > limits->request_line)
        beyond(h, LIMIT_REQUEST_LINE, "a method and a target longer than the limit");
    if (!slice_ieq(h->scheme, SLICE("http")) && !slice_ieq(h->scheme, SLICE("https")))
        wrong(h, "a :scheme other than http and https");
}

/* Host may stand for :authority, or say the same once more (RFC 9113 8.3.1); behind this it is always there. */
static void
take_authority(struct h2_head *h)
{
    struct http_request *r = h->r;
    struct field *host = fields_find(&r->fields, FIELD_HOST);
    const char *text;

    if (fields_count(&r->fields, FIELD_HOST) > 1)
        wrong(h, "more than one Host");
    else if (host && h->authority.n && !slice_ieq(host->value, h->authority))
        wrong(h, "a Host that is not :authority");
    else if (!host && !h->authority.n)
        wrong(h, "neither :authority nor Host");
    if (h->err.text)
        return;
    if (h->authority.n)
        r->authority = h->authority;
    else if (host)
        r->authority = host->value;
    text = uri_parse_authority(r, h->arena);
    if (text)
        wrong(h, text);
    if (!host)
        fields_add_id(&r->fields, FIELD_HOST, r->authority);
}

static void
take_framing(struct h2_head *h, bool ends)
{
    struct http_request *r = h->r;
    const struct field *length = fields_find(&r->fields, FIELD_CONTENT_LENGTH);

    r->body.kind = ends ? BODY_NONE : BODY_CHUNKED;
    if (!length)
        return;
    r->body.kind = BODY_LENGTH;
    if (fields_count(&r->fields, FIELD_CONTENT_LENGTH) > 1)
        wrong(h, "more than one Content-Length");
    else if (parse_u64(length->value, INT64_MAX, &r->body.length) != 0)
        wrong(h, "a Content-Length that is not a number");
    else if (ends && r->body.length)
        wrong(h, "a Content-Length without a body");
}

static void
take_expect(struct h2_head *h)
{
    struct fields *f = &h->r->fields;

    for (const struct field *e = fields_find(f, FIELD_EXPECT); e; e = fields_next(f, e)) {
        h->r->expect_continue = true;
        if (!slice_ieq(e->value, SLICE("100-continue")) && !h->err.text)
            h1_fail(&h->err, REASON_EXPECTATION_FAILED, "an expectation other than 100-continue");
    }
}

/* The key that an origin of HTTP/1.1 wants to see (RFC 6455 4.1); nobody looks at what it makes of it. */
static struct slice
websocket_key(struct arena *arena)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t a = random_u64(), b = random_u64();
    char *key = arena_alloc(arena, 24);

    for (unsigned i = 0; i < 22; i++) { /* of 128 bits, six at a time */
        uint64_t *from = i < 10 ? &a : &b;

        key[i] = digits[i == 21 ? *from & 48 : *from & 63];
        *from >>= 6;
    }
    memcpy(key + 22, "==", 2);
    return slice_of(key, 24);
}

/* RFC 8441 5: an exchange knows it as the upgrade that it is in HTTP/1.1. */
static void
take_protocol(struct h2_head *h)
{
    struct http_request *r = h->r;

    if (r->method != METHOD_CONNECT)
        wrong(h, ":protocol in a request that is no CONNECT");
    else if (!slice_ieq(h->protocol, SLICE("websocket")))
        wrong(h, "a CONNECT for something else than websocket");
    else if (fields_find(&r->fields, FIELD_CONTENT_LENGTH))
        wrong(h, "a CONNECT with Content-Length");
    if (h->err.text)
        return;
    h->tunnel = true;
    r->method = METHOD_GET;
    r->method_text = SLICE("GET");
    r->upgrade = SLICE("websocket");
    r->body.kind = BODY_NONE;
    fields_set_id(&r->fields, FIELD_SEC_WEBSOCKET_KEY, websocket_key(h->arena));
}

enum h1_result
h2_head_end(struct h2_head *h, const struct h1_limits *limits, const struct uri_rules *uri, bool ends)
{
    struct http_request *r = h->r;
    struct slice scheme = r->scheme;
    const char *text;

    take_method(h);
    take_target(h, limits);
    if (h->crumbs > 1 && !h->err.text)
        join_cookies(h, limits);
    if (h->err.text)
        return H1_ERROR;
    take_framing(h, ends);
    take_expect(h);
    if (h->protocol.n)
        take_protocol(h);
    if (!h->err.text && (text = uri_parse_target(r, uri, h->arena)))
        wrong(h, text);
    r->scheme = scheme;
    if (!h->err.text)
        take_authority(h);
    if (!h->err.text && r->method == METHOD_CONNECT && r->port < 0)
        wrong(h, "a CONNECT target without a port");
    return h->err.text ? H1_ERROR : H1_DONE;
}
