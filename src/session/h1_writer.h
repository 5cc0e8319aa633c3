/*
 * h1_writer: what is to be written to an HTTP/1 connection, and the promise that a head made about the body behind it.
 * Both sides of weir write with it. Bytes gather in `out` and leave in one writev per flush.
 */
#ifndef SESSION_H1_WRITER_H
#define SESSION_H1_WRITER_H

#include "../base/iobuf.h"
#include "../http/h1.h"
#include "../net/conn.h"

#define H1_WRITER_CAP 65536u
/* From here on the owner flushes at once instead of at the end of the turn. */
#define H1_WRITER_LARGE 32768u

struct h1_writer {
    struct iobuf out;
    enum body_kind kind; /* how `send` frames; BODY_NONE: what it is given is dropped */
    uint64_t left;       /* BODY_LENGTH: bytes still owed */
    bool ended;          /* the message is complete in `out` */
    bool full;           /* room was used up: somebody waits to hear that there is some */
    uint64_t bytes;      /* given to the kernel since the owner last set it to 0 */
};

void h1_writer_init(struct h1_writer *w);
void h1_writer_fini(struct h1_writer *w);
/* A head was written to w->out; `body` says what follows it. BODY_NONE ends the message. */
void h1_writer_begin(struct h1_writer *w, struct body_framing body);
/* 0, or -1 when it is more than was promised: nothing is taken of it. */
int h1_writer_send(struct h1_writer *w, struct iobuf *from, size_t n);
/* 0, or -1 when less was sent than promised. Trailers may be NULL. A second call does nothing. */
int h1_writer_end(struct h1_writer *w, const struct fields *trailers);
/* 0: everything is written; CONN_AGAIN, CONN_ERROR. */
int h1_writer_flush(struct h1_writer *w, struct conn *c);
/* True once after `full`, when at most half of the cap is in use. */
bool h1_writer_eased(struct h1_writer *w);

#endif
