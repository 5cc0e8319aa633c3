#include "admin_client.h"

#include "../http/h1.h"
#include "../net/addr.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* A reload of a large file may take a while; everything else answers at once. */
#define DEADLINE_MS 60000

static int
connect_to(const char *address, struct err *e)
{
    struct addr a;
    if (addr_parse(slice_str(address), &a, e) != 0)
        return -1;
    int fd = socket(a.u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(e, "socket");
    if (connect(fd, &a.u.sa, a.len) == 0)
        return fd;
    err_errno(e, "no weir answers at %s (is it running, and is this its `admin { bind ...; }` address? see --admin)", address);
    close(fd);
    return -1;
}

static int
exchange_bytes(int fd, const char *method, const char *path, struct strbuf *raw, struct err *e)
{
    char request[1024], piece[16384];
    int n = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: weir\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method,
                     path);
    if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        return err_errno(e, "the request could not be sent");
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

static int
parse(const struct strbuf *raw, struct strbuf *body, struct err *e)
{
    static const struct h1_limits limits = { 8192, 8192, 32768, 100 };
    struct h1_scan scan = { 0 };
    struct h1_error wrong;
    struct http_response res = { 0 };
    struct arena arena;
    size_t head = 0;
    int status = -1;

    arena_init(&arena);
    if (raw->n && h1_find_head(&scan, raw->p, raw->n, &limits, &head, &wrong) == H1_DONE &&
        h1_parse_response(&res, raw->p, head, &limits, METHOD_GET, &arena, &wrong) == H1_DONE) {
        status = res.status;
        strbuf_add(body, raw->p + head, raw->n - head);
    } else {
        err_set(e, ERR_INPUT, "the answer is not HTTP");
    }
    arena_fini(&arena);
    return status;
}

int
admin_ask(const char *address, const char *method, const char *path, struct strbuf *body, struct err *e)
{
    struct strbuf raw;
    if (!address)
        address = access("/run/weir/admin.sock", F_OK) == 0 ? ADMIN_DEFAULT : ADMIN_DEFAULT_TCP;
    int fd = connect_to(address, e);
    if (fd < 0)
        return -1;
    strbuf_init(&raw, 64u << 20);
    int status = exchange_bytes(fd, method, path, &raw, e) == 0 ? parse(&raw, body, e) : -1;
    strbuf_fini(&raw);
    close(fd);
    return status;
}
