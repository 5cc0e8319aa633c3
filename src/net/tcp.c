#include "tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SENDMSG_IOV_MAX 64
/* What a peer that does not read may cost in the kernel beyond what is on its way to it. Left to itself the kernel
 * takes 4 MiB for each (tcp_wmem), and in a container they count as the container's. It asks for more when half is
 * gone. */
#define UNSENT_MAX (256 * 1024)

void
tcp_prepare(int fd)
{
    int on = 1, unsent = UNSENT_MAX;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

/* libc makes recv and send points where a thread may be cancelled, which takes a locked instruction before and after
 * each of them; no thread of weir is ever cancelled. */
static ssize_t
receive(int fd, void *p, size_t n)
{
#ifdef SYS_recvfrom
    return syscall(SYS_recvfrom, fd, p, n, 0, NULL, NULL);
#else
    return recv(fd, p, n, 0);
#endif
}

static ssize_t
send_one(int fd, const void *p, size_t n, int flags)
{
#ifdef SYS_sendto
    return syscall(SYS_sendto, fd, p, n, flags, NULL, 0);
#else
    return send(fd, p, n, flags);
#endif
}

/* What came of a read of at most n bytes. */
static ssize_t
received(struct conn *c, ssize_t got, size_t n)
{
    if (got > 0) {
        loop_note_read(c->watch.loop, (size_t)got);
        /* A short read has emptied the queue. Without the peer's FIN in sight, what comes next raises an event. */
        if ((size_t)got < n && !c->closed_seen)
            c->ready &= (unsigned char)~CONN_READABLE;
        return got;
    }
    if (got == 0)
        return CONN_EOF;
    if (errno != EAGAIN)
        return CONN_ERROR;
    c->blocked |= CONN_READABLE;
    c->ready &= (unsigned char)~CONN_READABLE;
    return CONN_AGAIN;
}

ssize_t
tcp_recv(struct conn *c, void *p, size_t n)
{
    ssize_t got;

    if (c->blocked & CONN_READABLE)
        return CONN_AGAIN;
    do
        got = receive(c->watch.fd, p, n);
    while (got < 0 && errno == EINTR);
    return received(c, got, n);
}

static ssize_t
tcp_recv_pieces(struct conn *c, const struct iovec *iov, int n)
{
    size_t room = 0;
    ssize_t got;

    if (n == 1)
        return tcp_recv(c, iov->iov_base, iov->iov_len);
    if (c->blocked & CONN_READABLE)
        return CONN_AGAIN;
    for (int i = 0; i < n; i++)
        room += iov[i].iov_len;
    do
        got = readv(c->watch.fd, iov, n);
    while (got < 0 && errno == EINTR);
    return received(c, got, room);
}

static ssize_t
send_pieces(int fd, const struct iovec *iov, int n, size_t *want, int flags)
{
    struct msghdr m = { .msg_iov = (struct iovec *)iov,
                        .msg_iovlen = (size_t)(n < SENDMSG_IOV_MAX ? n : SENDMSG_IOV_MAX) };

    *want = 0;
    for (size_t i = 0; i < m.msg_iovlen; i++)
        *want += iov[i].iov_len;
    return sendmsg(fd, &m, flags);
}

/* Of one piece, as nearly all are, the kernel need not copy a list first. */
ssize_t
tcp_send(struct conn *c, const struct iovec *iov, int n)
{
    int flags = c->more_follows ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL;
    size_t want = iov->iov_len;
    ssize_t sent;

    if (c->blocked & CONN_WRITABLE)
        return CONN_AGAIN;
    do
        sent =
            n == 1 ? send_one(c->watch.fd, iov->iov_base, want, flags) : send_pieces(c->watch.fd, iov, n, &want, flags);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        if ((size_t)sent < want)
            c->ready &= (unsigned char)~CONN_WRITABLE;
        return sent;
    }
    if (errno != EAGAIN)
        return CONN_ERROR;
    c->blocked |= CONN_WRITABLE;
    c->ready &= (unsigned char)~CONN_WRITABLE;
    return CONN_AGAIN;
}

static inline ssize_t
note_end(struct conn *c, ssize_t got)
{
    if (got == CONN_EOF)
        c->eof = true;
    else if (got == CONN_ERROR)
        return conn_fail(c, ERR_CLOSED, errno, "read");
    return got;
}

static ssize_t
plain_read(struct conn *c, void *p, size_t n)
{
    return note_end(c, tcp_recv(c, p, n));
}

static ssize_t
plain_readv(struct conn *c, const struct iovec *iov, int n)
{
    return note_end(c, tcp_recv_pieces(c, iov, n));
}

/* A peer that is gone may have said something before, the answer to a request that it did not want to read to the end:
 * the conn is not broken as long as reading has not found its end. */
static ssize_t
plain_writev(struct conn *c, const struct iovec *iov, int n)
{
    ssize_t sent;

    if (c->write_failed)
        return CONN_ERROR;
    sent = tcp_send(c, iov, n);
    if (sent == CONN_ERROR) {
        c->write_failed = true;
        c->ready |= CONN_READABLE;
        c->blocked &= (unsigned char)~CONN_READABLE;
    }
    return sent;
}

static unsigned
plain_on_events(struct conn *c, unsigned events)
{
    unsigned told = events & CONN_READABLE;

    /* Every event names all that is possible: room to write is news only after it was short. */
    if ((events & CONN_WRITABLE) && !(c->ready & CONN_WRITABLE))
        told |= CONN_WRITABLE;
    c->ready |= (unsigned char)events;
    return told;
}

static void
plain_shutdown(struct conn *c)
{
    shutdown(c->watch.fd, SHUT_WR);
}

const struct conn_ops tcp_ops = {
    .read = plain_read,
    .readv = plain_readv,
    .writev = plain_writev,
    .on_events = plain_on_events,
    .shutdown = plain_shutdown,
};
