/* h2_body: the body of a message on its way into frames of DATA, and the trailers behind it. Both sides of weir send
 * with it. */
#ifndef SESSION_H2_BODY_H
#define SESSION_H2_BODY_H

#include "h1_writer.h"

#include <nghttp2/nghttp2.h>

struct h2_body {
    struct h1_writer writer; /* what is in no frame yet, and what the head has promised */
    struct fields trailers;
    bool deferred; /* nghttp2 waits for bytes */
};

void h2_body_init(struct h2_body *b, struct arena *a); /* the trailers' arena */
void h2_body_fini(struct h2_body *b);
/* 0, or -1 when less was sent than promised. Trailers may be NULL; they are copied. */
int h2_body_end(struct h2_body *b, const struct fields *trailers);
/* There is more of it, or its end: nghttp2 asks again. */
void h2_body_resume(struct h2_body *b, nghttp2_session *ng, int32_t id);
/* What nghttp2's read callback answers. */
ssize_t h2_body_read(struct h2_body *b, nghttp2_session *ng, int32_t id, size_t max, uint32_t *flags);

#endif
