#include "h2_fields.h"

struct h2_nv
h2_nv_new(struct arena *a, const struct fields *f, unsigned more)
{
    return (struct h2_nv){ .v = arena_alloc(a, (f->n + more) * sizeof(nghttp2_nv)) };
}

void
h2_nv_add(struct h2_nv *nv, struct slice name, struct slice value)
{
    nv->v[nv->n++] = (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name.p,
                                   .namelen = name.n,
                                   .value = (uint8_t *)(uintptr_t)(value.n ? value.p : ""),
                                   .valuelen = value.n };
}

void
h2_nv_add_fields(struct h2_nv *nv, const struct fields *f, bool length)
{
    for (unsigned i = 0; i < f->n; i++) {
        const struct field *v = &f->v[i];

        if (!h2_connection_specific(v->id) && (length || v->id != FIELD_CONTENT_LENGTH))
            h2_nv_add(nv, v->name, v->value);
    }
}

void
h2_nv_add_status(struct h2_nv *nv, struct arena *a, int status)
{
    char *digits = arena_alloc(a, 3);

    digits[0] = (char)('0' + status / 100);
    digits[1] = (char)('0' + status / 10 % 10);
    digits[2] = (char)('0' + status % 10);
    h2_nv_add(nv, SLICE(":status"), slice_of(digits, 3));
}
