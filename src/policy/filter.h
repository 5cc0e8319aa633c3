/*
 * filter: the way of one body through the policies that look at it. What comes is fed to it piece by piece; what they
 * let pass, or make of it, waits in `out` for the receiver. Whoever feeds it does so only when the receiver has room
 * and `out` is empty, so that no more waits here than is made of one piece; what policies hold back has the cap.
 *
 * Made once per body; lives in the exchange's arena, and gives back what it holds in chain_finish.
 */
#ifndef POLICY_FILTER_H
#define POLICY_FILTER_H

#include "../base/iobuf.h"
#include "chain.h"

/* How much of one body a policy may hold, and where that is set. */
struct filter_cap {
    size_t hold;
    const char *at;
};

struct filter_stage; /* one policy's part */

struct filter {
    struct weir_exchange *x;
    enum weir_body_of of;
    struct filter_cap cap;
    struct filter_stage *stages; /* in the order in which the body passes */
    unsigned n;
    bool changes; /* other bytes may come out than went in: their number is not known before the end */
    bool ended;   /* the end was fed: `out` holds the rest */
    bool refused; /* a policy has: no more may pass */
    struct iobuf out;
};

/* NULL: no policy looks at this body. For a request after its first chain_attempt, for an answer after
 * chain_response. */
struct filter *filter_new(struct weir_exchange *x, enum weir_body_of of, const struct filter_cap *cap);

/* Bytes that may be fed at once: the first contiguous run, so that little is made of it before the receiver is asked
 * again. */
static inline size_t
filter_bite(const struct iobuf *in)
{
    return iobuf_front(in).n;
}

/* Takes n bytes out of `in`. end: these are the last of the body, and `trailers` what follows it. CHAIN_REFUSED:
 * x->refusal says why, and the filter is of no use any more. Never CHAIN_SUSPENDED. */
enum chain_result filter_feed(struct filter *f, struct iobuf *in, size_t n, bool end, struct fields *trailers);
void filter_fini(struct filter *f); /* NULL is allowed */

#endif
