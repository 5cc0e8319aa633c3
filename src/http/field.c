#include "field.h"
#include "chars.h"

#include <assert.h>

/* Enough for nearly every request, so that the list rarely moves. */
#define FIRST_ROOM 24

bool
field_is_token(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!char_is(s.p[i], CHAR_TOKEN))
            return false;
    }
    return s.n > 0;
}

static inline char
folded(char c)
{
    return c == '_' ? '-' : char_lower(c);
}

bool
field_names_alike(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (folded(a.p[i]) != folded(b.p[i]))
            return false;
    }
    return true;
}

bool
field_is_value(struct slice s)
{
    return s.n == 0 || scan_value(s.p, s.p + s.n) == s.p + s.n;
}

void
fields_init(struct fields *f, struct arena *arena)
{
    *f = (struct fields){ .arena = arena };
}

void
fields_grow(struct fields *f)
{
    unsigned room = f->room ? f->room * 2 : FIRST_ROOM;
    struct field *v = arena_alloc(f->arena, room * sizeof(*v));

    if (f->n)
        memcpy(v, f->v, f->n * sizeof(*v));
    f->v = v;
    f->room = room;
}

void
fields_add(struct fields *f, struct slice name, struct slice value)
{
    fields_push(f, name, value, field_lookup(name));
}

void
fields_add_id(struct fields *f, enum field_id id, struct slice value)
{
    fields_push(f, field_name_slice(id), value, id);
}

static bool
field_matches(const struct field *field, enum field_id id, struct slice name)
{
    return field->id == id && (id != FIELD_OTHER || slice_ieq(field->name, name));
}

static struct field *
find_from(const struct fields *f, unsigned at, enum field_id id, struct slice name)
{
    if (!field_set_has(&f->ids, id))
        return NULL;
    for (; at < f->n; at++) {
        if (field_matches(&f->v[at], id, name))
            return &f->v[at];
    }
    return NULL;
}

struct field *
fields_search(const struct fields *f, enum field_id id)
{
    for (unsigned i = 0; i < f->n; i++) {
        if (f->v[i].id == id)
            return &f->v[i];
    }
    return NULL;
}

struct field *
fields_find_name(const struct fields *f, struct slice name)
{
    return find_from(f, 0, field_lookup(name), name);
}

struct field *
fields_next(const struct fields *f, const struct field *after)
{
    return find_from(f, (unsigned)(after - f->v) + 1, (enum field_id)after->id, after->name);
}

struct slice
fields_value(const struct fields *f, enum field_id id)
{
    const struct field *field = fields_find(f, id);

    return field ? field->value : SLICE_NONE;
}

unsigned
fields_count(const struct fields *f, enum field_id id)
{
    unsigned count = 0;

    if (!field_set_has(&f->ids, id))
        return 0;
    for (unsigned i = 0; i < f->n; i++)
        count += f->v[i].id == id;
    return count;
}

static unsigned
remove_matching(struct fields *f, enum field_id id, struct slice name)
{
    unsigned kept = 0, removed;

    if (!field_set_has(&f->ids, id))
        return 0;
    for (unsigned i = 0; i < f->n; i++) {
        if (field_matches(&f->v[i], id, name))
            continue;
        if (kept != i)
            f->v[kept] = f->v[i];
        kept++;
    }
    removed = f->n - kept;
    f->n = kept;
    return removed;
}

unsigned
fields_cut_out(struct fields *f, enum field_id id)
{
    return id == FIELD_OTHER ? 0 : remove_matching(f, id, SLICE_NONE);
}

unsigned
fields_remove_name(struct fields *f, struct slice name)
{
    return remove_matching(f, field_lookup(name), name);
}

void
fields_set(struct fields *f, struct slice name, struct slice value)
{
    enum field_id id = field_lookup(name);

    remove_matching(f, id, name);
    fields_push(f, name, value, id);
}

void
fields_set_id(struct fields *f, enum field_id id, struct slice value)
{
    fields_remove(f, id);
    fields_add_id(f, id, value);
}

#define BIT(word, id) ((id) / 64 == (word) ? UINT64_C(1) << (id) % 64 : 0)
#define HOP_BY_HOP(word)                                                                                               \
    (BIT(word, FIELD_CONNECTION) | BIT(word, FIELD_KEEP_ALIVE) | BIT(word, FIELD_PROXY_CONNECTION) |                   \
     BIT(word, FIELD_PROXY_AUTHENTICATE) | BIT(word, FIELD_PROXY_AUTHORIZATION) | BIT(word, FIELD_TE) |                \
     BIT(word, FIELD_TRAILER) | BIT(word, FIELD_TRANSFER_ENCODING) | BIT(word, FIELD_UPGRADE) |                        \
     BIT(word, FIELD_HTTP2_SETTINGS))

static_assert(FIELD_COUNT <= 128, "a field_set holds 128 ids");
static const struct field_set hop_by_hop = { { HOP_BY_HOP(0), HOP_BY_HOP(1) } };

bool
field_hop_by_hop(enum field_id id)
{
    return field_set_has(&hop_by_hop, id);
}

