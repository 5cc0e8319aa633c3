#include "../../../src/net/acceptor.h"
#include "../../../src/net/handover.h"
#include "../../../src/base/log.h"
#include "netlab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct worker worker = { .id = 0 };

struct taken {
    unsigned n;
    int fds[256];
    struct addr peer, local;
};

static int
setup(void **state)
{
    log_set_level(LOG_LVL_ERROR);
    worker.loop = loop_new("test");
    return worker.loop ? 0 : -1;
}

static int
teardown(void **state)
{
    loop_free(worker.loop);
    return 0;
}

static void
on_accept(int fd, const struct addr *peer, const struct addr *local, void *arg)
{
    struct taken *t = arg;

    t->peer = *peer;
    t->local = *local;
    t->fds[t->n++] = fd;
}

static void
taken_close(struct taken *t)
{
    while (t->n)
        close(t->fds[--t->n]);
}

static bool
took_one(void *arg)
{
    return ((struct taken *)arg)->n >= 1;
}

static bool
took_two(void *arg)
{
    return ((struct taken *)arg)->n >= 2;
}

static bool
took_four(void *arg)
{
    return ((struct taken *)arg)->n >= 4;
}

static struct listener_socket *
open_at(const char *text, unsigned first, unsigned last)
{
    struct addr a = lab_addr(text);
    struct err e = { 0 };
    struct listener_socket *s = listener_open(&a, first, last, 128, &e);

    if (!s)
        fail_msg("%s", e.text);
    return s;
}

static void
refused_at(const struct addr *a, const char *why)
{
    struct err e = { 0 };
    char text[ADDR_TEXT_MAX];

    assert_null(listener_open(a, 0, 0, 16, &e));
    addr_format(a, text);
    if (strncmp(e.text, text, strlen(text)) != 0 || !strstr(e.text, why) || strchr(e.text, '\n'))
        fail_msg("\"%s\" does not name \"%s\" and say \"%s\" in one line", e.text, text, why);
}

