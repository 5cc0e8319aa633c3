#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../../src/observe/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/weir-sink-XXXXXX";
static char path[128], moved[128];

static int
setup(void **state)
{
    strcpy(dir, "/tmp/weir-sink-XXXXXX");
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/log", dir);
    snprintf(moved, sizeof(moved), "%s/log.1", dir);
    return 0;
}

static int
teardown(void **state)
{
    unlink(path);
    unlink(moved);
    return rmdir(dir);
}

static void
assert_file(const char *name, const char *want)
{
    char text[256];
    int fd = open(name, O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);

    close(fd);
    assert_true(n >= 0);
    text[n] = '\0';
    assert_string_equal(text, want);
}

static void
a_file_is_appended_to(void **state)
{
    struct sink s;
    struct err e;

    assert_int_equal(sink_open_file(&s, path, &e), 0);
    assert_int_equal(sink_write(&s, "one\n", 4, false), SINK_TAKEN);
    sink_close(&s);
    assert_int_equal(sink_open_file(&s, path, &e), 0);
    assert_int_equal(sink_write(&s, "two\n", 4, false), SINK_TAKEN);
    sink_close(&s);
    assert_file(path, "one\ntwo\n");
}

static void
reopening_follows_a_rotated_file(void **state)
{
    struct sink s;
    struct err e;

    assert_int_equal(sink_open_file(&s, path, &e), 0);
    sink_write(&s, "old\n", 4, false);
    assert_int_equal(sink_reopen(&s, false, &e), 0); /* still the same: nothing happens */
    assert_int_equal(rename(path, moved), 0);
    sink_write(&s, "late\n", 5, false);
    assert_int_equal(sink_reopen(&s, false, &e), 0);
    sink_write(&s, "new\n", 4, false);
    sink_close(&s);
    assert_file(moved, "old\nlate\n");
    assert_file(path, "new\n");
}

static void
a_failed_reopen_keeps_the_old_file(void **state)
{
    struct sink s;
    struct err e;

    assert_int_equal(sink_open_file(&s, path, &e), 0);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(sink_reopen(&s, true, &e), -1);
    assert_non_null(strstr(e.text, path));
    assert_int_equal(sink_write(&s, "still\n", 6, false), SINK_TAKEN);
    sink_close(&s);
    assert_file(moved, "still\n");
    rmdir(path);
}

static void
a_missing_directory_is_named(void **state)
{
    struct sink s;
    struct err e;

    assert_int_equal(sink_open_file(&s, "/nonexistent/log", &e), -1);
    assert_non_null(strstr(e.text, "/nonexistent/log"));
}

static void
a_pipe_without_a_reader_is_refused(void **state)
{
    struct sink s;
    struct err e;

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(sink_open_file(&s, path, &e), -1);
    assert_non_null(strstr(e.text, "nobody reads"));
}

/* Makes fd 1 the write end of a pipe or socket pair; returns the other end. */
static int
redirect_stdout(bool socket, int *saved)
{
    int fds[2];

    if (socket)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    else
        assert_int_equal(pipe(fds), 0);
    fflush(stdout);
    *saved = dup(1);
    dup2(fds[1], 1);
    close(fds[1]);
    return fds[0];
}

static void
restore_stdout(int saved)
{
    dup2(saved, 1);
    close(saved);
}

/* Numbered lines until the reader's side is full; then everything must come out whole and in order. */
static void
fill_and_drain(struct sink *s, int from)
{
    static char batch[20000];
    char text[65536], line[32];
    unsigned sent = 0, next = 0;
    enum sink_result r;
    size_t n = 0, have = 0;
    ssize_t got;

    for (;;) {
        for (n = 0; n + 12 <= sizeof(batch); n += 11)
            snprintf(batch + n, 12, "%010u\n", sent++);
        r = sink_write(s, batch, n, false);
        if (r != SINK_TAKEN)
            break;
        assert_true(sent < 10000000);
    }
    if (r == SINK_BUSY)
        sent -= (unsigned)(n / 11); /* nothing of it was taken */
    fcntl(from, F_SETFL, O_NONBLOCK);
    for (;;) {
        got = read(from, text + have, sizeof(text) - have);
        if (got < 0) { /* empty: what a short write has kept comes first */
            r = sink_write(s, "", 0, false);
            assert_true(r == SINK_TAKEN || r == SINK_BUSY);
            got = read(from, text + have, sizeof(text) - have);
            if (got < 0)
                break;
        }
        have += (size_t)got;
        for (n = 0; n + 11 <= have; n += 11) {
            snprintf(line, sizeof(line), "%010u\n", next++);
            assert_memory_equal(text + n, line, 11);
        }
        memmove(text, text + n, have -= n);
    }
    assert_int_equal(have, 0);
    assert_int_equal(next, sent);
}

