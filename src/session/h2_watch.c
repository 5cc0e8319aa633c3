#include "h2_watch.h"

void
h2_watch_init(struct h2_watch *w)
{
    *w = (struct h2_watch){ .skip = NGHTTP2_CLIENT_MAGIC_LEN };
}

static int32_t
stream_at(const uint8_t *p)
{
    return (int32_t)(((uint32_t)p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
}

/* The head of a frame is complete (RFC 9113 4.1). */
static enum h2_sight
judge_head(struct h2_watch *w)
{
    uint32_t size = (uint32_t)w->bytes[0] << 16 | (uint32_t)w->bytes[1] << 8 | w->bytes[2];
    uint8_t type = w->bytes[3];

    w->stream = stream_at(w->bytes + 5);
    if (type == NGHTTP2_PRIORITY && size == H2_PRIORITY_SIZE)
        return H2_SIGHT_NONE; /* its payload is collected behind it */
    w->n = 0;
    w->skip = size;
    return type == NGHTTP2_DATA ? H2_SIGHT_DATA : H2_SIGHT_NONE;
}

static enum h2_sight
judge_priority(struct h2_watch *w)
{
    w->n = 0;
    return stream_at(w->bytes + H2_FRAME_HEAD) == w->stream ? H2_SIGHT_SELF : H2_SIGHT_NONE;
}

size_t
h2_watch(struct h2_watch *w, const uint8_t *p, size_t n)
{
    size_t at = 0;

    w->sight = H2_SIGHT_NONE;
    while (at < n && w->sight == H2_SIGHT_NONE) {
        size_t step = w->skip < n - at ? w->skip : n - at;

        w->skip -= (uint32_t)step;
        at += step;
        if (at == n)
            break;
        w->bytes[w->n++] = p[at++];
        if (w->n == H2_FRAME_HEAD)
            w->sight = judge_head(w);
        else if (w->n == sizeof(w->bytes))
            w->sight = judge_priority(w);
    }
    return at;
}
