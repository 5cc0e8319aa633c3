/*
 * iobuf: bytes on their way through, as a chain of recycled 16 KiB chunks. Data moves from one iobuf to another by
 * moving chunks, not bytes, where it can. One thread only; the chunk cache is per thread (iobuf_thread_fini).
 *
 * The cap is a promise to be kept by the caller: iobuf_room says how much may still be added; adding is never refused,
 * so that a head or a closing chunk always fits.
 */
#ifndef BASE_IOBUF_H
#define BASE_IOBUF_H

#include "slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define IOBUF_CHUNK_SIZE 16384

struct iobuf_chunk;

struct iobuf {
    struct iobuf_chunk *head, *tail; /* owned */
    size_t len;                      /* bytes held */
    size_t cap;                      /* mark for iobuf_room */
};

void iobuf_init(struct iobuf *b, size_t cap);
void iobuf_fini(struct iobuf *b); /* drops all data; may be used again */

static inline size_t
iobuf_room(const struct iobuf *b)
{
    return b->len >= b->cap ? 0 : b->cap - b->len;
}

/* Free, contiguous space at the end for a read; at least `min` (<= IOBUF_CHUNK_SIZE) bytes. *n: how much there is. */
char *iobuf_reserve(struct iobuf *b, size_t min, size_t *n);
/* That many of the reserved bytes are data now. With 0 an empty chunk goes back, so that an idle buffer holds no
 * memory. */
void iobuf_commit(struct iobuf *b, size_t n);

/* Room for one read of many bytes into several chunks. The buffer does not have the chunks until they hold data. */
#define IOBUF_SPAN_MAX 5
struct iobuf_span {
    struct iovec iov[IOBUF_SPAN_MAX + 1]; /* there is place for one that the caller adds */
    int n;                     /* of iov */
    bool in_tail;              /* iov[0] is the rest of the last chunk of the buffer */
    struct iobuf_chunk *fresh; /* behind the other pieces; owned until iobuf_span_commit */
};

/* Up to `want` (> 0) bytes of room; less where more pieces would be needed: how much it is. The rest of the last chunk
 * is not used when it is less than `min` (<= IOBUF_CHUNK_SIZE). iobuf_span_commit must follow; b does not change in
 * between. */
size_t iobuf_span(struct iobuf *b, size_t min, size_t want, struct iobuf_span *s);
/* The first n bytes of the room are data now; what holds none goes back. */
void iobuf_span_commit(struct iobuf *b, struct iobuf_span *s, size_t n);

void iobuf_add(struct iobuf *b, const void *p, size_t n);
void iobuf_adds(struct iobuf *b, struct slice s);

/* The first contiguous run of bytes; empty when there is none. Valid until the iobuf changes. */
struct slice iobuf_front(const struct iobuf *b);
/* Up to max slices of the data, in order, for writev; returns how many were filled. */
int iobuf_iov(const struct iobuf *b, struct iovec *iov, int max);
void iobuf_consume(struct iobuf *b, size_t n); /* n <= len */

/* Moves the first n bytes (n <= src->len) to the end of dst: whole chunks by pointer, the rest by copy. */
void iobuf_move(struct iobuf *dst, struct iobuf *src, size_t n);
/* Makes the first n bytes (n <= len) contiguous and returns them. For heads and small control blocks. */
const char *iobuf_pullup(struct iobuf *b, size_t n);

void iobuf_thread_fini(void);

#endif
