/*
 * floor: the least a proxy can do. Each client connection gets a connection to the origin; what one sends the other is
 * given, unparsed: recv, send, recv, send and a share of epoll_wait for each request. What weir costs is measured
 * against this in the same run.
 *
 *     floor LISTEN_PORT ORIGIN_PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
#define BUFFER 65536
#define FDS 65536

static int peer[FDS]; /* of each descriptor; 0: none */
static int epoll;

static struct sockaddr_in
loopback(const char *port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)atoi(port)),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void
watch(int fd)
{
    struct epoll_event e = { .events = EPOLLIN | EPOLLET | EPOLLRDHUP, .data.fd = fd };
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static void
accept_one(int listener, const struct sockaddr_in *origin)
{
    int client;
    while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        int up = socket(AF_INET, SOCK_STREAM, 0);
        if (up < 0 || client >= FDS || up >= FDS || connect(up, (const struct sockaddr *)origin, sizeof *origin) != 0) {
            close(client);
            if (up >= 0)
                close(up);
            continue;
        }
        peer[client] = up;
        peer[up] = client;
        watch(client);
        watch(up);
    }
}

static void
end_pair(int fd)
{
    int other = peer[fd];
    peer[fd] = peer[other] = 0;
    close(fd);
    close(other);
}

/* All of it: the receiver's socket buffer takes what the benchmark sends, or this spins until it does. */
static int
pass_on(int fd, const char *p, ssize_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, (size_t)n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return -1;
        if (sent > 0) {
            p += sent;
            n -= sent;
        }
    }
    return 0;
}

static void
forward(int fd)
{
    static char buffer[BUFFER];
    for (;;) {
        ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0 || pass_on(peer[fd], buffer, n) != 0) {
            end_pair(fd);
            return;
        }
        if (n < (ssize_t)sizeof buffer)
            return; /* a short read has emptied the socket */
    }
}

int
main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (argc != 3)
        return 2;
    struct sockaddr_in here = loopback(argv[1]), origin = loopback(argv[2]);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) != 0 || listen(listener, SOMAXCONN) != 0) {
        perror("floor");
        return 1;
    }
    epoll = epoll_create1(0);
    struct epoll_event e = { .events = EPOLLIN, .data.fd = listener };
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_one(listener, &origin);
            else if (peer[events[i].data.fd])
                forward(events[i].data.fd);
        }
    }
}
