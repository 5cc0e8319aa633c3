/* h1_fields: field lines (RFC 9112 5). One pass: name up to the colon, value up to the first control byte, which must
 * be CR. */
#include "h1_parse.h"
#include "chars.h"

/* More names than any honest peer lists; each costs a walk over the fields when they are removed. */
#define CONNECTION_MEMBERS_MAX 32

static void
mark_connection(struct h1_marks *m, struct slice value)
{
    struct slice member;

    if (field_is_plain_option(value) && m->connection_members < CONNECTION_MEMBERS_MAX) {
        *(value.n == 5 ? &m->close : &m->keep_alive) = true;
        m->connection_members++;
        return;
    }
    while (field_list_next(&value, &member)) {
        if (slice_ieq(member, SLICE("close")))
            m->close = true;
        else if (slice_ieq(member, SLICE("keep-alive")))
            m->keep_alive = true;
        else if (slice_ieq(member, SLICE("upgrade")))
            m->names_upgrade = true;
        else if (!field_is_token(member))
            m->malformed_connection = true;
        if (++m->connection_members > CONNECTION_MEMBERS_MAX)
            m->malformed_connection = true;
    }
}

static void
mark_expect(struct h1_marks *m, struct slice value)
{
    struct slice member;

    while (field_list_next(&value, &member)) {
        if (slice_ieq(member, SLICE("100-continue")))
            m->expects_continue = true;
        else
            m->expects_other = true;
    }
}

/* Content_Length and the like: many origins make the same variable of '-' and '_', and would frame by it. */
static bool
is_misspelt(struct slice name)
{
    char copy[17];

    if ((name.n != 14 && name.n != 17) || !memchr(name.p, '_', name.n))
        return false;
    for (size_t i = 0; i < name.n; i++)
        copy[i] = name.p[i] == '_' ? '-' : name.p[i];
    switch (field_lookup(slice_of(copy, name.n))) {
    case FIELD_CONTENT_LENGTH:
    case FIELD_TRANSFER_ENCODING:
        return true;
    default:
        return false;
    }
}

bool
h1_misspells_framing(struct slice name)
{
    return is_misspelt(name);
}

static inline void
mark(struct h1_marks *m, enum field_id id, struct slice name, struct slice value)
{
    switch (id) {
    case FIELD_HOST:
        m->hosts++;
        m->host = value;
        break;
    case FIELD_CONTENT_LENGTH:
        m->lengths++;
        m->length = value;
        break;
    case FIELD_TRANSFER_ENCODING:
        m->codings++;
        m->coding = value;
        break;
    case FIELD_UPGRADE:
        m->upgrades++;
        m->upgrade = value;
        break;
    case FIELD_KEEP_ALIVE:
        m->keep_alive_params = value;
        break;
    case FIELD_CONNECTION:
        mark_connection(m, value);
        break;
    case FIELD_EXPECT:
        mark_expect(m, value);
        break;
    case FIELD_OTHER:
        m->misspelt |= is_misspelt(name);
        break;
    default:
        break;
    }
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *
name_error(struct slice name)
{
    if (name.n && is_blank(name.p[0]))
        return "a folded field line"; /* RFC 9112 5.2 */
    if (name.n == 0)
        return "an empty field name";
    if (is_blank(name.p[name.n - 1]))
        return "white space between a field name and its colon"; /* RFC 9112 5.1 */
    return "a field name that is not a token";
}

static inline enum h1_result
parse_line(struct fields *f, struct h1_marks *m, const char **p, const char *end, struct h1_error *err)
{
    const char *colon = scan_char(*p, end, ':'), *v, *stop, *last;
    struct slice name = slice_of(*p, (size_t)(colon - *p)), value;
    enum field_id id;

    if (colon == end)
        return h1_fail(err, REASON_BAD_REQUEST, is_blank(**p) ? name_error(name) : "a field line without a colon");
    id = field_lookup(name);
    if (id == FIELD_OTHER && !field_is_token(name))
        return h1_fail(err, REASON_BAD_REQUEST, name_error(name));
    for (v = colon + 1; v < end && is_blank(*v); v++)
        ;
    last = stop = scan_value(v, end);
    if (end - stop < 2 || memcmp(stop, "\r\n", 2) != 0)
        return h1_fail(err, REASON_BAD_REQUEST, "a control byte in a field value");
    while (last > v && is_blank(last[-1]))
        last--;
    value = slice_of(v, (size_t)(last - v));
    fields_push(f, name, value, id)->as_received = v == colon + 2 && colon[1] == ' ' && last == stop;
    mark(m, id, name, value);
    *p = stop + 2;
    return H1_MORE;
}

enum h1_result
h1_parse_fields(struct fields *f, struct h1_marks *m, const char **p, const char *end, const struct h1_limits *limits,
                struct h1_error *err)
{
    while (*p < end && **p != '\r') {
        const char *start = *p;

        if (f->n >= limits->fields)
            return h1_exceed(err, LIMIT_FIELDS, "more fields than the limit");
        if (parse_line(f, m, p, end, err) == H1_ERROR)
            return H1_ERROR;
        if ((size_t)(*p - start) - 2 > limits->field)
            return h1_exceed(err, LIMIT_FIELD, "a field longer than the limit");
    }
    if (end - *p != 2 || (*p)[1] != '\n')
        return h1_fail(err, REASON_BAD_REQUEST, "a head that does not end with an empty line");
    *p = end;
    return H1_DONE;
}
