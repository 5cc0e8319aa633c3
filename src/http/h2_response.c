#include "h2_parse.h"
#include "../base/parse.h"

void
h2_response_begin(struct h2_response *h, struct http_response *r, struct arena *arena)
{
    memset(h, 0, sizeof(*h));
    memset(r, 0, sizeof(*r));
    h->r = r;
    h->arena = arena;
    r->version = HTTP_2;
    r->keep_alive = true;
    fields_init(&r->fields, arena);
}

static void
wrong(struct h2_response *h, const char *text)
{
    if (!h->err.text)
        h1_fail(&h->err, REASON_UPSTREAM_BAD_RESPONSE, text);
}

/* RFC 9113 8.3.2: :status is the only one, and comes first. */
static void
add_pseudo(struct h2_response *h, struct slice name, struct slice value)
{
    uint64_t status;

    if (!slice_eq(name, SLICE(":status")))
        wrong(h, "a pseudo-header field other than :status");
    else if (h->regular)
        wrong(h, "a pseudo-header field behind other fields");
    else if (h->r->status)
        wrong(h, ":status twice");
    else if (value.n != 3 || parse_u64(value, 999, &status) != 0 || status < 100)
        wrong(h, "a :status that is not three digits");
    else
        h->r->status = (int)status;
}

static void
add_regular(struct h2_response *h, const struct h1_limits *limits, struct slice name, struct slice value)
{
    enum field_id id = field_lookup(name);
    const char *text = h2_field_error(id, name, value);

    h->regular = true;
    if (text)
        wrong(h, text);
    else if (h->r->fields.n >= limits->fields)
        h1_exceed(&h->err, LIMIT_FIELDS, "more fields than the limit");
    else
        h2_field_push(&h->r->fields, id, name, value);
}

void
h2_response_add(struct h2_response *h, const struct h1_limits *limits, struct slice name, struct slice value)
{
    h->bytes += name.n + value.n + H2_LINE_EXTRA;
    if (h->err.text)
        return;
    if (name.n + value.n + 2 > limits->field)
        h1_exceed(&h->err, LIMIT_FIELD, "a field longer than the limit");
    else if (h->bytes > limits->head)
        h1_exceed(&h->err, LIMIT_HEAD, "a head larger than the limit");
    else if (name.n && name.p[0] == ':')
        add_pseudo(h, name, value);
    else
        add_regular(h, limits, name, value);
}

/* RFC 9113 8.1.1. The frames say where a body ends; whether it is as long as this says nghttp2 watches. */
static void
take_body(struct h2_response *h, enum http_method method, bool ends)
{
    struct http_response *r = h->r;
    const struct field *length = fields_find(&r->fields, FIELD_CONTENT_LENGTH);

    if (length && fields_count(&r->fields, FIELD_CONTENT_LENGTH) > 1)
        wrong(h, "more than one Content-Length");
    else if (length && parse_u64(length->value, INT64_MAX, &r->body.length) != 0)
        wrong(h, "a Content-Length that is not a number");
    if (ends || method == METHOD_HEAD || status_has_no_body(r->status))
        r->body = (struct body_framing){ .kind = BODY_NONE };
    else
        r->body.kind = length ? BODY_LENGTH : BODY_CHUNKED;
}

enum h1_result
h2_response_end(struct h2_response *h, enum http_method method, bool ends)
{
    int status = h->r->status;

    if (!status)
        wrong(h, "no :status");
    else if (status == 101)
        wrong(h, "101, which HTTP/2 does not have"); /* RFC 9113 8.6 */
    else if (status < 200 && ends)
        wrong(h, "an interim response that ends the stream");
    if (!h->err.text)
        take_body(h, method, ends);
    return h->err.text ? H1_ERROR : H1_DONE;
}
