/* h2_frames: frames of HTTP/2 on their way from nghttp2 to the socket. Both sides of weir write with it. */
#ifndef SESSION_H2_FRAMES_H
#define SESSION_H2_FRAMES_H

#include "../base/iobuf.h"
#include "../net/conn.h"

#include <nghttp2/nghttp2.h>

#define H2_FRAME_HEAD 9u /* bytes before each payload (RFC 9113 4.1) */
/* More is not made before these have gone. */
#define H2_FRAMES_CAP 65536u

struct h2_frames {
    struct iobuf out;
    uint64_t produced; /* bytes given to `out` so far */
    bool stopped;      /* frames could not be made for want of room */
};

void h2_frames_init(struct h2_frames *f);
void h2_frames_fini(struct h2_frames *f);
/* What nghttp2 has to say, until it has no more or there is no room. 0, or -1 when it cannot go on. */
int h2_frames_make(struct h2_frames *f, nghttp2_session *ng);
/* For nghttp2's send_data callback: a frame of DATA with the first n bytes of `body`, whose head is `head`. False:
 * there is no room; it is asked for again later. */
bool h2_frames_data(struct h2_frames *f, const uint8_t *head, struct iobuf *body, size_t n);
/* 0: all is with the kernel; CONN_AGAIN, CONN_ERROR. */
int h2_frames_flush(struct h2_frames *f, struct conn *c);

static inline uint64_t
h2_frames_written(const struct h2_frames *f)
{
    return f->produced - f->out.len;
}

#endif
