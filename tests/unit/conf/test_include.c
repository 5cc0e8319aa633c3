#include "fixture.h"

#include <sys/stat.h>

static struct conf *
load(const char *name)
{
    struct conf *c = fixture_new();
    char path[256];

    snprintf(path, sizeof(path), "%s%s", fixture_dir(), name);
    conf_parse_file(c, path);
    conf_check(c);
    return c;
}

/* What is told, without the directory's name. */
static char *
told_of(const char *name)
{
    char *told = fixture_told(load(name)), *at;
    size_t n = strlen(fixture_dir());

    while ((at = strstr(told, fixture_dir())))
        memmove(at, at + n, strlen(at + n) + 1);
    return told;
}

static void
assert_file_told(const char *name, const char *diagnostics)
{
    char *told = told_of(name);

    assert_string_equal(told, diagnostics);
    free(told);
}

static int
clean(void **state)
{
    (void)state;
    fixture_clean();
    return 0;
}

static void
test_lines_are_spliced_in_order(void **state)
{
    struct conf *c;
    const struct weir_conf *line;
    char at[256];

    (void)state;
    fixture_file("g.conf", "workers 2;\ninclude conf.d/*.conf;\nuse last;\n");
    fixture_file("conf.d/b.conf", "use b;\n");
    fixture_file("conf.d/a.conf", "\nuse a;\ninclude ../sub.conf;\n");
    fixture_file("conf.d/other.txt", "bogus;\n");
    fixture_file("sub.conf", "use sub;");
    c = load("g.conf");
    assert_int_equal(conf_errors(c), 0);
    line = conf_find(conf_root(c), "use");
    assert_string_equal(conf_arg(line, 0).p, "a");
    snprintf(at, sizeof(at), "%sconf.d/a.conf:2", fixture_dir());
    assert_string_equal(conf_at(line), at);
    line = conf_next(line);
    assert_string_equal(conf_arg(line, 0).p, "sub");
    snprintf(at, sizeof(at), "%sconf.d/../sub.conf:1", fixture_dir());
    assert_string_equal(conf_at(line), at);
    line = conf_next(line);
    assert_string_equal(conf_arg(line, 0).p, "b");
    line = conf_next(line);
    assert_string_equal(conf_arg(line, 0).p, "last");
    assert_null(conf_next(line));
    conf_free(c);
}

static void
test_inside_of_a_block(void **state)
{
    struct conf *c;

    (void)state;
    fixture_file("g.conf", "host a { route / { include r.conf; } }");
    fixture_file("r.conf", "proxy a;\n}\nrate_limit { rate 1/s; }");
    c = load("g.conf");
    assert_int_equal(conf_errors(c), 1); /* the stray one does not close the block outside */
    assert_non_null(conf_find(conf_first(conf_first(conf_root(c))), "rate_limit"));
    conf_free(c);
}

static void
test_names_are_shown_as_given(void **state)
{
    char cwd[4096];
    struct conf *c = fixture_new();
    char *told;

    (void)state;
    fixture_file("g.conf", "include conf.d/x.conf; bogus1;");
    fixture_file("conf.d/x.conf", "bogus2;");
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    assert_int_equal(chdir(fixture_dir()), 0);
    conf_parse_file(c, "g.conf");
    conf_check(c);
    assert_string_equal(conf_path(conf_find(conf_root(c), "bogus2"), SLICE("k.pem")).p +
                            strlen(fixture_dir()), "conf.d/k.pem");
    assert_string_equal(conf_path(conf_find(conf_root(c), "bogus1"), SLICE("file:k.pem")).p + strlen(fixture_dir()),
                        "k.pem");
    assert_string_equal(conf_path(conf_root(c), SLICE("/k.pem")).p, "/k.pem");
    assert_int_equal(chdir(cwd), 0);
    told = fixture_told(c);
    assert_non_null(strstr(told, "g.conf:1:24: error:"));
    assert_non_null(strstr(told, "\nconf.d/x.conf:1:1: error:"));
    free(told);
}

static void
test_missing_files(void **state)
{
    (void)state;
    fixture_file("g.conf", "include none.conf;\ninclude none/*.conf;\ninclude;\ninclude a b;\ninclude d { x; "
                           "}\ninclude ${client.ip};\nworkers 1;");
    assert_file_told("g.conf", "g.conf:1:9: error: cannot include `none.conf`: No such file or directory\n"
                               "include none.conf;\n"
                               "        ^\n"
                               "g.conf:3:1: error: `include` takes one file or pattern\n"
                               "include;\n"
                               "^\n"
                               "  include conf.d/*.conf;\n"
                               "g.conf:4:11: error: `include` takes one file or pattern\n"
                               "include a b;\n"
                               "          ^\n"
                               "  include conf.d/*.conf;\n"
                               "g.conf:5:11: error: `include` takes no block\n"
                               "include d { x; }\n"
                               "          ^\n"
                               "  end it with `;`\n"
                               "g.conf:6:9: error: run-time variables cannot stand in the name of a file to include\n"
                               "include ${client.ip};\n"
                               "        ^\n");
    assert_file_told("nowhere.conf", "nowhere.conf: error: cannot read the configuration: No such file or directory\n");
    assert_file_told("", ": error: cannot read the configuration: Is a directory\n");
}

