#include "config.h" /* _GNU_SOURCE: MSG_CMSG_CLOEXEC */

#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_WAIT_MS 1000

int
channel_pair(int ends[2])
{
    int size = 2 * CHANNEL_MAX;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return -1;
    for (int i = 0; i < 2; i++)
        setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return 0;
}

union control {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(int))];
};

static void
attach(struct msghdr *h, union control *control, int fd)
{
    memset(control, 0, sizeof *control);
    h->msg_control = control;
    h->msg_controllen = sizeof *control;
    struct cmsghdr *c = CMSG_FIRSTHDR(h);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
}

int
channel_send(int channel, enum channel_kind kind, struct slice text, int fd)
{
    char first = (char)kind;
    struct iovec iov[2] = { { &first, 1 }, { (void *)text.p, text.n } };
    struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };
    struct pollfd room = { .fd = channel, .events = POLLOUT };
    union control control;

    if (fd >= 0)
        attach(&h, &control, fd);
    for (;;) {
        if (sendmsg(channel, &h, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno == EAGAIN && poll(&room, 1, SEND_WAIT_MS) == 0)
            return -1;
        if (errno != EAGAIN && errno != EINTR)
            return -1;
    }
}

static int
attached(struct msghdr *h)
{
    int fd = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

int
channel_receive(int channel, char buffer[CHANNEL_MAX], struct channel_message *m)
{
    struct iovec iov = { buffer, CHANNEL_MAX };
    union control control;
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
    ssize_t n;

    h.msg_controllen = CMSG_LEN(sizeof(int)); /* with padding there would be room for a second one */

    do
        n = recvmsg(channel, &h, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0) {
        errno = 0;
        return -1;
    }
    m->kind = (enum channel_kind)buffer[0];
    m->text = slice_of(buffer + 1, (size_t)n - 1);
    m->fd = attached(&h);
    if (!(h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return 1;
    if (m->fd >= 0)
        close(m->fd);
    errno = EPROTO;
    return -1;
}
