#include "../../../src/net/conn.h"
#include "netlab.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct side { /* our end under test */
    struct conn *c;
    unsigned told; /* bits seen since last cleared */
    unsigned calls;
    char in[1 << 16];
    size_t in_n;
    ssize_t last; /* what the last conn_read said */
    bool greedy;  /* read at every READABLE until CONN_AGAIN */
    bool close_in_callback;
};

static struct loop *loop;

static int
setup(void **state)
{
    loop = loop_new("test");
    return loop ? 0 : -1;
}

static int
teardown(void **state)
{
    loop_free(loop);
    return 0;
}

static void
drain(struct side *s)
{
    while (s->in_n < sizeof(s->in)) {
        s->last = conn_read(s->c, s->in + s->in_n, sizeof(s->in) - s->in_n);
        if (s->last < 0)
            return;
        s->in_n += (size_t)s->last;
    }
}

static void
on_ready(struct conn *c, unsigned events)
{
    struct side *s = c->owner;

    s->told |= events;
    s->calls++;
    if (s->close_in_callback) {
        conn_close(c);
        s->c = NULL;
    } else if (s->greedy && (events & CONN_READABLE)) {
        drain(s);
    }
}

static bool
told(void *arg)
{
    return ((struct side *)arg)->told != 0;
}

static bool
ended(void *arg)
{
    struct side *s = arg;

    return s->last == CONN_EOF || s->last == CONN_ERROR;
}

/* A connected pair: *peer is a blocking socket, s->c its other end. */
static void
accepted(struct side *s, int *peer)
{
    struct addr at;
    int l = lab_listen(&at), fd;

    *peer = lab_dial(&at);
    assert_true(*peer >= 0);
    fd = accept(l, NULL, NULL);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    close(l);
    memset(s, 0, sizeof(*s));
    s->c = conn_accepted(loop, fd, &at, &at, NULL);
    assert_non_null(s->c);
    conn_attach(s->c, on_ready, s);
}

