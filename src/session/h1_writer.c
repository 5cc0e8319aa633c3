#include "h1_writer.h"

#define IOV_MAX_PER_WRITE 16

void
h1_writer_init(struct h1_writer *w)
{
    memset(w, 0, sizeof(*w));
    iobuf_init(&w->out, H1_WRITER_CAP);
}

void
h1_writer_fini(struct h1_writer *w)
{
    iobuf_fini(&w->out);
}

void
h1_writer_begin(struct h1_writer *w, struct body_framing body)
{
    w->kind = body.kind;
    w->left = body.length;
    w->ended = body.kind == BODY_NONE;
}

int
h1_writer_send(struct h1_writer *w, struct iobuf *from, size_t n)
{
    if (!n)
        return 0;
    switch (w->ended ? BODY_NONE : w->kind) {
    case BODY_NONE:
        iobuf_consume(from, n);
        return w->kind == BODY_NONE ? 0 : -1;
    case BODY_LENGTH:
        if (n > w->left)
            return -1;
        w->left -= n;
        iobuf_move(&w->out, from, n);
        break;
    case BODY_CHUNKED:
        h1_write_chunk(&w->out, from, n);
        break;
    case BODY_UNTIL_CLOSE:
        iobuf_move(&w->out, from, n);
        break;
    }
    if (!iobuf_room(&w->out))
        w->full = true;
    return 0;
}

int
h1_writer_end(struct h1_writer *w, const struct fields *trailers)
{
    if (w->ended)
        return 0;
    if (w->kind == BODY_LENGTH && w->left)
        return -1;
    if (w->kind == BODY_CHUNKED)
        h1_write_last_chunk(&w->out, trailers);
    w->ended = true;
    return 0;
}

static int
write_all(struct h1_writer *w, struct conn *c)
{
    while (w->out.len) {
        struct iovec iov[IOV_MAX_PER_WRITE];
        ssize_t n;

        if (!c->broken && !(c->ready & CONN_WRITABLE))
            return CONN_AGAIN;
        n = conn_writev(c, iov, iobuf_iov(&w->out, iov, IOV_MAX_PER_WRITE));
        if (n < 0)
            return (int)n;
        iobuf_consume(&w->out, (size_t)n);
        w->bytes += (uint64_t)n;
    }
    return 0;
}

/* Pieces of 64 KiB and what a segment holds do not fit: the rest of each would be a segment of its own. It may wait
 * where the length says that more must come, and whoever has it was stopped for want of room. */
int
h1_writer_flush(struct h1_writer *w, struct conn *c)
{
    int result;

    c->more_follows = w->full && w->kind == BODY_LENGTH && w->left;
    result = write_all(w, c);
    c->more_follows = false;
    return result;
}

bool
h1_writer_eased(struct h1_writer *w)
{
    if (!w->full || w->out.len > w->out.cap / 2)
        return false;
    w->full = false;
    return true;
}
