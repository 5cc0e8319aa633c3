/* filter_call: what a policy has done so far in the body phase that runs. */
#ifndef POLICY_FILTER_CALL_H
#define POLICY_FILTER_CALL_H

#include "../base/iobuf.h"
#include "../http/field.h"

#define FILTER_MADE_MAX (1u << 20) /* bytes that a policy may make of what is fed at once */

struct filter_call {
    struct iobuf *passed;    /* where what it makes goes */
    struct fields *trailers; /* of the message, when `end` is set */
    size_t piece, hold;      /* bytes it was given, and those of them that it holds */
    size_t made;             /* bytes that it has written, of all that was fed at once */
    bool end, wrote;
    bool changes;      /* it has said that it would write */
    bool shadow;       /* what it writes or does to trailers does not happen */
    const char *wrong; /* what it must not have done; NULL: nothing */
};

#endif
