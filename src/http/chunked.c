/* chunked: the chunked coding (RFC 9112 7.1). Sizes are bare hexadecimal digits, every line ends with CRLF: all else
 * has been used to make two parsers see different bodies. */
#include "h1_parse.h"
#include "chars.h"

#define DIGITS_MAX 16

enum { AT_SIZE, IN_SIZE, IN_EXTENSION, AT_SIZE_LF, IN_DATA, AT_DATA_CR, AT_DATA_LF, AT_END };

void
chunked_init(struct chunked *c)
{
    memset(c, 0, sizeof(*c));
}

static const char *
take_digit(struct chunked *c, char byte)
{
    int v = char_hex(byte);

    if (v < 0)
        return "a chunk size that is not hexadecimal";
    /* Below 2^63, as Content-Length. */
    if (++c->digits > DIGITS_MAX || c->left >> 59)
        return "a chunk size that is too large";
    c->left = c->left << 4 | (unsigned)v;
    c->state = IN_SIZE;
    return NULL;
}

static const char *
after_size(struct chunked *c, char byte)
{
    if (byte == '\r')
        c->state = AT_SIZE_LF;
    else if (byte == ';')
        c->state = IN_EXTENSION;
    else
        return take_digit(c, byte);
    return NULL;
}

static const char *
in_extension(struct chunked *c, char byte)
{
    if (byte == '\r') {
        c->state = AT_SIZE_LF;
        c->excess += c->ext;
        return NULL;
    }
    if (((unsigned char)byte < 0x20 && byte != '\t') || byte == 0x7f)
        return "a control byte in a chunk extension";
    return ++c->ext > CHUNKED_EXT_MAX ? "a chunk extension that is too long" : NULL;
}

static const char *
at_lf(struct chunked *c, char byte, unsigned char next)
{
    c->state = next;
    return byte == '\n' ? NULL : "a chunk line that does not end with CRLF";
}

/* Each chunk may say little beside its size, but a body of many chunks that hold next to nothing would keep a reader
 * busy with what nobody reads. */
static const char *
end_of_size(struct chunked *c, char byte)
{
    c->excess -= c->excess < c->left ? c->excess : (unsigned)c->left;
    if (c->excess > CHUNKED_EXCESS_MAX)
        return "more chunk extensions than data";
    return at_lf(c, byte, c->left ? IN_DATA : AT_END);
}

static const char *
at_data_cr(struct chunked *c, char byte)
{
    c->state = AT_DATA_LF;
    return byte == '\r' ? NULL : "chunk data longer than its size";
}

/* One byte of framing. */
static const char *
framing_byte(struct chunked *c, char byte)
{
    switch (c->state) {
    case AT_SIZE:
        c->left = 0;
        c->digits = c->ext = 0;
        return take_digit(c, byte);
    case IN_SIZE:
        return after_size(c, byte);
    case IN_EXTENSION:
        return in_extension(c, byte);
    case AT_SIZE_LF:
        return end_of_size(c, byte);
    case AT_DATA_CR:
        return at_data_cr(c, byte);
    case AT_DATA_LF:
        return at_lf(c, byte, AT_SIZE);
    default:
        return "data behind the last chunk";
    }
}

enum h1_result
chunked_decode(struct chunked *c, const char *p, size_t n, size_t *used, struct slice *data, struct h1_error *err)
{
    size_t i = 0, run;

    *used = 0;
    *data = SLICE_NONE;
    while (c->state != AT_END && c->state != IN_DATA && i < n) {
        const char *wrong = framing_byte(c, p[i++]);

        if (wrong)
            return h1_fail(err, REASON_BAD_REQUEST, wrong);
    }
    *used = i;
    if (c->state == AT_END)
        return H1_DONE;
    if (c->state != IN_DATA || i == n)
        return H1_MORE;
    run = n - i < c->left ? n - i : (size_t)c->left;
    *data = slice_of(p + i, run);
    *used = i + run;
    c->left -= run;
    if (c->left == 0)
        c->state = AT_DATA_CR;
    return H1_MORE;
}

/* What would change how the message is framed, routed or believed when a recipient merges trailers into the head. */
bool
h1_refused_in_trailer(unsigned id)
{
    switch (id) {
    case FIELD_HOST:
    case FIELD_CONTENT_LENGTH:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_UPGRADE:
    case FIELD_HTTP2_SETTINGS:
    case FIELD_TE:
    case FIELD_TRAILER:
    case FIELD_EXPECT:
    case FIELD_MAX_FORWARDS:
    case FIELD_RANGE:
    case FIELD_CACHE_CONTROL:
    case FIELD_CONTENT_ENCODING:
    case FIELD_CONTENT_TYPE:
    case FIELD_CONTENT_RANGE:
    case FIELD_LOCATION:
    case FIELD_VIA:
    case FIELD_FORWARDED:
    case FIELD_X_FORWARDED_FOR:
    case FIELD_X_FORWARDED_PROTO:
    case FIELD_X_FORWARDED_HOST:
    case FIELD_X_FORWARDED_PORT:
    case FIELD_X_FORWARDED_PREFIX:
    case FIELD_X_REAL_IP:
    case FIELD_X_REQUEST_ID:
    case FIELD_X_API_KEY:
    case FIELD_CLIENT_CERT:
    case FIELD_CLIENT_CERT_CHAIN:
    case FIELD_AUTHORIZATION:
    case FIELD_PROXY_AUTHORIZATION:
    case FIELD_PROXY_AUTHENTICATE:
    case FIELD_WWW_AUTHENTICATE:
    case FIELD_COOKIE:
    case FIELD_SET_COOKIE:
        return true;
    default:
        return false;
    }
}

static enum h1_result
parse_trailers(const char *p, size_t n, const struct h1_limits *limits, struct fields *out, struct h1_error *err)
{
    struct h1_marks marks = { 0 };

    if (h1_parse_fields(out, &marks, &p, p + n, limits, err) == H1_ERROR)
        return H1_ERROR;
    for (unsigned i = 0; i < out->n; i++) {
        if (h1_refused_in_trailer(out->v[i].id))
            return h1_fail(err, REASON_BAD_REQUEST, "a trailer field that belongs in the head");
    }
    return marks.misspelt ? h1_fail(err, REASON_BAD_REQUEST, "a trailer field that belongs in the head") : H1_DONE;
}

static enum h1_result
too_large(struct h1_error *err, enum limit_id limit)
{
    return h1_exceed(err, limit, "trailers larger than the limit");
}

enum h1_result
chunked_trailers(const char *p, size_t n, const struct h1_limits *limits, struct fields *out, size_t *used,
                 struct h1_error *err)
{
    size_t start = 0, max = n < limits->head ? n : limits->head; /* what lies behind the limit is not looked at */

    *used = 0;
    while (start < max) {
        const char *lf = memchr(p + start, '\n', max - start);
        size_t at = lf ? (size_t)(lf - p) : max;

        if (at - start > (size_t)limits->field + 1)
            return too_large(err, LIMIT_FIELD);
        if (!lf)
            break;
        if (at == start || p[at - 1] != '\r')
            return h1_fail(err, REASON_BAD_REQUEST, "a line that ends without CR");
        if (at - start == 1) {
            *used = at + 1;
            return parse_trailers(p, at + 1, limits, out, err);
        }
        start = at + 1;
    }
    return n >= limits->head ? too_large(err, LIMIT_HEAD) : H1_MORE;
}