static void
send_all(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static ssize_t
write_text(struct conn *c, const char *text)
{
    struct iovec iov = { (void *)text, strlen(text) };

    return conn_writev(c, &iov, 1);
}

static void
turns(unsigned n)
{
    bool yes = true;

    while (n--)
        lab_run(loop, lab_flag, &yes);
}

static void
reads_and_writes(void **state)
{
    struct side s;
    char text[16] = "";
    char ab[] = "ab", cde[] = "cde";
    struct iovec iov[3] = { { ab, 2 }, { ab, 0 }, { cde, 3 } };
    int peer;

    accepted(&s, &peer);
    assert_int_equal(conn_read(s.c, s.in, sizeof(s.in)), CONN_AGAIN);
    assert_int_equal(conn_writev(s.c, iov, 3), 5);
    assert_int_equal(read(peer, text, sizeof(text)), 5);
    assert_string_equal(text, "abcde");
    send_all(peer, "hello");
    lab_run(loop, told, &s);
    assert_int_equal(s.told, CONN_READABLE);
    assert_int_equal(conn_read(s.c, s.in, sizeof(s.in)), 5);
    assert_memory_equal(s.in, "hello", 5);
    conn_close(s.c);
    assert_int_equal(read(peer, text, sizeof(text)), 0);
    close(peer);
    turns(1);
}

static void
room_at_the_start_is_no_news(void **state)
{
    struct side s;
    int peer;

    accepted(&s, &peer);
    turns(5);
    assert_int_equal(s.calls, 0);
    conn_close(s.c);
    close(peer);
    turns(1);
}

static void
a_short_read_clears_readable(void **state)
{
    struct side s;
    int peer;

    accepted(&s, &peer);
    send_all(peer, "0123456789");
    lab_run(loop, told, &s);
    assert_int_equal(conn_read(s.c, s.in, 4), 4);
    assert_true(s.c->ready & CONN_READABLE);
    assert_int_equal(conn_read(s.c, s.in, 100), 6);
    assert_false(s.c->ready & CONN_READABLE);
    assert_int_equal(conn_read(s.c, s.in, 100), CONN_AGAIN);
    s.told = 0;
    send_all(peer, "x");
    lab_run(loop, told, &s);
    assert_true(s.c->ready & CONN_READABLE);
    assert_int_equal(conn_read(s.c, s.in, 100), 1);
    conn_close(s.c);
    close(peer);
    turns(1);
}

static void
reads_into_pieces(void **state)
{
    char ab[2], cd[2], rest[8];
    struct iovec iov[3] = { { ab, 2 }, { cd, 2 }, { rest, 8 } };
    struct side s;
    int peer;

    accepted(&s, &peer);
    send_all(peer, "0123456789");
    lab_run(loop, told, &s);
    assert_int_equal(conn_readv(s.c, iov, 2), 4);
    assert_memory_equal(ab, "01", 2);
    assert_memory_equal(cd, "23", 2);
    assert_true(s.c->ready & CONN_READABLE);
    assert_int_equal(conn_readv(s.c, iov, 3), 6);
    assert_memory_equal(rest, "89", 2);
    assert_false(s.c->ready & CONN_READABLE);
    assert_int_equal(conn_readv(s.c, iov, 3), CONN_AGAIN);
    send_all(peer, "last");
    close(peer);
    lab_run(loop, told, &s);
    assert_int_equal(conn_readv(s.c, iov, 3), 4);
    assert_int_equal(conn_readv(s.c, iov, 3), CONN_EOF);
    conn_close(s.c);
    turns(1);
}

/* The FIN raises no event of its own when it is there before the event of the bytes is taken. */
static void
a_fin_with_the_bytes_is_seen(void **state)
{
    struct side s;
    int peer;

    accepted(&s, &peer);
    send_all(peer, "last");
    close(peer);
    lab_run(loop, told, &s);
    assert_int_equal(conn_read(s.c, s.in, 100), 4);
    assert_true(s.c->ready & CONN_READABLE);
    assert_int_equal(conn_read(s.c, s.in, 100), CONN_EOF);
    assert_int_equal(conn_read(s.c, s.in, 100), CONN_EOF);
    assert_true(s.c->eof);
    conn_close(s.c);
    turns(1);
}

/* ... and it does when it comes between the event and the read. */
static void
a_fin_after_a_short_read_raises_an_event(void **state)
{
    struct side s;
    int peer;

    accepted(&s, &peer);
    send_all(peer, "last");
    lab_run(loop, told, &s);
    close(peer);
    assert_int_equal(conn_read(s.c, s.in, 100), 4);
    s.told = 0;
    lab_run(loop, told, &s);
    assert_int_equal(conn_read(s.c, s.in, 100), CONN_EOF);
    conn_close(s.c);
    turns(1);
}

static void
reset_peer(int fd)
{
    struct linger l = { 1, 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    close(fd);
}

static void
a_reset_with_the_bytes_is_seen_by_who_wants_more(void **state)
{
    struct side s;
    int peer;

    accepted(&s, &peer);
    s.greedy = true;
    send_all(peer, "part");
    reset_peer(peer);
    lab_run(loop, ended, &s);
    assert_int_equal(s.last, CONN_ERROR);
    assert_true(s.c->broken);
    assert_int_equal(conn_error_kind(s.c), ERR_CLOSED);
    assert_non_null(strstr(conn_error(s.c), "Connection reset"));
    assert_int_equal(write_text(s.c, "x"), CONN_ERROR);
    conn_close(s.c);
    turns(1);
}

static void
writing_stops_when_the_peer_does_not_read(void **state)
{
    static char block[1 << 16];
    struct side s;
    struct iovec iov = { block, sizeof(block) };
    size_t sent = 0, got = 0;
    ssize_t n = 0;
    int peer;

    accepted(&s, &peer);
    while (sent < (64u << 20) && (n = conn_writev(s.c, &iov, 1)) > 0)
        sent += (size_t)n;
    assert_int_equal(n, CONN_AGAIN);
    assert_false(s.c->ready & CONN_WRITABLE);
    assert_int_equal(conn_writev(s.c, &iov, 1), CONN_AGAIN);
    s.told = 0;
    while (got < sent)
        got += (size_t)read(peer, s.in, sizeof(s.in));
    lab_run(loop, told, &s);
    assert_true(s.told & CONN_WRITABLE);
    assert_true(conn_writev(s.c, &iov, 1) > 0);
    conn_close(s.c);
    close(peer);
    turns(1);
}

static void
writing_to_a_dead_peer_is_an_error_and_no_signal(void **state)
{
    struct side s;
    int peer;

    accepted(&s, &peer);
    reset_peer(peer);
    lab_run(loop, told, &s);
    assert_int_equal(write_text(s.c, "x"), CONN_ERROR);
    conn_close(s.c);
    turns(1);
}

static void
shutdown_leaves_reading(void **state)
{
    struct side s;
    char text[8];
    int peer;

    accepted(&s, &peer);
    conn_shutdown(s.c);
    conn_shutdown(s.c);
    assert_int_equal(read(peer, text, sizeof(text)), 0);
    send_all(peer, "late");
    lab_run(loop, told, &s);
    assert_int_equal(conn_read(s.c, s.in, 100), 4);
    conn_close(s.c);
    close(peer);
    turns(1);
}

static void
kicks_come_once_at_the_end_of_the_turn(void **state)
{
    struct side s;
    int peer;

    accepted(&s, &peer);
    turns(2);
    conn_kick(s.c, CONN_READABLE);
    conn_kick(s.c, CONN_WRITABLE);
    assert_int_equal(s.calls, 0);
    lab_run(loop, told, &s);
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.told, CONN_READABLE | CONN_WRITABLE);
    s.told = 0;
    conn_kick(s.c, CONN_READABLE);
    conn_close(s.c);
    turns(3);
    assert_int_equal(s.told, 0);
    close(peer);
}

static void
may_be_closed_in_its_callback(void **state)
{
    struct side s;
    char text[8];
    int peer;

    accepted(&s, &peer);
    s.close_in_callback = true;
    send_all(peer, "x");
    lab_run(loop, told, &s);
    assert_null(s.c);
    assert_true(read(peer, text, sizeof(text)) <= 0);
    close(peer);
}

/* ------------------------------------------------------------------ connecting */

static void
connects(void **state)
{
    struct side s = { 0 };
    struct addr at;
    struct err e = { 0 };
    int l = lab_listen(&at), peer, on = 0;
    socklen_t len = sizeof(on);
    char text[8] = "";

    s.c = conn_connect(loop, &at, NULL, SLICE_NONE, &e);
    assert_non_null(s.c);
    conn_attach(s.c, on_ready, &s);
    assert_int_equal(write_text(s.c, "x"), CONN_AGAIN);
    lab_run(loop, told, &s);
    assert_true(s.told & CONN_WRITABLE);
    assert_false(s.c->broken);
    assert_int_equal(getsockopt(s.c->watch.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_true(on);
    assert_int_equal(write_text(s.c, "hey"), 3);
    peer = accept(l, NULL, NULL);
    assert_int_equal(read(peer, text, sizeof(text)), 3);
    assert_string_equal(conn_alpn(s.c), "");
    conn_close(s.c);
    close(peer);
    close(l);
    turns(1);
}

static void
a_refused_connect_is_told(void **state)
{
    struct side s = { 0 };
    struct addr at;
    struct err e = { 0 };
    char want[ADDR_TEXT_MAX];

    close(lab_listen(&at));
    s.c = conn_connect(loop, &at, NULL, SLICE_NONE, &e);
    addr_format(&at, want);
    if (!s.c) {
        assert_non_null(strstr(e.text, want));
        return;
    }
    conn_attach(s.c, on_ready, &s);
    lab_run(loop, told, &s);
    assert_true(s.c->broken);
    assert_int_equal(s.c->error->sys, ECONNREFUSED);
    assert_non_null(strstr(conn_error(s.c), want));
    assert_int_equal(conn_read(s.c, s.in, 1), CONN_ERROR);
    conn_close(s.c);
    turns(1);
}

static void
a_missing_unix_socket_fails_at_once(void **state)
{
    struct addr at = lab_addr("unix:/nonexistent/weir.sock");
    struct err e = { 0 };

    assert_null(conn_connect(loop, &at, NULL, SLICE_NONE, &e));
    assert_int_equal(e.sys, ENOENT);
    assert_non_null(strstr(e.text, "unix:/nonexistent/weir.sock"));
}

static void
subjects_tell_conns_apart(void **state)
{
    struct side a, b;
    int pa, pb;

    accepted(&a, &pa);
    accepted(&b, &pb);
    assert_int_equal(strncmp(conn_subject(a.c), "conn ", 5), 0);
    assert_non_null(strstr(conn_subject(a.c), " 127.0.0.1:"));
    assert_string_not_equal(conn_subject(a.c), conn_subject(b.c));
    assert_ptr_equal(conn_subject(a.c), conn_subject(a.c));
    conn_close(a.c);
    conn_close(b.c);
    close(pa);
    close(pb);
    turns(1);
}

/* ------------------------------------------------------------------ linger */

static bool
peer_got_fin(void *arg)
{
    struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

static bool
peer_got_reset(void *arg)
{
    int fd = *(int *)arg;

    return send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN;
}

/* Bytes on their way in must not turn the answer into a reset (RFC 9112 9.6). */
static void
linger_lets_the_answer_arrive(void **state)
{
    static char block[100 * 1024];
    struct side s;
    char text[32] = "";
    int peer;

    accepted(&s, &peer);
    assert_int_equal(send(peer, block, sizeof(block), MSG_NOSIGNAL), sizeof(block));
    assert_int_equal(write_text(s.c, "answer"), 6);
    conn_linger(s.c);
    turns(3);
    assert_int_equal(send(peer, block, sizeof(block), MSG_NOSIGNAL), sizeof(block));
    turns(3);
    assert_int_equal(read(peer, text, sizeof(text)), 6);
    assert_string_equal(text, "answer");
    assert_int_equal(read(peer, text, sizeof(text)), 0);
    close(peer);
    turns(3);
}

static void
linger_drops_only_so_much(void **state)
{
    static char block[64 * 1024];
    struct side s;
    size_t sent = 0;
    int peer;

    accepted(&s, &peer);
    conn_linger(s.c);
    lab_run(loop, peer_got_fin, &peer);
    while (sent < (4u << 20)) {
        ssize_t n = send(peer, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN)
            break;
        sent += n > 0 ? (size_t)n : 0;
        turns(1);
    }
    assert_true(sent < (4u << 20));
    close(peer);
}

static void
linger_ends_after_two_seconds(void **state)
{
    struct side s;
    nsec_t began = clock_precise();
    int peer;

    accepted(&s, &peer);
    conn_linger(s.c);
    assert_false(lab_run_for(loop, peer_got_reset, &peer, NSEC_PER_SEC));
    lab_run(loop, peer_got_reset, &peer);
    assert_true(clock_precise() - began < 4 * NSEC_PER_SEC);
    close(peer);
}

static void
linger_closes_with_the_peer(void **state)
{
    struct side s;
    int peer, fd;

    accepted(&s, &peer);
    fd = s.c->watch.fd;
    conn_linger(s.c);
    close(peer);
    turns(5);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void
linger_ends_with_the_loop(void **state)
{
    struct side a, b;
    int peer_a, peer_b, fd_a, fd_b;

    accepted(&a, &peer_a);
    accepted(&b, &peer_b);
    fd_a = a.c->watch.fd;
    fd_b = b.c->watch.fd;
    conn_linger(a.c);
    conn_linger(b.c);
    conn_linger_no_more(loop);
    assert_int_equal(fcntl(fd_a, F_GETFD), -1);
    assert_int_equal(fcntl(fd_b, F_GETFD), -1);
    conn_linger_no_more(loop);
    close(peer_a);
    close(peer_b);
}

#define on_loop(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        on_loop(reads_and_writes),
        on_loop(room_at_the_start_is_no_news),
        on_loop(a_short_read_clears_readable),
        on_loop(reads_into_pieces),
        on_loop(a_fin_with_the_bytes_is_seen),
        on_loop(a_fin_after_a_short_read_raises_an_event),
        on_loop(a_reset_with_the_bytes_is_seen_by_who_wants_more),
        on_loop(writing_stops_when_the_peer_does_not_read),
        on_loop(writing_to_a_dead_peer_is_an_error_and_no_signal),
        on_loop(shutdown_leaves_reading),
        on_loop(kicks_come_once_at_the_end_of_the_turn),
        on_loop(may_be_closed_in_its_callback),
        on_loop(connects),
        on_loop(a_refused_connect_is_told),
        on_loop(a_missing_unix_socket_fails_at_once),
        on_loop(subjects_tell_conns_apart),
        on_loop(linger_lets_the_answer_arrive),
        on_loop(linger_drops_only_so_much),
        on_loop(linger_ends_after_two_seconds),
        on_loop(linger_closes_with_the_peer),
        on_loop(linger_ends_with_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
