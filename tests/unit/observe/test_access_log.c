#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/log.h"
#include "../../../src/observe/access_log.h"
#include "../../../src/stats/stats.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct loop *loop;
static char dir[32], path[64], moved[64];
static struct conf *conf;

static char junk[300000];

static int
group_setup(void **state)
{
    memset(junk, 'x', sizeof(junk));
    log_set_level(LOG_LVL_ERROR);
    signal(SIGPIPE, SIG_IGN);
    stats_init(2);
    loop = loop_new("test");
    return loop ? 0 : -1;
}

static int
group_teardown(void **state)
{
    loop_free(loop);
    stats_fini();
    return 0;
}

static int
setup(void **state)
{
    strcpy(dir, "/tmp/weir-log-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/access.log", dir);
    snprintf(moved, sizeof(moved), "%s/access.log.1", dir);
    return 0;
}

static int
teardown(void **state)
{
    unlink(path);
    unlink(moved);
    rmdir(dir);
    if (conf)
        conf_free(conf);
    conf = NULL;
    return 0;
}

static const struct weir_conf *
line_of(const char *text)
{
    char all[256];

    if (conf)
        conf_free(conf);
    conf = conf_new();
    conf_add_rows(conf, access_log_rows, "access_log", NULL);
    snprintf(all, sizeof(all), "access_log %s;", text);
    conf_parse_text(conf, "test.conf", slice_str(all));
    conf_check(conf);
    return conf_find(conf_root(conf), "access_log");
}

static struct access_log *
open_log(const char *text)
{
    bool off;
    struct access_log *l = access_log_open(line_of(text), &off);

    assert_int_equal(conf_errors(conf), 0);
    assert_non_null(l);
    assert_false(off);
    return l;
}

static void
write_line(struct access_log *l, const char *id, size_t path_len)
{
    struct access_record r = { .request_id = slice_str(id), .upstream_duration = -1 };

    r.path = slice_of(junk, path_len);
    access_log_write(l, &r);
}

static size_t
file_size(const char *name)
{
    struct stat st;

    return stat(name, &st) == 0 ? (size_t)st.st_size : 0;
}

