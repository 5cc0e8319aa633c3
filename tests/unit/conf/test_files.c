#include "fixture.h"

#include "../../../src/conf/files.h"

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

static const struct conf_file *
noted(const struct conf_files *f, const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s%s", fixture_dir(), name);
    return conf_files_find(f, path);
}

static unsigned
changed(const struct conf_files *f)
{
    unsigned n = 0;

    for (const struct conf_file *file = conf_files_first(f); file; file = file->next)
        n += !conf_file_same(file);
    return n;
}

static void
test_what_is_noted(void **state)
{
    (void)state;
    fixture_file("main.conf",
                 "include d/*.conf;\ninclude none.conf;\nroute / { respond 200 \"${file:value} ${file:no}\"; }");
    fixture_file("d/a.conf", "listener l { bind 1.2.3.4:5; tls { certificate c.pem; } }");
    fixture_file("d/c.pem", "chain");
    fixture_file("value", "one\n");
    struct conf *c = load("main.conf");
    const struct weir_conf *tls = conf_find(conf_find(conf_root(c), "listener"), "tls");
    const struct weir_conf *line = conf_find(tls, "certificate");
    assert_true(slice_eq(conf_input(line, conf_arg(line, 0)), conf_path(line, conf_arg(line, 0))));
    struct conf_files *f = conf_files_hold(conf_files(c));
    conf_free(c); /* they are looked at when it has gone */

    assert_int_equal(noted(f, "main.conf")->kind, CONF_FILE_SOURCE);
    assert_int_equal(noted(f, "d/a.conf")->kind, CONF_FILE_SOURCE);
    assert_int_equal(noted(f, "d/*.conf")->kind, CONF_FILE_PATTERN);
    assert_int_equal(noted(f, "value")->kind, CONF_FILE_CONTENT);
    assert_int_equal(noted(f, "d/c.pem")->kind, CONF_FILE_CONTENT);
    assert_int_equal(noted(f, "none.conf")->digest, 0);
    assert_int_equal(noted(f, "no")->digest, 0);
    assert_null(noted(f, "c.pem"));
    assert_int_equal(changed(f), 0);

    fixture_file("value", "one\n"); /* the same again */
    assert_int_equal(changed(f), 0);
    fixture_file("value", "two\n");
    assert_int_equal(changed(f), 1);
    fixture_file("d/c.pem", "other");
    fixture_file("none.conf", "");
    assert_int_equal(changed(f), 3);
    fixture_file("d/b.conf", "");
    assert_int_equal(changed(f), 4);
    fixture_file("d/b.txt", "");
    fixture_file("main.conf", "");
    assert_int_equal(changed(f), 5);
    conf_files_put(f);
    fixture_clean();
}

/* Once, however often it is named. */
static void
test_one_note_a_file(void **state)
{
    unsigned n = 0;

    (void)state;
    fixture_file("main.conf",
                 "route /a { respond 200 \"${file:value}\"; }\nroute /b { respond 200 \"${file:value}\"; }");
    fixture_file("value", "one\n");
    struct conf *c = load("main.conf");
    for (const struct conf_file *file = conf_files_first(conf_files(c)); file; file = file->next)
        n++;
    assert_int_equal(n, 2);
    conf_free(c);
    fixture_clean();
}

/* What may not be read is judged by what is seen from outside. */
static void
test_closed_files(void **state)
{
    char path[256], again[256];

    (void)state;
    fixture_file("main.conf", "route / { respond 200 \"${file:value}\"; }");
    fixture_file("value", "one\n");
    snprintf(path, sizeof(path), "%svalue", fixture_dir());
    snprintf(again, sizeof(again), "%sagain", fixture_dir());
    struct conf *c = load("main.conf");
    const struct conf_file *f = noted(conf_files(c), "value");
    assert_int_equal(chmod(path, 0), 0);
    if (access(path, R_OK) == 0) { /* root reads everything */
        conf_free(c);
        fixture_clean();
        skip();
    }
    assert_true(conf_file_same(f));
    fixture_file("again", "one\n");
    assert_int_equal(chmod(again, 0), 0);
    assert_int_equal(rename(again, path), 0);
    assert_false(conf_file_same(f));
    conf_free(c);
    fixture_clean();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_noted),
        cmocka_unit_test(test_one_note_a_file),
        cmocka_unit_test(test_closed_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
