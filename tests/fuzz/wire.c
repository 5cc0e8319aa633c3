#include "wire.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* A session tells all it has to tell within so many turns after the end of the stream. */
#define TURNS_MAX 200
#define FINE 24

static struct loop *loop;
static int turns_left;

/* Of a descriptor that can always be read, so that the loop never waits. */
static void
on_turn(struct watch *w, unsigned events)
{
    if (--turns_left <= 0)
        loop_stop(w->loop);
}

static void
start_loop(void)
{
    static struct watch turner;

    loop = loop_new("fuzz");
    FUZZ_REQUIRE(loop && watch_open_level(&turner, loop, eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), on_turn) == 0);
}

/* What weir sends is of no interest, but must not fill the socket. */
static void
drain(int fd)
{
    char buf[65536];

    while (recv(fd, buf, sizeof(buf), 0) > 0)
        ;
}

void
wire_turns(struct wire *w, int n)
{
    turns_left = n;
    loop_run(w->loop);
    if (w->fd >= 0)
        drain(w->fd);
}

int
wire_open_fd(struct wire *w)
{
    int fds[2];

    if (!loop)
        start_loop();
    FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    clock_update();
    w->loop = loop;
    w->fd = fds[0];
    w->c = NULL;
    return fds[1];
}

void
wire_open(struct wire *w)
{
    int fd = wire_open_fd(w);
    struct addr a;

    FUZZ_REQUIRE(addr_parse(SLICE("192.0.2.7:5311"), &a, NULL) == 0);
    w->c = conn_accepted(w->loop, fd, &a, &a, NULL);
    FUZZ_REQUIRE(w->c);
}

static size_t
piece(const struct wire_cuts *cuts, struct fuzz_random *random, size_t sent, size_t left)
{
    size_t n = left, from;

    switch (cuts->how) {
    case CUT_NOWHERE:
        break;
    case CUT_ONCE:
        n = sent ? left : 1 + cuts->seed % left;
        break;
    case CUT_RANDOMLY:
        n = 1 + fuzz_random(random, fuzz_random(random, 4) ? 8 : 64);
        break;
    case CUT_FINELY: /* a few bytes one by one */
        from = cuts->seed % (sent + left);
        n = sent < from ? from - sent : sent < from + FINE ? 1 : left;
        break;
    }
    return n < left ? n : left;
}

/* The session may have closed: what is sent then goes nowhere. */
static void
send_pieces(struct wire *w, struct slice s, const struct wire_cuts *cuts)
{
    struct fuzz_random random = { cuts->seed };

    for (w->sent = 0; w->sent < s.n;) {
        size_t n = piece(cuts, &random, w->sent, s.n - w->sent);

        if (send(w->fd, s.p + w->sent, n, MSG_NOSIGNAL) != (ssize_t)n)
            return;
        w->sent += n;
        if (w->sent < s.n || !cuts->end_at_once)
            wire_turns(w, 1);
    }
}

void
wire_play(struct wire *w, struct slice s, const struct wire_cuts *cuts, const bool *over)
{
    int turns = 0;

    send_pieces(w, s, cuts);
    shutdown(w->fd, SHUT_WR);
    do
        wire_turns(w, 2);
    while (!*over && ++turns < TURNS_MAX);
    FUZZ_REQUIRE(*over);
}

void
wire_close(struct wire *w)
{
    close(w->fd);
    w->fd = -1;
    wire_turns(w, 3); /* what lingers ends */
}
