/*
 * h1_reader: what was read from an HTTP/1 connection and is not understood yet, and the decoding of the body in it.
 * Both sides of weir read with it. It holds memory only while it holds bytes.
 */
#ifndef SESSION_H1_READER_H
#define SESSION_H1_READER_H

#include "../base/iobuf.h"
#include "../http/h1.h"
#include "../net/conn.h"

struct h1_reader {
    struct iobuf raw;    /* bytes not yet understood */
    struct h1_scan scan; /* of the head at the start of raw */
    enum body_kind kind; /* of the body being read; BODY_NONE: it is complete */
    bool in_trailers;    /* chunked: the last chunk is through */
    bool plenty;         /* the last read of the body filled a chunk: more is asked for at once */
    uint64_t left;       /* BODY_LENGTH: bytes still to come */
    struct chunked chunked;
    uint64_t bytes; /* understood since the owner last set it to 0: heads, framing and data */
};

enum reader_result {
    READER_OK,     /* something was read */
    READER_AGAIN,  /* nothing more for now: the conn will say when */
    READER_FULL,   /* the target is at its cap */
    READER_END,    /* the body is complete */
    READER_EOF,    /* the peer ended its side before the end */
    READER_BROKEN, /* the connection failed */
    READER_BAD     /* what came is not HTTP: *err says why */
};

void h1_reader_init(struct h1_reader *r);
void h1_reader_fini(struct h1_reader *r);

/* One read from c into raw: OK, AGAIN, EOF or BROKEN. */
enum reader_result h1_reader_fill(struct h1_reader *r, struct conn *c);
/* Takes a complete head out of raw; *head is a copy in the arena, so that it lives as long as what is parsed from it
 * and the buffer can go. */
enum h1_result h1_reader_head(struct h1_reader *r, const struct h1_limits *limits, struct arena *arena,
                              struct slice *head, struct h1_error *err);

/* What h1_reader_body needs to know besides the connection. */
struct h1_body_target {
    struct iobuf *in;               /* gets the data, up to its cap */
    struct fields *trailers;        /* initialised; get the trailers, copied to its arena */
    const struct h1_limits *limits; /* of the trailer section */
};

void h1_reader_begin_body(struct h1_reader *r, struct body_framing body);
/* Moves body bytes to the target, from raw first and then from c, until AGAIN, FULL, END, EOF, BROKEN or BAD. c NULL:
 * of raw only. A body that the peer's closing ends is complete at the orderly end of the stream. */
enum reader_result h1_reader_body(struct h1_reader *r, struct conn *c, const struct h1_body_target *t,
                                  struct h1_error *err);
static inline bool
h1_reader_done(const struct h1_reader *r)
{
    return r->kind == BODY_NONE;
}

#endif
