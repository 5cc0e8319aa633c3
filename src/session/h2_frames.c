#include "h2_frames.h"

#define IOV_MAX_PER_WRITE 32

void
h2_frames_init(struct h2_frames *f)
{
    memset(f, 0, sizeof(*f));
    iobuf_init(&f->out, H2_FRAMES_CAP);
}

void
h2_frames_fini(struct h2_frames *f)
{
    iobuf_fini(&f->out);
}

int
h2_frames_make(struct h2_frames *f, nghttp2_session *ng)
{
    f->stopped = false;
    while (f->out.len < H2_FRAMES_CAP && !f->stopped) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(ng, &p);

        if (n < 0)
            return -1;
        if (n == 0)
            return 0;
        iobuf_add(&f->out, p, (size_t)n);
        f->produced += (uint64_t)n;
    }
    f->stopped = true;
    return 0;
}

bool
h2_frames_data(struct h2_frames *f, const uint8_t *head, struct iobuf *body, size_t n)
{
    if (f->out.len >= H2_FRAMES_CAP) {
        f->stopped = true;
        return false;
    }
    iobuf_add(&f->out, head, H2_FRAME_HEAD);
    iobuf_move(&f->out, body, n);
    f->produced += H2_FRAME_HEAD + n;
    return true;
}

int
h2_frames_flush(struct h2_frames *f, struct conn *c)
{
    while (f->out.len) {
        struct iovec iov[IOV_MAX_PER_WRITE];
        ssize_t n;

        if (!c->broken && !(c->ready & CONN_WRITABLE))
            return CONN_AGAIN;
        n = conn_writev(c, iov, iobuf_iov(&f->out, iov, IOV_MAX_PER_WRITE));
        if (n < 0)
            return (int)n;
        iobuf_consume(&f->out, (size_t)n);
    }
    return 0;
}
