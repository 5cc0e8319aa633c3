/* frames: the framing of gRPC (a flag, the length in four bytes, the message), as far as gRPC-Web has to know it. */
#ifndef GRPC_WEB_FRAMES_H
#define GRPC_WEB_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEAD 5u
#define FRAME_TRAILERS 0x80 /* flag of the last frame of an answer */

void frame_head(char out[FRAME_HEAD], unsigned char flag, uint32_t length);

/* Where in a body one is. All zero at the beginning. */
struct frames {
    unsigned have; /* bytes of the next frame's head */
    uint32_t left; /* that its head has counted so far, then: bytes of it to come */
};
/* Goes on by these bytes. true: they end where a frame does. */
bool frames_follow(struct frames *f, const char *p, size_t n);

#endif
