/* Loading: the tables of all directories together, and what a generation is refused for. */
#include "../proxy/rig.h"

#include "../../../src/base/log.h"
#include "../../../src/daemon/daemon_conf.h"
#include "../../../src/daemon/load.h"
#include "../../../src/event/worker.h"
#include "../../../src/proxy/metrics.h"
#include "../../../src/stats/stats.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void
written(const char *text)
{
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

/* What is said about the file; NULL: it is good. */
static const char *
wrong(const char *text)
{
    static struct strbuf said;
    written(text);
    strbuf_fini(&said);
    strbuf_init(&said, 1 << 20);
    struct generation *g = load_generation(load_conf(path), 1, &said);
    if (!g)
        return said.p;
    generation_free(g);
    return NULL;
}

static void
a_good_file_becomes_a_generation(void **state)
{
    (void)state;
    assert_null(wrong("workers 3;\nlog_level error;\naccess_log off;\nlistener l { bind 127.0.0.1:0; }\n"
                      "upstream u { endpoint 127.0.0.1:1; }\nroute / { proxy u; }\n"));
}

static void
everything_wrong_is_said_in_one_run(void **state)
{
    (void)state;
    const char *said = wrong("wrkers 1;\nuse nosuchmodule;\nlistener l { bind here; }\nroute / { proxy }\n");
    assert_non_null(said);
    has(said, ":1:1: error: unknown directive `wrkers`");
    has(said, "did you mean `workers`?");
    has(said, ":2:5: error: no module `nosuchmodule`");
    has(said, ":3:");
    has(said, ":4:");
}

static void
a_failing_test_refuses_the_file(void **state)
{
    (void)state;
    const char *said = wrong("route / { respond 200; }\ntest t { request GET /; expect status 404; }\n");
    assert_non_null(said);
    has(said, "expected status `404`, got `200`");
}

static void
a_policy_without_its_module_says_so(void **state)
{
    (void)state;
    has(wrong("route / { jwt { audience any; } respond 200; }\n"), "use jwt");
}

static void
what_cannot_be_written_or_read_is_named(void **state)
{
    (void)state;
    has(wrong("listener l { bind 127.0.0.1:0; tls { certificate /none.crt; key /none.key; } }\n"), "/none.crt");
    has(wrong("include /nonexistent.conf;\n"), "/nonexistent.conf");
    struct strbuf said;
    strbuf_init(&said, 1 << 16);
    assert_null(load_generation(load_conf("/nonexistent/gateway.conf"), 1, &said));
    has(said.p, "/nonexistent/gateway.conf");
    strbuf_fini(&said);
}

/* The access log is opened with the sockets, when the generation is about to serve, and not by a check of the file. */
static void
an_access_log_that_cannot_be_opened_is_named(void **state)
{
    struct strbuf said;
    (void)state;
    strbuf_init(&said, 1 << 16);
    written("access_log /nonexistent/dir/access.log;\nroute / { respond 200; }\n");
    struct generation *g = load_generation(load_conf(path), 1, &said);
    assert_non_null(g);
    assert_int_equal(generation_open(g), -1);
    conf_diagnostics(g->conf, &said);
    has(said.p, "/nonexistent/dir/access.log");
    strbuf_fini(&said);
    generation_free(g);
}

static void
workers_are_counted(void **state)
{
    cpu_set_t set;
    struct conf *c;
    (void)state;
    written("workers 7;\n");
    c = load_conf(path);
    assert_int_equal(daemon_conf_workers(c), 7);
    conf_free(c);
    written("");
    c = load_conf(path);
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    assert_int_equal(daemon_conf_workers(c), CPU_COUNT(&set));
    conf_free(c);
    has(wrong("workers 0;\n"), "`auto` or a number from 1 to 255");
    has(wrong("workers 256;\n"), "`auto` or a number from 1 to 255");
}

static int
setup(void **state)
{
    (void)state;
    log_set_level(LOG_LVL_ERROR);
    snprintf(path, sizeof path, "/tmp/weir-test-load.XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0 || workers_init(1) != 0 || stats_init(1) != 0)
        return -1;
    close(fd);
    metrics_init();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    unlink(path);
    workers_fini();
    stats_fini();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_file_becomes_a_generation),
        cmocka_unit_test(everything_wrong_is_said_in_one_run),
        cmocka_unit_test(a_failing_test_refuses_the_file),
        cmocka_unit_test(a_policy_without_its_module_says_so),
        cmocka_unit_test(what_cannot_be_written_or_read_is_named),
        cmocka_unit_test(an_access_log_that_cannot_be_opened_is_named),
        cmocka_unit_test(workers_are_counted),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
