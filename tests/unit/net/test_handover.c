#include "../../../src/net/bind.h"
#include "../../../src/net/handover.h"
#include "../../../src/net/listener.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned n_opened, n_closing;
static uint64_t opened[16], closing[16];

static void
on_opened(int fd)
{
    opened[n_opened++ % 16] = handover_cookie(fd);
}

static void
on_closing(uint64_t cookie)
{
    closing[n_closing++ % 16] = cookie;
}

static const struct handover_holder holder = { on_opened, on_closing };

static int
set_up(void **state)
{
    (void)state;
    n_opened = n_closing = 0;
    handover_share(NULL, 0);
    handover_set_holder(&holder);
    return 0;
}

/* A listening socket on loopback; its address in a. */
static int
bound(struct addr *a)
{
    struct sockaddr_storage sa;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t len;

    assert_int_equal(addr_parse(SLICE("127.0.0.1:0"), a, NULL), 0);
    len = addr_sockaddr(a, &sa);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    len = sizeof(sa);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    addr_from_sockaddr(a, (struct sockaddr *)&sa, len);
    return fd;
}

static bool
refused(const struct addr *a)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_sockaddr(a, &sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = connect(fd, (struct sockaddr *)&sa, len) == 0;

    close(fd);
    return !good;
}

static void
only_listening_stream_sockets_are_taken(void **state)
{
    (void)state;
    int fds[] = { socket(AF_INET, SOCK_DGRAM, 0), socket(AF_INET, SOCK_STREAM, 0), open("/dev/null", O_RDONLY), -1 };
    for (int i = 0; i < 4; i++) {
        assert_false(handover_give(fds[i]));
        assert_int_equal(fcntl(fds[i], F_GETFD), -1);
    }
}

static void
a_copy_has_the_same_cookie(void **state)
{
    (void)state;
    struct addr a;
    int fd = bound(&a), copy = dup(fd);
    assert_true(handover_cookie(fd) != 0);
    assert_true(handover_cookie(fd) == handover_cookie(copy));
    assert_true(handover_cookie(-1) == 0);
    close(fd);
    close(copy);
}

static void
a_listener_takes_what_was_inherited(void **state)
{
    (void)state;
    struct addr a, other;
    int fd = bound(&a), stranger = bound(&other);
    uint64_t cookie = handover_cookie(fd), strange = handover_cookie(stranger);
    struct err e;

    assert_true(handover_give(fd));
    assert_true(handover_give(stranger));
    /* Two slots, one socket without SO_REUSEPORT: both are copies of it, and it is told of once when the last goes. */
    struct listener_socket *s = listener_open(&a, 1, 2, 8, &e);
    assert_non_null(s);
    assert_int_equal(n_opened, 2);
    assert_true(opened[0] == cookie && opened[1] == cookie);
    assert_int_equal(handover_take(&a), -1);
    assert_int_equal(handover_drop_rest(), 1);
    assert_int_equal(n_closing, 1);
    assert_true(closing[0] == strange);
    listener_put(s);
    assert_int_equal(n_closing, 2);
    assert_true(closing[1] == cookie);
    assert_int_equal(handover_drop_rest(), 0);
}

static void
what_a_successor_has_is_not_told(void **state)
{
    (void)state;
    struct addr a;
    struct err e;
    assert_int_equal(addr_parse(SLICE("127.0.0.1:0"), &a, NULL), 0);
    struct listener_socket *s = listener_open(&a, 1, 2, 8, &e);
    assert_non_null(s);
    assert_int_equal(n_opened, 2);
    assert_false(listener_handed_over(s));
    handover_share(opened, 1);
    listener_note_successor();
    assert_true(listener_handed_over(s));
    listener_put(s);
    assert_int_equal(n_closing, 1);
    assert_true(closing[0] == opened[1]);
}

static void
a_hidden_one_is_shown_again(void **state)
{
    (void)state;
    struct addr a;
    int fd = bound(&a);

    assert_false(handover_lent(fd));
    handover_set_lent(fd);
    assert_true(handover_lent(fd));
    if (!bind_hide(fd))
        skip();
    assert_true(refused(&a));
    assert_true(handover_give(fd));
    if (geteuid() != 0)
        skip(); /* it stays hidden, and nobody gets it */
    assert_int_equal(handover_take(&a), fd);
    assert_false(refused(&a));
    close(fd);
}

static void
a_unix_socket_keeps_its_file(void **state)
{
    (void)state;
    char path[] = "/tmp/weir-handover-XXXXXX", text[64];
    struct addr a;
    struct err e;
    int held;

    assert_non_null(mkdtemp(path));
    snprintf(text, sizeof text, "unix:%s/s", path);
    assert_int_equal(addr_parse(slice_str(text), &a, NULL), 0);
    struct listener_socket *s = listener_open(&a, 1, 1, 8, &e);
    assert_non_null(s);
    handover_share(opened, 1);
    listener_put(s);
    assert_int_equal(access(text + 5, F_OK), 0); /* the successor's now */
    handover_share(NULL, 0);
    s = listener_open(&a, 1, 1, 8, &e); /* nobody answers there: stale */
    assert_non_null(s);
    listener_put(s);
    assert_int_equal(access(text + 5, F_OK), -1);
    held = rmdir(path);
    assert_int_equal(held, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(only_listening_stream_sockets_are_taken, set_up),
        cmocka_unit_test_setup(a_copy_has_the_same_cookie, set_up),
        cmocka_unit_test_setup(a_listener_takes_what_was_inherited, set_up),
        cmocka_unit_test_setup(what_a_successor_has_is_not_told, set_up),
        cmocka_unit_test_setup(a_hidden_one_is_shown_again, set_up),
        cmocka_unit_test_setup(a_unix_socket_keeps_its_file, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