static unsigned
count_lines(const char *name)
{
    FILE *f = fopen(name, "r");
    unsigned n = 0;
    int c;

    while (f && (c = getc(f)) != EOF)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

static void
stop(struct timer *t)
{
    loop_stop(t->loop);
}

static void
run_for(nsec_t time)
{
    struct timer t;

    timer_init(&t, loop, stop);
    timer_after(&t, time);
    loop_run(loop);
    timer_fini(&t);
}

/* Writes from inside the loop, as a worker does. */
static struct access_log *writing;
static unsigned lines;
static size_t path_len;

static void
write_lines(struct timer *t)
{
    char id[16];

    for (unsigned i = 0; i < lines; i++) {
        snprintf(id, sizeof(id), "%u", i);
        write_line(writing, id, path_len);
    }
}

static void
in_loop(struct access_log *l, unsigned n, size_t len, nsec_t then)
{
    struct timer t;

    writing = l;
    lines = n;
    path_len = len;
    timer_init(&t, loop, write_lines);
    timer_after(&t, 0);
    run_for(then);
    timer_fini(&t);
}

static uint64_t
dropped(void)
{
    return stats_counter_value(
        stats_series(stats_family("weir_access_log_dropped_total", STATS_COUNTER,
                                  "Access log lines dropped because their reader did not keep up.", NULL, 0, NULL, 0),
                     NULL));
}

static void
off_is_no_log(void **state)
{
    bool off = false;

    assert_null(access_log_open(line_of("off"), &off));
    assert_true(off);
    off = false;
    assert_null(access_log_open(NULL, &off));
    assert_true(off);
    assert_int_equal(conf_errors(conf), 0);
}

static void
what_cannot_be_opened_is_an_error_at_its_line(void **state)
{
    struct strbuf b;
    bool off = true;

    assert_null(access_log_open(line_of("/nonexistent/access.log"), &off));
    assert_false(off);
    strbuf_init(&b, 4096);
    conf_diagnostics(conf, &b);
    assert_non_null(strstr(b.p, "test.conf:1:12: error: cannot open /nonexistent/access.log: No such file"));
    strbuf_fini(&b);
}

static void
another_format_is_an_error(void **state)
{
    line_of("stdout format=text");
    assert_int_equal(conf_errors(conf), 1);
    line_of("stdout format=json");
    assert_int_equal(conf_errors(conf), 0);
}

static void
lines_wait_for_their_batch(void **state)
{
    struct access_log *l = open_log(path);

    in_loop(l, 3, 10, 20 * NSEC_PER_MSEC);
    assert_int_equal(file_size(path), 0);
    for (int i = 0; i < 100 && !file_size(path); i++)
        run_for(20 * NSEC_PER_MSEC);
    assert_int_equal(count_lines(path), 3);
    access_log_put(l);
}

static void
a_full_batch_does_not_wait(void **state)
{
    struct access_log *l = open_log(path);

    in_loop(l, 40, 1000, 0);
    assert_true(file_size(path) >= 32 << 10);
    access_log_flush_all();
    assert_int_equal(count_lines(path), 40);
    access_log_put(l);
}

static void
a_long_line_is_whole_a_huge_one_is_dropped(void **state)
{
    struct access_log *l = open_log(path);
    uint64_t before = dropped();

    write_line(l, "long", 80000);
    assert_int_equal(count_lines(path), 1);
    assert_true(file_size(path) > 80000);
    write_line(l, "huge", 200000);
    assert_int_equal(count_lines(path), 1);
    assert_int_equal(dropped(), before + 1);
    access_log_put(l);
}

static void
one_destination_is_one_log(void **state)
{
    struct access_log *a = open_log(path), *b = open_log(path);

    assert_ptr_equal(a, b); /* the next generation's */
    access_log_put(a);
    write_line(b, "1", 10);
    assert_int_equal(count_lines(path), 1);
    access_log_put(b);
}

static void
waiting_lines_outlive_the_last_reference(void **state)
{
    struct access_log *l = open_log(path);

    in_loop(l, 2, 10, 0);
    access_log_put(l); /* its generation is gone */
    access_log_flush_all();
    assert_int_equal(count_lines(path), 2);
}

static void
reopen_follows_rotation(void **state)
{
    struct access_log *l = open_log(path);

    write_line(l, "1", 10);
    assert_int_equal(rename(path, moved), 0);
    write_line(l, "2", 10);
    access_log_reopen();
    write_line(l, "3", 10);
    assert_int_equal(count_lines(moved), 2);
    assert_int_equal(count_lines(path), 1);
    access_log_put(l);
}

static void
a_reload_follows_rotation_too(void **state)
{
    struct access_log *l = open_log(path), *again;

    write_line(l, "1", 10);
    assert_int_equal(rename(path, moved), 0);
    again = open_log(path);
    write_line(again, "2", 10);
    assert_int_equal(count_lines(path), 1);
    access_log_put(l);
    access_log_put(again);
}

/* A pipe nobody reads: lines are dropped and counted, whole ones; nobody waits. */
static void
a_slow_reader_costs_lines_not_time(void **state)
{
    uint64_t before = dropped();
    struct access_log *l;
    unsigned got = 0;
    char text[65536];
    ssize_t n;
    int from;

    assert_int_equal(mkfifo(path, 0600), 0);
    from = open(path, O_RDONLY | O_NONBLOCK);
    l = open_log(path);
    in_loop(l, 4000, 500, 10 * NSEC_PER_MSEC);
    assert_true(dropped() > before);
    for (int idle = 0; idle < 100;) { /* what was kept comes once there is room: within the flush interval of 100 ms */
        n = read(from, text, sizeof(text));
        if (n <= 0) {
            idle++;
            run_for(5 * NSEC_PER_MSEC);
            continue;
        }
        idle = 0;
        for (ssize_t i = 0; i < n; i++)
            got += text[i] == '\n';
    }
    assert_true(got > 500);
    assert_int_equal(got + dropped() - before, 4000);
    close(from);
    access_log_flush_all();
    access_log_put(l);
}

static void
a_reader_that_went_away_is_counted(void **state)
{
    uint64_t before = dropped();
    struct access_log *l;
    int from;

    assert_int_equal(mkfifo(path, 0600), 0);
    from = open(path, O_RDONLY | O_NONBLOCK);
    l = open_log(path);
    close(from);
    write_line(l, "1", 10);
    assert_int_equal(dropped(), before + 1);
    access_log_put(l);
}

/* ---- several workers, one file ---- */

static void
on_stop(struct worker *w)
{
    access_log_flush_all();
}

static void
write_many(void *arg)
{
    char id[32];

    for (int i = 0; i < 3000; i++) {
        snprintf(id, sizeof(id), "w%u-%d", worker_self_id(), i);
        write_line(arg, id, 100);
    }
}

static void
lines_of_workers_do_not_mix(void **state)
{
    struct access_log *l = open_log(path);
    unsigned next[3] = { 0 };
    char text[1024];
    FILE *f;

    assert_int_equal(workers_init(2), 0);
    assert_int_equal(workers_start(NULL, on_stop), 0);
    worker_post(1, write_many, l);
    worker_post(2, write_many, l);
    workers_stop();
    workers_fini();
    access_log_put(l);
    f = fopen(path, "r");
    while (fgets(text, sizeof(text), f)) {
        unsigned w, i;
        const char *id = strstr(text, "\"request_id\":\"w");

        assert_non_null(id);
        assert_string_equal(text + strlen(text) - 2, "}\n");
        assert_int_equal(sscanf(id, "\"request_id\":\"w%u-%u\"", &w, &i), 2);
        assert_int_equal(i, next[w]++);
    }
    fclose(f);
    assert_int_equal(next[1], 3000);
    assert_int_equal(next[2], 3000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(off_is_no_log),
        T(what_cannot_be_opened_is_an_error_at_its_line),
        T(another_format_is_an_error),
        T(lines_wait_for_their_batch),
        T(a_full_batch_does_not_wait),
        T(a_long_line_is_whole_a_huge_one_is_dropped),
        T(one_destination_is_one_log),
        T(waiting_lines_outlive_the_last_reference),
        T(reopen_follows_rotation),
        T(a_reload_follows_rotation_too),
        T(a_slow_reader_costs_lines_not_time),
        T(a_reader_that_went_away_is_counted),
        T(lines_of_workers_do_not_mix),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
