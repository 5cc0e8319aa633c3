#include "../../../src/daemon/channel.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int ends[2];
static char buffer[CHANNEL_MAX];

static int
set_up(void **state)
{
    (void)state;
    return channel_pair(ends);
}

static int
tear_down(void **state)
{
    (void)state;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static bool
same_file(int a, int b)
{
    struct stat x, y;
    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void
messages_keep_their_order_and_bounds(void **state)
{
    (void)state;
    struct channel_message m;
    assert_int_equal(channel_receive(ends[1], buffer, &m), 0);
    assert_int_equal(channel_send(ends[0], CHANNEL_NOTIFY, SLICE("READY=1"), -1), 0);
    assert_int_equal(channel_send(ends[0], CHANNEL_CLOSING, SLICE("17"), -1), 0);
    assert_int_equal(channel_receive(ends[1], buffer, &m), 1);
    assert_int_equal(m.kind, CHANNEL_NOTIFY);
    assert_true(slice_eq(m.text, SLICE("READY=1")));
    assert_int_equal(m.fd, -1);
    assert_int_equal(channel_receive(ends[1], buffer, &m), 1);
    assert_int_equal(m.kind, CHANNEL_CLOSING);
    assert_true(slice_eq(m.text, SLICE("17")));
    assert_int_equal(channel_receive(ends[1], buffer, &m), 0);
}

static void
a_descriptor_goes_along(void **state)
{
    (void)state;
    struct channel_message m;
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(channel_send(ends[0], CHANNEL_OPENED, SLICE_NONE, pipe_ends[0]), 0);
    assert_int_equal(channel_receive(ends[1], buffer, &m), 1);
    assert_int_equal(m.text.n, 0);
    assert_true(m.fd >= 0 && m.fd != pipe_ends[0]);
    assert_true(same_file(m.fd, pipe_ends[0]));
    close(m.fd);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void
a_message_of_the_full_length(void **state)
{
    (void)state;
    struct channel_message m;
    char *text = calloc(1, CHANNEL_MAX);
    assert_int_equal(channel_send(ends[0], CHANNEL_LEAVE, slice_of(text, CHANNEL_MAX - 1), -1), 0);
    assert_int_equal(channel_receive(ends[1], buffer, &m), 1);
    assert_int_equal(m.text.n, CHANNEL_MAX - 1);
    assert_int_equal(channel_send(ends[0], CHANNEL_LEAVE, slice_of(text, CHANNEL_MAX), -1), 0);
    assert_int_equal(channel_receive(ends[1], buffer, &m), -1);
    free(text);
}

/* More descriptors than one: nonsense of a process gone mad; none of them stays open here. */
static void
refuses_descriptors(unsigned n)
{
    struct channel_message m;
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(4 * sizeof(int))];
    } control = { 0 };
    char kind = CHANNEL_OPENED;
    struct iovec iov = { &kind, 1 };
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    int before = dup(0), after;

    close(before);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    h.msg_controllen = CMSG_SPACE(n * sizeof(int));
    memcpy(CMSG_DATA(c), (int[]){ 0, 0, 0, 0 }, 4 * sizeof(int));
    assert_int_equal(sendmsg(ends[0], &h, 0), 1);
    assert_int_equal(channel_receive(ends[1], buffer, &m), -1);
    assert_int_equal(errno, EPROTO);
    after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

static void
too_many_descriptors(void **state)
{
    (void)state;
    refuses_descriptors(2);
    refuses_descriptors(4);
}

static void
the_other_side_is_gone(void **state)
{
    (void)state;
    struct channel_message m;
    close(ends[0]);
    assert_int_equal(channel_receive(ends[1], buffer, &m), -1);
    assert_int_equal(channel_send(ends[1], CHANNEL_NOTIFY, SLICE("x"), -1), -1);
    assert_int_equal(errno, EPIPE);
    ends[0] = dup(ends[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_keep_their_order_and_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_descriptor_goes_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_of_the_full_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_descriptors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_other_side_is_gone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
