/*
 * child: the processes that a supervisor has started, each in a place of its own and with a channel (channel.h) to it.
 * They inherit what is held (held.h). The supervisor's one thread.
 */
#ifndef DAEMON_CHILD_H
#define DAEMON_CHILD_H

#include "../base/clock.h"

#include <stdbool.h>
#include <sys/types.h>

#define CHILDREN_MAX 16

/* Their numbers are handed on to the supervisor of another version. */
enum child_role {
    CHILD_SERVING,
    CHILD_CANDIDATE, /* of a new binary, not ready yet */
    CHILD_LEAVING,   /* a successor serves; it finishes what it has */
    CHILD_OPENER     /* opens what the serving process may not */
};

struct child {
    pid_t pid;   /* 0: the place is free */
    int channel; /* -1: closed */
    enum child_role role;
    nsec_t started;
    bool ended; /* only what it said last is still to be read */
};

/* words: what they are started with; binary: what the log calls it. Both are borrowed for good. */
void child_init(char **words, const char *binary);
struct child *child_start(const char *binary, enum child_role role); /* NULL: it was logged why */
/* One that the supervisor before an exec has started. NULL: there is no place. */
struct child *child_adopt(pid_t pid, int channel, enum child_role role);
void child_over_exec(bool keep); /* do the channels stay open over an exec of this process? */

struct child *child_place(unsigned i); /* i below CHILDREN_MAX; free or not, it stays where it is */
struct child *child_find(enum child_role role);
bool child_any(void);

void child_signal_all(int signo, bool all); /* not all: only the one that serves */
void child_kill_all(void);
void child_close_channel(struct child *c); /* idempotent; whoever clears pid frees the place */

#endif
