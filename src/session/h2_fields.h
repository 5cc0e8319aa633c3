/* h2_fields: heads and trailers on their way into nghttp2, which copies values, and names that weir does not know. */
#ifndef SESSION_H2_FIELDS_H
#define SESSION_H2_FIELDS_H

#include "../http/h2.h"

#include <nghttp2/nghttp2.h>

/* A head that is so many times larger than the limit is no mistake: small fields of HPACK stand for large ones (a
 * "bomb"). */
#define H2_HEAD_EXCESS 8u

struct h2_nv {
    nghttp2_nv *v; /* in the arena */
    size_t n;
};

/* With room for so many more than the list has. The list's slices are kept, not copied. */
struct h2_nv h2_nv_new(struct arena *a, const struct fields *f, unsigned more);
void h2_nv_add(struct h2_nv *nv, struct slice name, struct slice value);
void h2_nv_add_id(struct h2_nv *nv, enum field_id id, struct slice value); /* not FIELD_OTHER */
void h2_nv_add_field(struct h2_nv *nv, const struct field *f);
void h2_nv_add_length(struct h2_nv *nv, struct arena *a, uint64_t length); /* Content-Length */
/* The list but what HTTP/2 has no fields for; Content-Length only where `length` says so. */
void h2_nv_add_fields(struct h2_nv *nv, const struct fields *f, bool length);
/* :status, in three digits. */
void h2_nv_add_status(struct h2_nv *nv, struct arena *a, int status);

#endif
