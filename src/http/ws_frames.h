/*
 * ws_frames: where the frames of a WebSocket end (RFC 6455 5.2), followed in one direction of a tunnel. What they hold
 * is nobody's business here; extensions do not change where they end.
 */
#ifndef HTTP_WS_FRAMES_H
#define HTTP_WS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_HEAD_MAX 14

/* All zero at the beginning. */
struct ws_frames {
    uint64_t left;                   /* bytes of the payload to come, once the head is complete */
    unsigned char head[WS_HEAD_MAX]; /* of the frame that is under way */
    unsigned char have;              /* bytes of it; 0: between two frames */
    bool closed;                     /* a Close frame was among them: the last frame of its sender (5.5.1) */
};

/* Goes on by these bytes. */
void ws_frames_follow(struct ws_frames *f, const char *p, size_t n);

/* May another frame begin here? Those of control also between the fragments of a message (5.4). */
static inline bool
ws_frames_between(const struct ws_frames *f)
{
    return f->have == 0;
}

/* How many bytes can be taken without going beyond the end of the frame; at least 1. Where a frame begins or its head
 * is not complete nobody knows more. */
uint64_t ws_frames_rest(const struct ws_frames *f);

#define WS_CLOSE_MAX 8
#define WS_GOING_AWAY 1001 /* 7.4.1 */
/* A Close frame with this code; as a client sends it, masked with `mask`, when that is not NULL. Returns its length. */
size_t ws_close_write(char out[WS_CLOSE_MAX], unsigned code, const unsigned char mask[4]);

#endif
