/* h2_field: what fields of HTTP/2 must be (RFC 9113 8.2), of requests, responses and trailers alike. */
#include "h2_parse.h"
#include "chars.h"

bool
h2_connection_specific(enum field_id id)
{
    switch (id) {
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
    case FIELD_HTTP2_SETTINGS:
        return true;
    default:
        return false;
    }
}

static const char *
name_error(enum field_id id, struct slice name)
{
    if (id == FIELD_OTHER && !field_is_token(name))
        return name.n ? "a field name that is not a token" : "an empty field name";
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] >= 'A' && name.p[i] <= 'Z')
            return "a field name with capital letters"; /* RFC 9113 8.2.1 */
    return NULL;
}

/* Neither inside nor around a value may stand what HTTP/1.1 would read otherwise (RFC 9113 8.2.1). */
const char *
h2_value_error(struct slice value)
{
    if (scan_value(value.p, value.p + value.n) != value.p + value.n)
        return "a control byte in a field value";
    if (value.n &&
        (value.p[0] == ' ' || value.p[0] == '\t' || value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
        return "white space around a field value";
    return NULL;
}

const char *
h2_field_error(enum field_id id, struct slice name, struct slice value)
{
    const char *text = name_error(id, name);

    if (!text)
        text = h2_value_error(value);
    if (!text && h2_connection_specific(id))
        text = "a field that belongs to a connection of HTTP/1.1";
    if (!text && id == FIELD_TE && !slice_ieq(value, SLICE("trailers")))
        text = "TE that says something else than trailers";
    if (!text && id == FIELD_OTHER && h1_misspells_framing(name))
        text = "a field name that looks like Content-Length or Transfer-Encoding";
    return text;
}

void
h2_field_push(struct fields *f, enum field_id id, struct slice name, struct slice value)
{
    fields_push(f, id == FIELD_OTHER ? arena_slice(f->arena, name) : field_name_slice(id), arena_slice(f->arena, value),
                id);
}

enum h1_result
h2_trailer_add(struct fields *out, size_t *bytes, const struct h1_limits *limits, struct slice name, struct slice value,
               struct h1_error *err)
{
    enum field_id id = field_lookup(name);
    const char *text = h2_field_error(id, name, value);

    *bytes += name.n + value.n + H2_LINE_EXTRA;
    if (name.n + value.n + 2 > limits->field)
        return h1_exceed(err, LIMIT_FIELD, "trailers larger than the limit");
    if (*bytes > limits->head)
        return h1_exceed(err, LIMIT_HEAD, "trailers larger than the limit");
    if (out->n >= limits->fields)
        return h1_exceed(err, LIMIT_FIELDS, "more trailers than the limit");
    if (!text && h1_refused_in_trailer(id))
        text = "a trailer field that belongs in the head";
    if (text)
        return h1_fail(err, REASON_BAD_REQUEST, text);
    h2_field_push(out, id, name, value);
    return H1_MORE;
}
