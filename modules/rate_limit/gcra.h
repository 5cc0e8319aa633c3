/*
 * gcra: the generic cell rate algorithm (ITU-T I.371), the token bucket that needs one number. A bucket is its
 * theoretical arrival time (TAT): the moment at which it is full again. Pure functions; times are nanoseconds of any
 * one clock.
 */
#ifndef GCRA_H
#define GCRA_H

#include <stdbool.h>
#include <stdint.h>

struct gcra {
    int64_t emission_ns;  /* time for one token */
    int64_t capacity_ns;  /* time to fill an empty bucket: burst tokens */
};

struct gcra_answer {
    bool allowed;
    int64_t left;            /* whole tokens after this request */
    int64_t retry_after_ns;  /* until the next token; 0 when allowed */
    int64_t full_after_ns;
};

/* Takes one token at `now` from a bucket. Its new TAT; a refused request costs nothing. A TAT further away than the
 * capacity (the rate was changed) counts as an empty bucket. */
int64_t gcra_take(const struct gcra *g, int64_t tat, int64_t now, struct gcra_answer *answer);

#endif
