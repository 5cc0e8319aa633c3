/*
 * sink: where log lines end up: a descriptor that is written without ever waiting. Writes of several threads do not
 * mix: what a short write leaves is kept and goes out before anything else. Nor do those of several processes (an
 * upgrade, other programs with the same standard output): files are appended to, and a pipe gets whole lines, each
 * write no longer than the kernel keeps together (PIPE_BUF, 4096 bytes; a longer line may be torn).
 */
#ifndef OBSERVE_SINK_H
#define OBSERVE_SINK_H

#include "../base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum sink_kind {
    SINK_WRITE, /* a regular file, or non-blocking */
    SINK_SEND,  /* a socket: asked not to wait per call, for its flags are shared with others */
    SINK_POLL   /* a pipe or terminal that could not be opened a second time: asked before each small write */
};

struct sink {
    int fd; /* owned */
    enum sink_kind kind;
    bool pipe;  /* what is written at once must be at most PIPE_BUF, or other processes' lines get in between */
    char *path; /* owned; NULL: standard output or error */
    pthread_mutex_t lock;
    char *rest; /* owned: the end of a short write */
    size_t rest_n;
};

enum sink_result { SINK_TAKEN, SINK_PARTLY, SINK_LOCKED, SINK_BUSY, SINK_FAILED };

/* std 1 or 2. 0 or -1 with *e. */
int sink_open_std(struct sink *s, int std, struct err *e);
int sink_open_file(struct sink *s, const char *path, struct err *e);
void sink_close(struct sink *s);
/* Opens its path anew, when it has one and (`always` or the file there is another one). 0 or -1 with *e: the old one is
 * still used. */
int sink_reopen(struct sink *s, bool always, struct err *e);
/* TAKEN, or nothing of it: LOCKED: another thread is writing, BUSY: the reader does not keep up: keep it and come
 * again. FAILED: it is lost, errno says why. PARTLY: taken, but its end lies here: come again, with nothing or with
 * more. `wait`: for another thread that is writing (never for the reader); for the last lines of a worker. Any thread.
 */
enum sink_result sink_write(struct sink *s, const char *p, size_t n, bool wait);

/* Waits at most `ms` for the reader to take something. False: it did not. For the end alone: a worker that serves never
 * waits. */
bool sink_wait(struct sink *s, int ms);

#endif
