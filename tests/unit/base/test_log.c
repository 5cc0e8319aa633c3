#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/clock.h"
#include "../../../src/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fd = -1;
static char text[1 << 20];

/* What was logged since the last call. */
static const char *
logged(void)
{
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    assert_true(n >= 0);
    text[n] = '\0';
    assert_int_equal(ftruncate(fd, 0), 0);
    return text;
}

static int
setup(void **state)
{
    FILE *f = tmpfile();

    fd = dup(fileno(f));
    fclose(f);
    fcntl(fd, F_SETFL, O_APPEND);
    log_set_fd(fd);
    log_set_level(LOG_LVL_NOTICE);
    return 0;
}

static int
teardown(void **state)
{
    log_set_fd(2);
    close(fd);
    return 0;
}

static void
a_line_has_time_level_subject_and_text(void **state)
{
    const char *line;

    log_warning("conn 17", "text %d", 5);
    line = logged();
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[23], 'Z');
    assert_string_equal(line + 24, " warning [conn 17] text 5\n");
    log_error(NULL, "no subject");
    assert_string_equal(logged() + 24, " error no subject\n");
}

static void
lower_levels_are_silent(void **state)
{
    log_info(NULL, "x");
    log_debug(NULL, "x");
    log_write(NULL, LOG_LVL_INFO, NULL, "x");
    assert_string_equal(logged(), "");
    log_set_level(LOG_LVL_DEBUG);
    log_debug(NULL, "x");
    assert_string_equal(logged() + 24, " debug x\n");
    log_set_level(LOG_LVL_NOTICE);
}

static void
what_is_no_text_is_escaped(void **state)
{
    log_notice("a\nb", "x\r\n2026 error forged\x1b[0m \xc3\xbc \xff \xc2\x9b");
    assert_string_equal(logged() + 24,
                        " notice [a\\nb] x\\x0d\\n2026 error forged\\x1b[0m \xc3\xbc \\xff \\xc2\\x9b\n");
}

static void
long_lines_are_cut(void **state)
{
    const char *line;
    char subject[3000];

    log_error(NULL, "%5000s", "x");
    line = logged();
    assert_true(strlen(line) <= 2048);
    assert_true(strlen(line) > 2000);
    assert_string_equal(line + strlen(line) - 4, "...\n");
    memset(subject, '\x01', sizeof(subject) - 1);
    subject[sizeof(subject) - 1] = '\0';
    log_error(subject, "%s", subject);
    line = logged();
    assert_true(strlen(line) <= 2048);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

static unsigned
count_lines(const char *s)
{
    unsigned n = 0;

    for (; *s; s++)
        n += *s == '\n';
    return n;
}

static void
wait_for_a_new_second(void)
{
    nsec_t second = clock_precise() / NSEC_PER_SEC;

    while (clock_precise() / NSEC_PER_SEC == second)
        usleep(1000);
}

static void
a_site_is_limited_and_owns_up(void **state)
{
    static struct log_site site;
    int i;

    wait_for_a_new_second(); /* so that one second holds all of it */
    for (i = 0; i < 50; i++)
        log_write(&site, LOG_LVL_ERROR, NULL, "again");
    assert_int_equal(count_lines(logged()), 20);
    log_error(NULL, "another site is free to speak");
    assert_int_equal(count_lines(logged()), 1);
    wait_for_a_new_second();
    log_write(&site, LOG_LVL_ERROR, NULL, "again");
    assert_string_equal(logged() + 24, " error again (30 more like this were kept back)\n");
    log_write(&site, LOG_LVL_ERROR, NULL, "again");
    assert_string_equal(logged() + 24, " error again\n");
}

static void
without_a_site_there_is_no_limit(void **state)
{
    int i;

    for (i = 0; i < 100; i++)
        log_write(NULL, LOG_LVL_ERROR, NULL, "x");
    assert_int_equal(count_lines(logged()), 100);
}

static void
errno_is_kept_and_may_be_shown(void **state)
{
    errno = ENOENT;
    log_error(NULL, "%m");
    assert_int_equal(errno, ENOENT);
    assert_string_equal(logged() + 24, " error No such file or directory\n");
}

static void *
chatter(void *arg)
{
    int i;

    for (i = 0; i < 200; i++)
        log_write(NULL, LOG_LVL_ERROR, "thread", "%s", "0123456789012345678901234567890123456789");
    return NULL;
}

static void
lines_of_threads_do_not_mix(void **state)
{
    const char *line;
    pthread_t t[4];
    int i;

    for (i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, chatter, NULL);
    for (i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    line = logged();
    assert_int_equal(count_lines(line), 800);
    for (i = 0; i < 800; i++) {
        static const char want[] = " error [thread] 0123456789012345678901234567890123456789\n";

        assert_memory_equal(line + 24, want, sizeof(want) - 1);
        line += 24 + sizeof(want) - 1;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_subject_and_text),
        cmocka_unit_test(lower_levels_are_silent),
        cmocka_unit_test(what_is_no_text_is_escaped),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(a_site_is_limited_and_owns_up),
        cmocka_unit_test(without_a_site_there_is_no_limit),
        cmocka_unit_test(errno_is_kept_and_may_be_shown),
        cmocka_unit_test(lines_of_threads_do_not_mix),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
