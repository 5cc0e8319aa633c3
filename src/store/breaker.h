/*
 * breaker: keeps a dead server from costing each request its timeout. 3 failures within 1 s open it for 500 ms; each
 * opening that no good answer came between doubles that, up to 30 s. While it is open one probe at a time is made by
 * its owner, when the wait is over. No I/O, no clock of its own; one thread.
 */
#ifndef STORE_BREAKER_H
#define STORE_BREAKER_H

#include "../base/clock.h"

#include <stdbool.h>

#define BREAKER_FAILURES 3
#define BREAKER_WINDOW NSEC_PER_SEC
#define BREAKER_FIRST (500 * NSEC_PER_MSEC)
#define BREAKER_LONGEST (30 * NSEC_PER_SEC)

struct breaker {                       /* all zero: closed */
    nsec_t failures[BREAKER_FAILURES]; /* a ring of the latest */
    unsigned oldest;
    nsec_t wait; /* of the last opening; 0: none since a good answer */
    bool open;
};

bool breaker_fail(struct breaker *b, nsec_t now); /* true: this one opened it; while it is open nothing changes */
void breaker_reopen(struct breaker *b);           /* the probe failed */
void breaker_close(struct breaker *b);            /* the probe succeeded */
void breaker_good(struct breaker *b);             /* a good answer to a command */

#endif
