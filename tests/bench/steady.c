/*
 * steady: a client that asks at a fixed rate, whatever the answers do. A request's time counts from the moment when it
 * was due, so that a pause of the server is seen by all requests that fell into it. A connection that the server closes
 * between two requests is opened anew, as any client does; one that it closes on a request is a failure.
 *
 *     steady PORT PATH CONNECTIONS RATE SECONDS
 *
 * Prints, in one line: answered failed p50 p99 max (in microseconds). With RATE 0 each connection asks again as soon as
 * it is answered; the first WARM_NS are not counted, and end with a line `go`: the connections are all in use then.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 8192
#define GRACE_NS 3000000000 /* for the last answers */
#define WARM_NS 2000000000
#define RATE_MAX 200000 /* answers per second that there is room for, with RATE 0 */

struct client {
    int fd;
    bool busy;
    int64_t due;       /* of the request on it */
    size_t n;          /* of the head in `text` */
    long body;         /* what is missing of the body; -1: the head is not whole */
    bool last;         /* the server will close */
    char text[HEAD_MAX];
    struct client *next; /* idle ones */
};

static struct {
    int epoll, port;
    char request[1024];
    size_t request_n;
    struct client *idle;
    uint32_t *times; /* microseconds */
    size_t room;     /* for that many */
    size_t answered, failed, sent;
} all;

static int64_t
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
client_open(struct client *c)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)all.port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = c };
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        perror("steady: connect");
        exit(1);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    epoll_ctl(all.epoll, EPOLL_CTL_ADD, c->fd, &e);
    c->busy = c->last = false;
}

static void
client_rest(struct client *c)
{
    c->busy = false;
    c->next = all.idle;
    all.idle = c;
}

static void
client_send(struct client *c, int64_t due)
{
    c->busy = true;
    c->due = due;
    c->n = 0;
    c->body = -1;
    all.sent++;
    /* One that the server has closed is noticed by its end, which is a failure then. */
    if (send(c->fd, all.request, all.request_n, MSG_NOSIGNAL) != (ssize_t)all.request_n)
        shutdown(c->fd, SHUT_RDWR);
}

/* The connection is gone. One that rests is in the list of idle ones and stays there, with another descriptor. */
static void
client_lost(struct client *c)
{
    close(c->fd);
    if (!c->busy) {
        client_open(c);
        return;
    }
    all.failed++;
    client_open(c);
    client_rest(c);
}

static void
client_answered(struct client *c)
{
    bool good = strncmp(c->text, "HTTP/1.1 200", 12) == 0;
    if (good && all.answered < all.room)
        all.times[all.answered++] = (uint32_t)((now_ns() - c->due) / 1000);
    else
        all.failed++;
    if (c->last) {
        close(c->fd);
        client_open(c);
    }
    client_rest(c);
}

/* The head is whole: its status stays in `text`. */
static void
client_head(struct client *c, const char *end)
{
    const char *length = strcasestr(c->text, "\r\ncontent-length:");
    c->last = strcasestr(c->text, "\r\nconnection: close") != NULL;
    c->body = (length ? atol(length + 17) : 0) - (long)(c->n - (size_t)(end + 4 - c->text));
}

static void
client_read(struct client *c)
{
    char rest[65536];
    bool head = c->body < 0;
    ssize_t n = recv(c->fd, head ? c->text + c->n : rest, head ? HEAD_MAX - 1 - c->n : sizeof(rest), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || !c->busy) {
        client_lost(c);
        return;
    }
    if (head) {
        c->n += (size_t)n;
        c->text[c->n] = '\0';
        const char *end = strstr(c->text, "\r\n\r\n");
        if (end)
            client_head(c, end);
    } else {
        c->body -= n;
    }
    if (c->body == 0)
        client_answered(c);
}

static int
by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void
turn(int64_t wait)
{
    struct epoll_event events[256];
    struct timespec t = { .tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000 };
    int n = epoll_pwait2(all.epoll, events, 256, &t, NULL);
    for (int i = 0; i < n; i++)
        client_read(events[i].data.ptr);
}

static void
send_one(int64_t due)
{
    struct client *c = all.idle;
    all.idle = c->next;
    client_send(c, due);
}

static void
run_rate(double rate, int64_t begin, size_t wanted)
{
    int64_t end = begin + (int64_t)((double)wanted / rate * 1e9) + GRACE_NS;
    for (;;) {
        int64_t now = now_ns(), due = begin + (int64_t)((double)all.sent / rate * 1e9);
        while (all.sent < wanted && due <= now && all.idle) {
            send_one(due);
            due = begin + (int64_t)((double)all.sent / rate * 1e9);
        }
        if (now > end || all.answered + all.failed >= wanted)
            return;
        turn(due > now && all.sent < wanted ? due - now : 1000000);
    }
}

static void
run_closed(int64_t until)
{
    int64_t now;
    while ((now = now_ns()) < until) {
        while (all.idle)
            send_one(now);
        turn(until - now);
    }
}

static void
measure(double rate, double seconds)
{
    if (rate > 0) {
        run_rate(rate, now_ns(), all.room);
        all.failed = all.room - all.answered;
        return;
    }
    run_closed(now_ns() + WARM_NS);
    all.answered = all.failed = 0;
    puts("go");
    fflush(stdout);
    run_closed(now_ns() + (int64_t)(seconds * 1e9));
}

int
main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    int connections = atoi(argv[3]);
    double rate = atof(argv[4]), seconds = atof(argv[5]);
    all.room = (size_t)((rate > 0 ? rate : RATE_MAX) * seconds);
    all.port = atoi(argv[1]);
    all.request_n = (size_t)snprintf(all.request, sizeof(all.request),
                                     "GET %.900s HTTP/1.1\r\nHost: bench.example\r\n\r\n", argv[2]);
    all.epoll = epoll_create1(0);
    all.times = calloc(all.room, sizeof(*all.times));
    struct client *clients = calloc((size_t)connections, sizeof(*clients));
    if (!all.times || !clients)
        return 1;
    for (int i = 0; i < connections; i++) {
        client_open(&clients[i]);
        client_rest(&clients[i]);
    }
    measure(rate, seconds);
    qsort(all.times, all.answered, sizeof(*all.times), by_size);
    if (all.answered)
        printf("%zu %zu %u %u %u\n", all.answered, all.failed, all.times[all.answered / 2],
               all.times[all.answered * 99 / 100], all.times[all.answered - 1]);
    return all.answered ? 0 : 1;
}
