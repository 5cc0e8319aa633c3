/*
 * sink: an origin that reads the whole of a request's body before it answers, as an application does that stores it.
 * Bodies with Content-Length only.
 *
 *     sink PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
#define HEAD_MAX 16384

struct conn {
    int fd;
    long body;  /* what is missing of the body; -1: the head is not whole */
    size_t n;   /* of `head` */
    char head[HEAD_MAX];
};

static const char answer[] = "HTTP/1.1 200 OK\r\nServer: sink\r\nDate: Sat, 01 Aug 2026 10:00:00 GMT\r\n"
                             "Content-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"stored\":true}";

static int epoll;

static void
conn_open(int fd)
{
    struct conn *c = malloc(sizeof(*c));
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
    int on = 1;
    if (!c) {
        close(fd);
        return;
    }
    c->fd = fd;
    c->n = 0;
    c->body = -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

/* What came counts for the head until it is whole. False: the connection is of no more use. */
static bool
conn_take_head(struct conn *c, size_t n)
{
    c->n += n;
    c->head[c->n] = '\0';
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end)
        return c->n < HEAD_MAX - 1;
    char *length = strcasestr(c->head, "\r\ncontent-length:");
    c->body = (length && length < end ? atol(length + 17) : 0) - (long)(c->n - (size_t)(end + 4 - c->head));
    return c->body >= 0;
}

static bool
conn_read(struct conn *c)
{
    static char body[262144];
    bool head = c->body < 0;
    ssize_t n = recv(c->fd, head ? c->head + c->n : body, head ? HEAD_MAX - 1 - c->n : sizeof(body), MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    if (!head)
        c->body -= n;
    else if (!conn_take_head(c, (size_t)n))
        return false;
    if (c->body > 0)
        return true;
    if (c->body == 0) {
        c->n = 0;
        c->body = -1;
        return send(c->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(answer) - 1;
    }
    return head;
}

static void
serve(int listener)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (!c) {
                int fd = accept(listener, NULL, NULL);
                if (fd >= 0)
                    conn_open(fd);
            } else if (!conn_read(c)) {
                close(c->fd);
                free(c);
            }
        }
    }
}

int
main(int argc, char **argv)
{
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    if (argc != 2)
        return 2;
    struct sockaddr_in here = { .sin_family = AF_INET,
                                .sin_port = htons((uint16_t)atoi(argv[1])),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&here, sizeof(here)) != 0 || listen(listener, SOMAXCONN) != 0) {
        perror("sink");
        return 1;
    }
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL };
    epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    serve(listener);
}
