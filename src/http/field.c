#include "field.h"
#include "chars.h"

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

bool
field_is_value(struct slice s)
{
    return s.n == 0 || scan_value(s.p, s.p + s.n) == s.p + s.n;
}

void
fields_init(struct fields *f, struct arena *arena)
{
    f->v = NULL;
    f->n = f->room = 0;
    f->arena = arena;
}

static void
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
fields_push(struct fields *f, struct slice name, struct slice value, enum field_id id)
{
    struct field *field;

    if (f->n == f->room)
        fields_grow(f);
    field = &f->v[f->n++];
    field->name = name;
    field->value = value;
    field->id = (uint16_t)id;
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
    for (; at < f->n; at++) {
        if (field_matches(&f->v[at], id, name))
            return &f->v[at];
    }
    return NULL;
}

struct field *
fields_find(const struct fields *f, enum field_id id)
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

    for (unsigned i = 0; i < f->n; i++)
        count += f->v[i].id == id;
    return count;
}

static unsigned
remove_matching(struct fields *f, enum field_id id, struct slice name)
{
    unsigned kept = 0, removed;

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
fields_remove(struct fields *f, enum field_id id)
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

void
fields_copy(struct fields *to, const struct fields *from, struct arena *arena)
{
    fields_init(to, arena);
    if (from->n == 0)
        return;
    /* Room for what a proxy adds. */
    to->room = from->n + FIRST_ROOM / 2;
    to->v = arena_alloc(arena, to->room * sizeof(*to->v));
    memcpy(to->v, from->v, from->n * sizeof(*to->v));
    to->n = from->n;
}

static bool
is_hop_by_hop(unsigned id)
{
    switch (id) {
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_PROXY_AUTHENTICATE:
    case FIELD_PROXY_AUTHORIZATION:
    case FIELD_TE:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
    case FIELD_HTTP2_SETTINGS:
        return true;
    default:
        return false;
    }
}

/* Marks the fields that a Connection value names. Host stays: no peer may take it off the request. */
static void
mark_named(struct fields *f, struct slice names)
{
    struct slice name;

    while (field_list_next(&names, &name)) {
        enum field_id id = field_lookup(name);

        if (id == FIELD_HOST || id == FIELD_CONNECTION || is_hop_by_hop(id))
            continue;
        for (unsigned i = 0; i < f->n; i++) {
            if (field_matches(&f->v[i], id, name))
                f->v[i].id = FIELD_COUNT;
        }
    }
}

void
fields_remove_hop_by_hop(struct fields *f)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < f->n; i++) {
        if (f->v[i].id == FIELD_CONNECTION)
            mark_named(f, f->v[i].value);
    }
    for (unsigned i = 0; i < f->n; i++) {
        if (f->v[i].id == FIELD_COUNT || is_hop_by_hop(f->v[i].id))
            continue;
        if (kept != i)
            f->v[kept] = f->v[i];
        kept++;
    }
    f->n = kept;
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
