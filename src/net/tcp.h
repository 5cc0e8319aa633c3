/* tcp: the plain transport of a conn (TCP and unix stream sockets). */
#ifndef NET_TCP_H
#define NET_TCP_H

#include "conn.h"

extern const struct conn_ops tcp_ops;

/* How a TCP socket is to send: at once, and with little in the kernel that is not on its way yet. What it accepts
 * inherits that. */
void tcp_prepare(int fd);

/* One system call each, never SIGPIPE, never EINTR: what every transport stands on. They keep c->ready, c->blocked and
 * c->eof; an error is only reported by errno. > 0, CONN_AGAIN, CONN_EOF (reading only), CONN_ERROR. */
ssize_t tcp_recv(struct conn *c, void *p, size_t n);
ssize_t tcp_send(struct conn *c, const struct iovec *iov, int n);

#endif