static void
a_full_pipe_is_busy_and_loses_nothing_half_way(void **state)
{
    struct sink s;
    struct err e;
    int saved, from = redirect_stdout(false, &saved), flags = fcntl(1, F_GETFL);

    assert_int_equal(sink_open_std(&s, 1, &e), 0);
    assert_int_equal(s.kind, SINK_WRITE);
    fill_and_drain(&s, from);
    assert_int_equal(fcntl(1, F_GETFL), flags); /* the shared description was left alone */
    restore_stdout(saved);
    close(from);
    assert_int_equal(sink_write(&s, "x\n", 2, false), SINK_FAILED);
    assert_int_equal(errno, EPIPE);
    sink_close(&s);
}

static void
a_full_socket_is_busy_and_loses_nothing_half_way(void **state)
{
    struct sink s;
    struct err e;
    int saved, from = redirect_stdout(true, &saved);

    assert_int_equal(sink_open_std(&s, 1, &e), 0);
    assert_int_equal(s.kind, SINK_SEND);
    fill_and_drain(&s, from);
    restore_stdout(saved);
    close(from);
    sink_close(&s);
}

static void
a_pipe_that_cannot_be_opened_again_is_asked_first(void **state)
{
    struct sink s;
    struct err e;
    int saved, from = redirect_stdout(false, &saved);

    assert_int_equal(sink_open_std(&s, 1, &e), 0);
    dup3(1, s.fd, O_CLOEXEC); /* the blocking one, as where /proc is missing */
    s.kind = SINK_POLL;
    fill_and_drain(&s, from);
    restore_stdout(saved);
    close(from);
    sink_close(&s);
}

static void
a_closed_stdout_is_an_error(void **state)
{
    struct sink s;
    struct err e;
    int saved, rc;

    fflush(stdout);
    saved = dup(1);
    close(1);
    rc = sink_open_std(&s, 1, &e);
    restore_stdout(saved);
    assert_int_equal(rc, -1);
    assert_non_null(strstr(e.text, "stdout is closed"));
}

/* Two processes with one standard output, as in an upgrade: the reader gets lines, not pieces. */
static void
lines_of_two_writers_stay_whole(void **state)
{
    enum { LINES = 3000, LEN = 97 };
    char line[2][LEN], *in = malloc(2 * LINES * LEN), *text = malloc(LINES * LEN);
    size_t done[2] = { 0, 0 }, got = 0;
    struct sink s[2];
    struct err e;
    int fd;
    ssize_t n;

    assert_int_equal(mkfifo(path, 0600), 0);
    fd = open(path, O_RDONLY | O_NONBLOCK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sink_open_file(&s[i], path, &e), 0);
        memset(line[i], 'a' + i, LEN - 1);
        line[i][LEN - 1] = '\n';
    }
    while (got < 2 * LINES * LEN) {
        for (int turn = 0; turn < 2; turn++) {
            int i = (int)(got / 1000 + (size_t)turn) % 2; /* each may be the first to find room */

            for (int k = 0; k < LINES; k++)
                memcpy(text + k * LEN, line[i], LEN);
            /* All at once, as often as the pipe has no room for the first of it. */
            if (!done[i]) {
                enum sink_result r = sink_write(&s[i], text, LINES * LEN, false);

                done[i] = r == SINK_TAKEN || r == SINK_PARTLY;
            } else {
                sink_write(&s[i], "", 0, false);
            }
        }
        n = read(fd, in + got, 1000);
        if (n > 0)
            got += (size_t)n;
    }
    for (int i = 0; i < 2 * LINES; i++)
        assert_true(memcmp(in + i * LEN, line[0], LEN) == 0 || memcmp(in + i * LEN, line[1], LEN) == 0);
    free(in);
    free(text);
    close(fd);
    sink_close(&s[0]);
    sink_close(&s[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_appended_to, setup, teardown),
        cmocka_unit_test_setup_teardown(reopening_follows_a_rotated_file, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_reopen_keeps_the_old_file, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_directory_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pipe_without_a_reader_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_pipe_is_busy_and_loses_nothing_half_way, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_socket_is_busy_and_loses_nothing_half_way, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pipe_that_cannot_be_opened_again_is_asked_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_closed_stdout_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_of_two_writers_stay_whole, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