static void
test_cycles(void **state)
{
    (void)state;
    fixture_file("g.conf", "include a.conf;");
    fixture_file("a.conf", "workers 1;\ninclude g.conf;");
    assert_file_told("g.conf", "a.conf:2:9: error: `g.conf` includes itself\n"
                               "include g.conf;\n"
                               "        ^\n"
                               "  it is open already, as g.conf\n");
}

static void
test_depth_has_a_cap(void **state)
{
    char name[32], text[64], *told;

    (void)state;
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "%d.conf", i);
        snprintf(text, sizeof(text), "use u%d; include %d.conf;", i, i + 1);
        fixture_file(name, text);
    }
    fixture_file("20.conf", "");
    told = told_of("0.conf");
    assert_non_null(strstr(told, "15.conf:1:18: error: files include each other more than 16 deep"));
    free(told);
}

static void
test_the_number_of_files_has_a_cap(void **state)
{
    struct strbuf b;
    char *told;

    (void)state;
    strbuf_init(&b, 1 << 16);
    for (int i = 0; i < 300; i++)
        strbuf_adds(&b, "include e.conf;\n");
    fixture_file("g.conf", b.p);
    fixture_file("e.conf", "");
    told = told_of("g.conf");
    assert_memory_equal(told, "g.conf:256:9: error: more than 256 files are included\n", 54);
    free(told);
    strbuf_fini(&b);
}

static void
test_patterns_count_in_names_only(void **state)
{
    struct conf *c;

    (void)state;
    fixture_file("d[x]*/g.conf", "include *.inc;");
    fixture_file("d[x]*/a.inc", "use a;");
    fixture_file("dx/b.inc", "use b;");
    c = load("d[x]*/g.conf");
    assert_int_equal(conf_errors(c), 0);
    assert_string_equal(conf_arg(conf_find(conf_root(c), "use"), 0).p, "a");
    assert_null(conf_next(conf_find(conf_root(c), "use")));
    conf_free(c);
}

static void
test_what_is_no_file_is_not_waited_for(void **state)
{
    char path[256];

    (void)state;
    fixture_file("g.conf", "include fifo;\nroute / { respond 200 ${file:fifo}; }");
    snprintf(path, sizeof(path), "%sfifo", fixture_dir());
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_file_told("g.conf", "g.conf:1:9: error: cannot include `fifo`: it is not a regular file\n"
                               "include fifo;\n"
                               "        ^\n"
                               "g.conf:2:23: error: cannot take the file `fifo`: it is not a regular file\n"
                               "route / { respond 200 ${file:fifo}; }\n"
                               "                      ^\n");
}

static void
test_large_files_are_refused(void **state)
{
    char path[256], *told;

    (void)state;
    fixture_file("g.conf", "include large.conf;\n");
    fixture_file("large.conf", "#");
    snprintf(path, sizeof(path), "%slarge.conf", fixture_dir());
    assert_int_equal(truncate(path, (16 << 20) + 1), 0);
    told = told_of("g.conf");
    assert_non_null(strstr(told, "cannot include `large.conf`: it is larger than 16 MiB"));
    free(told);
    told = told_of("large.conf");
    assert_string_equal(told, "large.conf: error: cannot read the configuration: it is larger than 16 MiB\n");
    free(told);
}

static void
test_errors_come_file_by_file(void **state)
{
    char *told, *at = NULL;
    static const char *const order[] = { "g.conf:1:", "g.conf:3:", "a.conf:2:", "b.conf:1:" };

    (void)state;
    fixture_file("g.conf", "bogus;\ninclude a.conf; include b.conf;\nbogus;\n");
    fixture_file("a.conf", "\nbogus;");
    fixture_file("b.conf", "bogus;");
    told = told_of("g.conf");
    for (unsigned i = 0; i < 4; i++) {
        char *next = strstr(told, order[i]);

        assert_non_null(next);
        assert_true(next > at || !at);
        at = next;
    }
    free(told);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_lines_are_spliced_in_order, clean),
        cmocka_unit_test_teardown(test_inside_of_a_block, clean),
        cmocka_unit_test_teardown(test_names_are_shown_as_given, clean),
        cmocka_unit_test_teardown(test_missing_files, clean),
        cmocka_unit_test_teardown(test_cycles, clean),
        cmocka_unit_test_teardown(test_depth_has_a_cap, clean),
        cmocka_unit_test_teardown(test_the_number_of_files_has_a_cap, clean),
        cmocka_unit_test_teardown(test_patterns_count_in_names_only, clean),
        cmocka_unit_test_teardown(test_what_is_no_file_is_not_waited_for, clean),
        cmocka_unit_test_teardown(test_large_files_are_refused, clean),
        cmocka_unit_test_teardown(test_errors_come_file_by_file, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
