/*
 * wire: one end of a socket pair is a connection of the session under test, the other end sends it bytes in pieces.
 * After each piece the loop turns until the session has seen it, so that where the cuts are is all that differs between
 * two runs of one input. No clock has a part in it: sessions here have no deadlines.
 */
#ifndef FUZZ_WIRE_H
#define FUZZ_WIRE_H

#include "fuzz.h"

#include "../../src/event/loop.h"
#include "../../src/net/conn.h"

struct wire {
    struct loop *loop; /* shared by all runs */
    struct conn *c;    /* for the session to take over */
    int fd;
    size_t sent; /* what the socket took: many small pieces that nobody reads fill it */
};

struct wire_cuts {
    enum { CUT_NOWHERE, CUT_ONCE, CUT_RANDOMLY, CUT_FINELY } how; /* ONCE: behind 1 + seed % bytes */
    unsigned seed;
    bool end_at_once; /* the end of the stream comes together with the last piece */
};

#define WIRE_CUT_ALL_MAX 64 /* a stream this short may be tried with every cut in two */

void wire_open(struct wire *w);
int wire_open_fd(struct wire *w); /* instead of a connection: its descriptor, for the caller */
/* Sends all of s and the end of the stream, then turns until *over, which has to come. */
void wire_play(struct wire *w, struct slice s, const struct wire_cuts *cuts, const bool *over);
void wire_turns(struct wire *w, int n);
void wire_close(struct wire *w);

#endif
