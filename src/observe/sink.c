#include "config.h"

#include "sink.h"

#include "../base/append.h"
#include "../base/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void
sink_init(struct sink *s, int fd, enum sink_kind kind)
{
    struct stat st;

    memset(s, 0, sizeof(*s));
    s->fd = fd;
    s->kind = kind;
    s->pipe = fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
    pthread_mutex_init(&s->lock, NULL);
}

/*
 * The descriptor's flags are shared with whoever started us (a shell's terminal, a pipe's other writers), so O_NONBLOCK
 * is not for us to set: a pipe or terminal is opened a second time through /proc. A regular file never makes one wait,
 * and must keep its shared offset.
 */
int
sink_open_std(struct sink *s, int std, struct err *e)
{
    char self[32];
    struct stat st;
    int fd = -1;

    if (fstat(std, &st) != 0)
        return err_errno(e, "%s is closed", std == 1 ? "stdout" : "stderr");
    if (!S_ISREG(st.st_mode) && !S_ISSOCK(st.st_mode)) {
        snprintf(self, sizeof(self), "/proc/self/fd/%d", std);
        fd = open(self, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    }
    if (fd >= 0) {
        sink_init(s, fd, SINK_WRITE);
        return 0;
    }
    fd = fcntl(std, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return err_errno(e, "cannot duplicate %s", std == 1 ? "stdout" : "stderr");
    sink_init(s, fd, S_ISREG(st.st_mode) ? SINK_WRITE : S_ISSOCK(st.st_mode) ? SINK_SEND : SINK_POLL);
    return 0;
}

int
sink_open_file(struct sink *s, const char *path, struct err *e)
{
    int fd = append_open(path, e);

    if (fd < 0)
        return -1;
    sink_init(s, fd, SINK_WRITE);
    s->path = xstrdup(path);
    return 0;
}

void
sink_close(struct sink *s)
{
    close(s->fd);
    free(s->path);
    free(s->rest);
    pthread_mutex_destroy(&s->lock);
}

static bool
same_file(int fd, const char *path)
{
    struct stat a, b;

    if (fstat(fd, &a) != 0)
        return false;
    if (stat(path, &b) != 0)
        return errno == EACCES; /* nor could it be opened */
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int
sink_reopen(struct sink *s, bool always, struct err *e)
{
    int fd;

    if (!s->path || (!always && same_file(s->fd, s->path)))
        return 0;
    fd = append_open(s->path, e);
    if (fd < 0)
        return -1;
    pthread_mutex_lock(&s->lock);
    dup3(fd, s->fd, O_CLOEXEC); /* the number stays, so that a writer never sees a closed one */
    pthread_mutex_unlock(&s->lock);
    close(fd);
    return 0;
}

/* As many whole lines as one write to a pipe keeps together; of a longer line as much. */
static size_t
whole_lines(const char *p, size_t n)
{
    const char *end;

    if (n <= PIPE_BUF)
        return n;
    end = memrchr(p, '\n', PIPE_BUF);
    return end ? (size_t)(end + 1 - p) : PIPE_BUF;
}

/* How much was taken; -1 with errno. */
static ssize_t
put(struct sink *s, const char *p, size_t n)
{
    struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };

    if (s->kind == SINK_SEND)
        return send(s->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (s->pipe)
        n = whole_lines(p, n);
    if (s->kind == SINK_POLL) {
        if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT)) {
            errno = pfd.revents ? EPIPE : EAGAIN;
            return -1;
        }
        n = n < PIPE_BUF ? n : PIPE_BUF; /* what a writable pipe surely takes (POSIX) */
    }
    return write(s->fd, p, n);
}

/* As much as goes now; *done counts it. */
static enum sink_result
put_all(struct sink *s, const char *p, size_t n, size_t *done)
{
    while (*done < n) {
        ssize_t got = put(s, p + *done, n - *done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? SINK_BUSY : SINK_FAILED;
        *done += (size_t)got;
    }
    return SINK_TAKEN;
}

static void
keep_rest(struct sink *s, const char *p, size_t n)
{
    char *rest = xmalloc(n);

    memcpy(rest, p, n);
    free(s->rest);
    s->rest = rest;
    s->rest_n = n;
}

static enum sink_result
put_rest(struct sink *s)
{
    size_t done = 0;
    enum sink_result r = put_all(s, s->rest, s->rest_n, &done);

    if (r == SINK_BUSY) {
        memmove(s->rest, s->rest + done, s->rest_n - done);
        s->rest_n -= done;
        return r;
    }
    free(s->rest);
    s->rest = NULL;
    s->rest_n = 0;
    return r;
}

enum sink_result
sink_write(struct sink *s, const char *p, size_t n, bool wait)
{
    enum sink_result r = SINK_TAKEN;
    size_t done = 0;
    int saved;

    if (wait)
        pthread_mutex_lock(&s->lock);
    else if (pthread_mutex_trylock(&s->lock) != 0)
        return SINK_LOCKED;
    if (s->rest)
        r = put_rest(s);
    if (r == SINK_TAKEN)
        r = put_all(s, p, n, &done);
    if (r == SINK_BUSY && done) {
        keep_rest(s, p + done, n - done);
        r = SINK_PARTLY;
    }
    saved = errno;
    pthread_mutex_unlock(&s->lock);
    errno = saved;
    return r;
}

bool
sink_wait(struct sink *s, int ms)
{
    struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };

    return poll(&pfd, 1, ms) == 1;
}
