/*
 * held: the supervisor's copies of listening sockets, each once, by the kernel's number of it (handover_cookie). What a
 * candidate of a new binary opens is held at once, so that a failed upgrade can give it up by its owner; what it does
 * not want goes only when it serves, since the old process goes on with it otherwise.
 */
#ifndef DAEMON_HELD_H
#define DAEMON_HELD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct held {
    uint64_t cookie;
    int fd;
    pid_t owner;   /* who opened it */
    bool unwanted; /* by a candidate: it goes when that one serves */
};

bool held_add(int fd, pid_t owner); /* takes over fd. False: it is held already */
void held_drop(uint64_t cookie);    /* nothing when it is not held */
void held_drop_of(pid_t owner);
void held_mark_unwanted(uint64_t cookie);
void held_settle_unwanted(bool drop); /* drops those that are marked, or takes the marks away */
void held_over_exec(bool keep);       /* do they stay open over an exec of this process? */
/* All of them, until the next call of the above; *n of them. */
const struct held *held_all(unsigned *n);

#endif
