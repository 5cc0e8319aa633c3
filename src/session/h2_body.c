#include "h2_body.h"
#include "h2_fields.h"

void
h2_body_init(struct h2_body *b, struct arena *a)
{
    h1_writer_init(&b->writer);
    fields_init(&b->trailers, a);
    b->deferred = false;
}

void
h2_body_fini(struct h2_body *b)
{
    h1_writer_fini(&b->writer);
}

int
h2_body_end(struct h2_body *b, const struct fields *trailers)
{
    struct arena *a = b->trailers.arena;

    if (h1_writer_end(&b->writer, NULL) < 0)
        return -1;
    for (unsigned i = 0; trailers && i < trailers->n; i++)
        fields_push(&b->trailers, arena_slice(a, trailers->v[i].name), arena_slice(a, trailers->v[i].value),
                    (enum field_id)trailers->v[i].id);
    return 0;
}

void
h2_body_resume(struct h2_body *b, nghttp2_session *ng, int32_t id)
{
    if (b->deferred && id)
        nghttp2_session_resume_data(ng, id);
    b->deferred = false;
}

/* False: there are none that may go, and the last frame of DATA ends the stream. */
static bool
submit_trailers(struct h2_body *b, nghttp2_session *ng, int32_t id)
{
    struct h2_nv nv;

    if (!b->trailers.n)
        return false;
    nv = h2_nv_new(b->trailers.arena, &b->trailers, 0);
    h2_nv_add_fields(&nv, &b->trailers, false);
    return nv.n && nghttp2_submit_trailer(ng, id, nv.v, nv.n) == 0;
}

ssize_t
h2_body_read(struct h2_body *b, nghttp2_session *ng, int32_t id, size_t max, uint32_t *flags)
{
    size_t n = b->writer.out.len;

    if (!n && !b->writer.ended) {
        b->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n > max)
        return (ssize_t)max;
    if (b->writer.ended) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (submit_trailers(b, ng, id))
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    }
    return (ssize_t)n;
}
