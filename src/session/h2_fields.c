#include "h2_fields.h"
#include "../base/number.h"

struct h2_nv
h2_nv_new(struct arena *a, const struct fields *f, unsigned more)
{
    return (struct h2_nv){ .v = arena_alloc(a, (f->n + more) * sizeof(nghttp2_nv)) };
}

static void
add(struct h2_nv *nv, struct slice name, struct slice value, uint8_t flags)
{
    nv->v[nv->n++] = (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name.p,
                                   .namelen = name.n,
                                   .value = (uint8_t *)(uintptr_t)(value.n ? value.p : ""),
                                   .valuelen = value.n,
                                   .flags = flags };
}

void
h2_nv_add(struct h2_nv *nv, struct slice name, struct slice value)
{
    add(nv, name, value, NGHTTP2_NV_FLAG_NONE);
}

/* Is its value another one each time? Then it would only push out of HPACK's table what comes again. */
static bool
never_comes_again(enum field_id id)
{
    return id == FIELD_X_REQUEST_ID || id == FIELD_TRACEPARENT || id == FIELD_RATELIMIT;
}

void
h2_nv_add_id(struct h2_nv *nv, enum field_id id, struct slice value)
{
    uint8_t flags = NGHTTP2_NV_FLAG_NO_COPY_NAME; /* it is static */

    if (never_comes_again(id))
        flags |= NGHTTP2_NV_FLAG_NO_INDEX;
    add(nv, field_name_lower(id), value, flags);
}

void
h2_nv_add_field(struct h2_nv *nv, const struct field *f)
{
    if (f->id == FIELD_OTHER)
        h2_nv_add(nv, f->name, f->value);
    else
        h2_nv_add_id(nv, (enum field_id)f->id, f->value);
}

void
h2_nv_add_length(struct h2_nv *nv, struct arena *a, uint64_t length)
{
    char *text = arena_alloc(a, NUMBER_DIGITS_MAX);

    h2_nv_add_id(nv, FIELD_CONTENT_LENGTH, slice_of(text, (size_t)(number_put(text, length) - text)));
}

void
h2_nv_add_fields(struct h2_nv *nv, const struct fields *f, bool length)
{
    for (unsigned i = 0; i < f->n; i++) {
        const struct field *v = &f->v[i];

        if (!h2_connection_specific(v->id) && (length || v->id != FIELD_CONTENT_LENGTH))
            h2_nv_add_field(nv, v);
    }
}

void
h2_nv_add_status(struct h2_nv *nv, struct arena *a, int status)
{
    char *digits = arena_alloc(a, 3);

    digits[0] = (char)('0' + status / 100);
    digits[1] = (char)('0' + status / 10 % 10);
    digits[2] = (char)('0' + status % 10);
    add(nv, SLICE(":status"), slice_of(digits, 3), NGHTTP2_NV_FLAG_NO_COPY_NAME);
}