static void
remove_set(struct fields *f, const struct field_set *set)
{
    unsigned kept = 0;

    if (!((f->ids.bits[0] & set->bits[0]) | (f->ids.bits[1] & set->bits[1])))
        return;
    for (unsigned i = 0; i < f->n; i++) {
        if (field_set_has(set, (enum field_id)f->v[i].id))
            continue;
        if (kept != i)
            f->v[kept] = f->v[i];
        kept++;
    }
    f->n = kept;
    f->ids.bits[0] &= ~set->bits[0];
    f->ids.bits[1] &= ~set->bits[1];
}

bool
field_relied_on(enum field_id id)
{
    switch (id) {
    case FIELD_HOST:
    case FIELD_CONTENT_LENGTH:
    case FIELD_AUTHORIZATION:
    case FIELD_COOKIE:
    case FIELD_SET_COOKIE:
    case FIELD_VIA:
    case FIELD_FORWARDED:
    case FIELD_X_FORWARDED_FOR:
    case FIELD_X_FORWARDED_PROTO:
    case FIELD_X_FORWARDED_HOST:
    case FIELD_X_FORWARDED_PORT:
    case FIELD_X_FORWARDED_PREFIX:
    case FIELD_X_REAL_IP:
    case FIELD_X_REQUEST_ID:
    case FIELD_TRACEPARENT:
    case FIELD_TRACESTATE:
    case FIELD_DATE:
    case FIELD_CONTENT_TYPE:
    case FIELD_EXPECT:
    case FIELD_MAX_FORWARDS:
    case FIELD_CLIENT_CERT:
    case FIELD_CLIENT_CERT_CHAIN:
    case FIELD_CONTENT_ENCODING:
    case FIELD_CONTENT_RANGE:
    case FIELD_RANGE:
    case FIELD_CACHE_CONTROL:
    case FIELD_LOCATION:
    case FIELD_ORIGIN:
    case FIELD_X_API_KEY:
    case FIELD_PROXY_STATUS:
    case FIELD_RATELIMIT:
    case FIELD_RATELIMIT_POLICY:
    case FIELD_RETRY_AFTER:
    case FIELD_WWW_AUTHENTICATE:
        return true;
    default:
        return false;
    }
}

/* By number, as the list moves while what one line names is removed. p NULL: there are not so many. */
static struct slice
nth_connection(const struct fields *f, unsigned n)
{
    if (!field_set_has(&f->ids, FIELD_CONNECTION))
        return SLICE_NONE;
    for (unsigned i = 0; i < f->n; i++) {
        if (f->v[i].id == FIELD_CONNECTION && n-- == 0)
            return f->v[i].value.p ? f->v[i].value : SLICE("");
    }
    return SLICE_NONE;
}

static bool
is_forwarded(struct slice name)
{
    return name.n > 12 && strncasecmp(name.p, "X-Forwarded-", 12) == 0;
}

/* What Connection says that is no field's name (RFC 9112 9.3, 9.6). */
static bool
is_option(struct slice name)
{
    return slice_ieq(name, SLICE("close")) || slice_ieq(name, SLICE("keep-alive"));
}

struct field_names *
field_names_add(struct field_names *list, struct slice name, struct arena *arena)
{
    struct field_names *n = arena_alloc(arena, sizeof(*n));

    n->name = name;
    n->next = list;
    return n;
}

struct field_names *
fields_remove_hop_by_hop(struct fields *f)
{
    struct slice rest, name;
    struct field_names *removed = NULL;

    for (unsigned line = 0; (rest = nth_connection(f, line)).p; line++) {
        if (field_is_plain_option(rest))
            continue;
        while (field_list_next(&rest, &name)) {
            enum field_id id = field_lookup(name);

            /* Those of one hop go below, Connection itself once all that it names is known. */
            if (field_hop_by_hop(id) || field_relied_on(id) || is_forwarded(name) || is_option(name))
                continue;
            remove_matching(f, id, name);
            removed = field_names_add(removed, name, f->arena);
        }
    }
    remove_set(f, &hop_by_hop);
    return removed;
}

/* Length of the member at the start of s: up to a comma that is not inside a quoted string. */
static size_t
member_len(struct slice s)
{
    bool quoted = false;
    size_t i;

    for (i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            quoted = !quoted;
        else if (quoted && s.p[i] == '\\')
            i++;
        else if (!quoted && s.p[i] == ',')
            break;
    }
    return i < s.n ? i : s.n;
}

bool
field_list_next(struct slice *rest, struct slice *member)
{
    while (rest->n) {
        size_t n = member_len(*rest);

        *member = slice_trim(slice_of(rest->p, n));
        *rest = slice_from(*rest, n + 1);
        if (member->n)
            return true;
    }
    return false;
}

bool
fields_list_has(const struct fields *f, enum field_id id, struct slice token)
{
    if (!field_set_has(&f->ids, id))
        return false;
    for (unsigned i = 0; i < f->n; i++) {
        struct slice rest = f->v[i].value, member;

        if (f->v[i].id != id)
            continue;
        while (field_list_next(&rest, &member)) {
            if (slice_ieq(member, token))
                return true;
        }
    }
    return false;
}