static void
accepts(void **state)
{
    struct taken t = { 0 };
    struct listener_socket *s = open_at("127.0.0.1:0", 0, 0);
    struct acceptor *a = acceptor_start(&worker, s, on_accept, &t);
    int peer, on = 0;
    socklen_t len = sizeof(on);

    assert_true(addr_port(listener_addr(s)) > 0);
    peer = lab_dial(listener_addr(s));
    assert_true(peer >= 0);
    lab_run(worker.loop, took_one, &t);
    assert_true(addr_is_loopback(&t.peer));
    assert_true(addr_equal(&t.local, listener_addr(s)));
    assert_true(fcntl(t.fds[0], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(t.fds[0], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(getsockopt(t.fds[0], IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_true(on);
    close(peer);
    taken_close(&t);
    acceptor_stop(a);
    listener_put(s);
}

static void
a_wildcard_tells_the_address_that_was_reached(void **state)
{
    struct taken t = { 0 };
    struct listener_socket *s = open_at("0.0.0.0:0", 0, 0);
    struct acceptor *a = acceptor_start(&worker, s, on_accept, &t);
    struct addr to = lab_addr("127.0.0.2:1");
    char text[ADDR_TEXT_MAX];
    int peer;

    addr_set_port(&to, (uint16_t)addr_port(listener_addr(s)));
    peer = lab_dial(&to);
    lab_run(worker.loop, took_one, &t);
    addr_format_ip(&t.local, text);
    assert_string_equal(text, "127.0.0.2");
    close(peer);
    taken_close(&t);
    acceptor_stop(a);
    listener_put(s);
}

static void
generations_share_by_address(void **state)
{
    struct listener_socket *s = open_at("127.0.0.1:0", 0, 0), *first, *again, *fresh;
    struct addr a = *listener_addr(s);

    listener_put(s);
    first = listener_open(&a, 0, 0, 16, NULL);
    assert_non_null(first);
    again = listener_open(&a, 0, 0, 16, NULL);
    assert_ptr_equal(first, again);
    listener_put(first);
    assert_true(lab_dial(&a) >= 0); /* still open */
    listener_retire(again);
    fresh = listener_open(&a, 0, 0, 16, NULL);
    assert_non_null(fresh);
    assert_ptr_not_equal(fresh, again);
    listener_put(again);
    listener_put(fresh);
    assert_int_equal(lab_dial(&a), -1);
    assert_int_equal(errno, ECONNREFUSED);
}

static void
each_worker_has_a_socket(void **state)
{
    struct listener_socket *s = open_at("127.0.0.1:0", 1, 3);
    struct worker w[5] = { 0 };
    struct acceptor *a[5];
    struct taken t[5] = { 0 };
    unsigned total = 0, with_some = 0;
    int peers[64];

    for (unsigned i = 0; i < 5; i++) {
        w[i] = (struct worker){ .id = i, .loop = worker.loop };
        if (i == 0 || i == 4)
            log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
        a[i] = acceptor_start(&w[i], s, on_accept, &t[i]);
        log_set_fd(2);
        assert_true((a[i] != NULL) == (i >= 1 && i <= 3));
    }
    for (unsigned i = 0; i < 64; i++)
        assert_true((peers[i] = lab_dial(listener_addr(s))) >= 0);
    for (unsigned i = 1; i <= 3; i++)
        acceptor_stop(a[i]); /* takes what is queued */
    for (unsigned i = 1; i <= 3; i++) {
        total += t[i].n;
        with_some += t[i].n > 0;
        taken_close(&t[i]);
    }
    assert_int_equal(total, 64);
    assert_true(with_some >= 2);
    for (unsigned i = 0; i < 64; i++)
        close(peers[i]);
    assert_int_equal(lab_dial(listener_addr(s)), -1);
    listener_put(s);
}

struct per_turn {
    struct taken taken;
    nsec_t turn;
    unsigned in_turn, most;
};

static void
count_per_turn(int fd, const struct addr *peer, const struct addr *local, void *arg)
{
    struct per_turn *p = arg;
    nsec_t turn = loop_turn_started(worker.loop);

    p->in_turn = turn == p->turn ? p->in_turn + 1 : 1;
    p->turn = turn;
    p->most = p->in_turn > p->most ? p->in_turn : p->most;
    on_accept(fd, peer, local, &p->taken);
}

static bool
took_100(void *arg)
{
    return ((struct per_turn *)arg)->taken.n == 100;
}

static void
at_most_64_a_turn_and_none_lost(void **state)
{
    struct per_turn p = { 0 };
    struct listener_socket *s = open_at("127.0.0.1:0", 0, 0);
    struct acceptor *a;
    int peers[100];

    for (unsigned i = 0; i < 100; i++)
        assert_true((peers[i] = lab_dial(listener_addr(s))) >= 0);
    a = acceptor_start(&worker, s, count_per_turn, &p);
    lab_run(worker.loop, took_100, &p);
    assert_int_equal(p.most, 64);
    for (unsigned i = 0; i < 100; i++)
        close(peers[i]);
    taken_close(&p.taken);
    acceptor_stop(a);
    listener_put(s);
}

static void
a_worker_may_come_back(void **state)
{
    struct taken t = { 0 };
    struct listener_socket *s = open_at("127.0.0.1:0", 0, 0);
    struct acceptor *a = acceptor_start(&worker, s, on_accept, &t);
    int peer;

    acceptor_stop(a);
    a = acceptor_start(&worker, s, on_accept, &t);
    assert_non_null(a);
    peer = lab_dial(listener_addr(s));
    assert_true(peer >= 0);
    lab_run(worker.loop, took_one, &t);
    close(peer);
    taken_close(&t);
    acceptor_stop(a);
    listener_put(s);
}

static void
came_too_late(void *arg)
{
    (void)arg;
    fail();
}

/* Nobody new, and an end before its time. */
static void
a_worker_leaves(void **state)
{
    struct taken t = { 0 };
    struct listener_socket *s = open_at("127.0.0.1:0", 0, 0);
    struct acceptor *a = acceptor_start(&worker, s, on_accept, &t);
    struct addr at = *listener_addr(s);
    int peer = lab_dial(&at);

    assert_true(peer >= 0);
    if (acceptor_leave(a, came_too_late)) {
        assert_int_equal(lab_dial(&at), -1);
        acceptor_stop(a);
    }
    assert_int_equal(t.n, 1);
    close(peer);
    taken_close(&t);
    listener_put(s);
}

/* Who would be hidden among sockets of one address would still be chosen by the kernel. */
static void
an_address_with_a_successor_is_left_at_once(void **state)
{
    struct taken t = { 0 };
    struct listener_socket *s = open_at("127.0.0.1:0", 0, 1);
    struct acceptor *a = acceptor_start(&worker, s, on_accept, &t);
    uint64_t others = handover_cookie(listener_slot_fd(s, 1));

    handover_share(&others, 1);
    listener_note_successor();
    assert_false(acceptor_leave(a, came_too_late));
    handover_share(NULL, 0);
    listener_put(s);
}

static void
an_occupied_port_is_named(void **state)
{
    struct addr a;
    int other = lab_listen(&a);

    refused_at(&a, "already in use");
    close(other);
}

/* Another process of the same user with SO_REUSEPORT would get half of the connections without anybody noticing. */
static void
a_port_shared_by_somebody_else_is_occupied(void **state)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct addr a;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    addr_from_sockaddr(&a, (struct sockaddr *)&in, len);
    refused_at(&a, "another weir");
    close(fd);
}

static void
a_port_with_old_connections_can_be_bound_again(void **state)
{
    struct listener_socket *s = open_at("127.0.0.1:0", 0, 0);
    struct taken t = { 0 };
    struct acceptor *acceptor = acceptor_start(&worker, s, on_accept, &t);
    struct addr a = *listener_addr(s);
    int peer = lab_dial(&a);

    lab_run(worker.loop, took_one, &t);
    taken_close(&t); /* our side closes first: TIME_WAIT is here */
    acceptor_stop(acceptor);
    listener_put(s);
    close(peer);
    s = listener_open(&a, 0, 0, 16, NULL);
    assert_non_null(s);
    listener_put(s);
}

static void
a_foreign_address_is_named(void **state)
{
    struct addr a = lab_addr("192.0.2.1:8080");

    refused_at(&a, "no interface");
}

/* ------------------------------------------------------------------ unix */

static char dir[64];

static struct addr
unix_addr(const char *name)
{
    char text[160];

    snprintf(text, sizeof(text), "unix:%s/%s", dir, name);
    return lab_addr(text);
}

static int
setup_dir(void **state)
{
    snprintf(dir, sizeof(dir), "/tmp/test_listener.XXXXXX");
    return mkdtemp(dir) && setup(state) == 0 ? 0 : -1;
}

static int
teardown_dir(void **state)
{
    rmdir(dir);
    return teardown(state);
}

static void
unix_sockets_are_shared_and_removed(void **state)
{
    struct addr a = unix_addr("s");
    struct listener_socket *s = listener_open(&a, 0, 1, 16, NULL);
    struct worker second = { .id = 1, .loop = worker.loop };
    struct taken t = { 0 };
    struct acceptor *a0, *a1;
    struct stat st;
    int peer;

    assert_non_null(s);
    assert_int_equal(stat(a.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    a0 = acceptor_start(&worker, s, on_accept, &t);
    a1 = acceptor_start(&second, s, on_accept, &t);
    acceptor_stop(a0);
    peer = lab_dial(&a); /* the other one still serves the path */
    assert_true(peer >= 0);
    lab_run(worker.loop, took_one, &t);
    assert_true(addr_is_unix(&t.peer) && addr_is_unix(&t.local));
    assert_ptr_equal(t.local.path, a.path);
    close(peer);
    taken_close(&t);
    acceptor_stop(a1);
    assert_int_equal(stat(a.path, &st), 0);
    listener_put(s);
    assert_int_equal(stat(a.path, &st), -1);
}

static void
a_stale_file_is_replaced_a_living_one_is_not(void **state)
{
    struct addr a = unix_addr("s");
    struct sockaddr_storage sa;
    socklen_t len = addr_sockaddr(&a, &sa);
    int other = socket(AF_UNIX, SOCK_STREAM, 0);
    struct listener_socket *s;

    assert_int_equal(bind(other, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(other, 1), 0);
    refused_at(&a, "another process answers");
    close(other);
    s = listener_open(&a, 0, 0, 16, NULL);
    assert_non_null(s);
    listener_put(s);
}

static void
other_files_are_left_alone(void **state)
{
    struct addr a = unix_addr("s"), missing = unix_addr("none/s");
    int fd = open(a.path, O_CREAT | O_WRONLY, 0600);
    struct stat st;

    close(fd);
    refused_at(&a, "not a socket");
    assert_int_equal(stat(a.path, &st), 0);
    unlink(a.path);
    refused_at(&missing, "directory does not exist");
}

static void
a_successor_keeps_its_file(void **state)
{
    struct addr a = unix_addr("s");
    struct listener_socket *old = listener_open(&a, 0, 0, 16, NULL), *next;
    struct stat st;

    listener_retire(old);
    next = listener_open(&a, 0, 0, 16, NULL);
    assert_non_null(next);
    assert_ptr_not_equal(old, next);
    listener_put(old);
    assert_int_equal(stat(a.path, &st), 0);
    close(lab_dial(&a));
    listener_put(next);
    assert_int_equal(stat(a.path, &st), -1);
}

/* ------------------------------------------------------------------ out of descriptors */

static bool
paused(void *arg)
{
    return acceptor_pauses() > *(uint64_t *)arg;
}

static void
out_of_descriptors_it_pauses_and_goes_on(void **state)
{
    struct taken t = { 0 };
    struct listener_socket *s = open_at("127.0.0.1:0", 0, 0);
    struct acceptor *a = acceptor_start(&worker, s, on_accept, &t);
    struct rlimit old, tight;
    uint64_t before = acceptor_pauses(), later;
    int first = lab_dial(listener_addr(s)), peer = lab_dial(listener_addr(s)), next = dup(0);

    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = (struct rlimit){ (rlim_t)next, old.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    lab_run(worker.loop, paused, &before);
    assert_int_equal(t.n, 1); /* the service worker had one to spare */
    later = acceptor_pauses();
    assert_false(lab_run_for(worker.loop, paused, &later, 50 * NSEC_PER_MSEC)); /* it does not spin */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    lab_run(worker.loop, took_two, &t);
    close(first);
    close(peer);
    taken_close(&t);
    acceptor_stop(a);
    listener_put(s);
}

/* A worker for clients stops before the last descriptors, without a word to those who wait; and goes on by itself. */
static void
some_descriptors_are_not_for_clients(void **state)
{
    struct taken t = { 0 };
    struct worker one = { .id = 1, .loop = worker.loop };
    struct listener_socket *s = open_at("127.0.0.1:0", 1, 1);
    uint64_t before = acceptor_pauses();
    struct acceptor *a;
    struct rlimit old, tight;
    int peers[4], fillers[64], n = 0;

    for (int i = 0; i < 4; i++)
        peers[i] = lab_dial(listener_addr(s));
    do
        fillers[n] = dup(0);
    while (fillers[n++] < 54);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = (struct rlimit){ 64, old.rlim_max }; /* 8 of them are reserved */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    a = acceptor_start(&one, s, on_accept, &t);
    lab_run(worker.loop, paused, &before);
    assert_int_equal(t.n, 2); /* the second one was the first reserved */
    assert_int_equal(t.fds[1], 56);
    before = acceptor_pauses();
    lab_run(worker.loop, paused, &before); /* it looks again, and there is still nothing for it */
    assert_int_equal(t.n, 2);
    while (n)
        close(fillers[--n]);
    lab_run(worker.loop, took_four, &t);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (int i = 0; i < 4; i++)
        close(peers[i]);
    taken_close(&t);
    acceptor_stop(a);
    listener_put(s);
}

/* ------------------------------------------------------------------ real workers */

#define THREADS 3

static struct listener_socket *shared;
static struct acceptor *acceptors[THREADS + 1];
static atomic_uint served, stopped;

static void
greet(int fd, const struct addr *peer, const struct addr *local, void *arg)
{
    if (write(fd, "x", 1) == 1)
        atomic_fetch_add(&served, 1);
    close(fd);
}

static void
worker_begin(struct worker *w)
{
    acceptors[w->id] = acceptor_start(w, shared, greet, NULL);
}

static void
worker_end(void *arg)
{
    acceptor_stop(acceptors[worker_self_id()]);
    atomic_fetch_add(&stopped, 1);
}

static bool
all_stopped(void *arg)
{
    return atomic_load(&stopped) == THREADS;
}

static void
workers_accept_on_their_own_threads(void **state)
{
    struct addr at;
    char c;

    assert_int_equal(workers_init(THREADS), 0);
    shared = open_at("127.0.0.1:0", 1, THREADS);
    at = *listener_addr(shared);
    assert_int_equal(workers_start(worker_begin, NULL), 0);
    for (unsigned i = 0; i < 200; i++) {
        int peer = lab_dial(&at);

        assert_true(peer >= 0);
        assert_int_equal(read(peer, &c, 1), 1);
        close(peer);
    }
    listener_retire(shared);
    for (unsigned i = 1; i <= THREADS; i++)
        worker_post(i, worker_end, NULL);
    lab_run(worker.loop, all_stopped, NULL);
    assert_int_equal(atomic_load(&served), 200);
    assert_int_equal(lab_dial(&at), -1); /* closed although the reference of the generation is still there */
    listener_put(shared);
    workers_stop();
    workers_fini();
}

#define on_loop(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define in_dir(fn) cmocka_unit_test_setup_teardown(fn, setup_dir, teardown_dir)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        on_loop(accepts),
        on_loop(a_wildcard_tells_the_address_that_was_reached),
        on_loop(generations_share_by_address),
        on_loop(each_worker_has_a_socket),
        on_loop(at_most_64_a_turn_and_none_lost),
        on_loop(a_worker_may_come_back),
        on_loop(a_worker_leaves),
        on_loop(an_address_with_a_successor_is_left_at_once),
        on_loop(an_occupied_port_is_named),
        on_loop(a_port_shared_by_somebody_else_is_occupied),
        on_loop(a_port_with_old_connections_can_be_bound_again),
        on_loop(a_foreign_address_is_named),
        in_dir(unix_sockets_are_shared_and_removed),
        in_dir(a_stale_file_is_replaced_a_living_one_is_not),
        in_dir(other_files_are_left_alone),
        in_dir(a_successor_keeps_its_file),
        on_loop(out_of_descriptors_it_pauses_and_goes_on),
        on_loop(some_descriptors_are_not_for_clients),
        on_loop(workers_accept_on_their_own_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
