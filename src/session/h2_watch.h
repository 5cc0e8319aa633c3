/* h2_watch: looks at the frames of a client on their way to nghttp2, for what the library does not tell of: it skips
 * the payload of PRIORITY where priorities of RFC 7540 are switched off, and DATA on a stream that is over. */
#ifndef SESSION_H2_WATCH_H
#define SESSION_H2_WATCH_H

#include "h2_frames.h"

#define H2_PRIORITY_SIZE 5u

enum h2_sight {
    H2_SIGHT_NONE,
    H2_SIGHT_DATA, /* the head of a DATA frame, on `stream` */
    H2_SIGHT_SELF  /* a PRIORITY frame that makes a stream depend on itself (RFC 7540 5.3.1) */
};

struct h2_watch {
    uint32_t skip; /* bytes to come that say nothing */
    unsigned n;    /* in `bytes` */
    uint8_t bytes[H2_FRAME_HEAD + H2_PRIORITY_SIZE];
    enum h2_sight sight; /* where it stopped last */
    int32_t stream;
};

/* At the preface of the client (RFC 9113 3.4). */
void h2_watch_init(struct h2_watch *w);
/* How many of the n bytes there are up to the end of something worth a look; n: there is none. */
size_t h2_watch(struct h2_watch *w, const uint8_t *p, size_t n);

#endif
