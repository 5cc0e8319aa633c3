#include "client.h"

#include "../http/h1.h"
#include "../net/addr.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* A reload of a large file may take a while; everything else answers at once. */
#define DEADLINE_MS 60000
#define CONNECT_S 5
#define ANSWER_MAX (64u << 20)

static int
connect_to(const char *address, struct err *e)
{
    struct addr a;
    if (addr_parse(slice_str(address), &a, e) != 0)
        return -1;
    struct sockaddr_storage to;
    socklen_t len = addr_sockaddr(&a, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(e, "socket");
    struct timeval patience = { .tv_sec = CONNECT_S };
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* connect() heeds it too */
    if (connect(fd, (struct sockaddr *)&to, len) == 0)
        return fd;
    err_errno(e, "nothing answers at %s", address);
    close(fd);
    return -1;
}

static int
send_all(int fd, struct slice s, struct err *e)
{
    while (s.n > 0) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "the request could not be sent");
        s = slice_from(s, (size_t)n);
    }
    return 0;
}

static int
receive_all(int fd, struct strbuf *raw, struct err *e)
{
    char piece[16384];
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (poll(&p, 1, DEADLINE_MS) <= 0)
            return err_set(e, ERR_TIMEOUT, "no answer within %d s", DEADLINE_MS / 1000);
        ssize_t got = recv(fd, piece, sizeof piece, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, "the answer could not be read");
        if (got == 0)
            return 0;
        strbuf_add(raw, piece, (size_t)got);
    }
}

/* The other side closes after its answer (RFC 9112 6.3): what is shorter than announced is not the whole of it. */
static int
parse(struct client_response *r, struct slice raw, struct err *e)
{
    static const struct h1_limits limits = { 8192, 8192, 32768, 100 };
    struct h1_scan scan = { 0 };
    struct h1_error wrong;
    size_t head = 0;
    if (raw.n == 0)
        return err_set(e, ERR_STATE, "the connection was closed without an answer");
    if (h1_find_head(&scan, raw.p, raw.n, &limits, &head, &wrong) != H1_DONE ||
        h1_parse_response(&r->head, raw.p, head, &limits, METHOD_GET, &r->arena, &wrong) != H1_DONE)
        return err_set(e, ERR_INPUT, "the answer is not HTTP");
    r->body = slice_from(raw, head);
    if (r->head.body.kind == BODY_LENGTH && r->body.n < r->head.body.length)
        return err_set(e, ERR_INPUT, "the answer broke off");
    return r->head.status;
}

int
client_ask(struct client_response *r, const char *address, const char *method, const char *path, const char *fields,
           struct err *e)
{
    struct strbuf raw;
    *r = (struct client_response){ 0 };
    arena_init(&r->arena);
    int fd = connect_to(address, e);
    if (fd < 0)
        return -1;
    struct slice request =
        arena_printf(&r->arena, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n%s\r\n",
                     method, path, fields ? fields : "");
    strbuf_init(&raw, ANSWER_MAX);
    int status = send_all(fd, request, e) == 0 && receive_all(fd, &raw, e) == 0
                     ? parse(r, arena_slice(&r->arena, strbuf_slice(&raw)), e)
                     : -1;
    strbuf_fini(&raw);
    close(fd);
    return status;
}

void
client_fini(struct client_response *r)
{
    arena_fini(&r->arena);
}
