#include "fixture.h"
#include "old.h"

#include "../../../src/policy/module.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct slice dirs[] = { { "/nonexistent", 12 }, { TEST_MODULES, sizeof(TEST_MODULES) - 1 } };

static const struct module *
load(const char *name, struct err *e)
{
    err_clear(e);
    return module_load(name, dirs, 2, e);
}

static void
a_module_is_loaded_once(void **state)
{
    struct err e;
    const struct module *m = load("probe", &e);
    unsigned n = modules_count();

    if (!m)
        fail_msg("%s", e.text);
    assert_string_equal(m->def->name, "probe");
    assert_string_equal(m->path, TEST_MODULES "/probe.so");
    assert_ptr_equal(load("probe", &e), m);
    assert_int_equal(modules_count(), n);
    assert_ptr_equal(module_of_row(&m->def->directives[1]), m);
    assert_null(module_of_row(&policy_rows[0]));
}

static void
a_module_that_does_not_fit_says_what_to_do(void **state)
{
    static const struct {
        const char *name, *says[3];
    } rows[] = {
        { "nosuch", { "no module `nosuch`", "nosuch.so", "modules DIR" } },
        { "bad_major", { "ABI 2", "this weir has ABI 1", "rebuild it" } },
        { "bad_minor", { "needs module ABI 1.", "upgrade weir", "rebuild" } },
        { "bad_size", { "16 bytes", "rebuild it", "WEIR_MODULE_ABI" } },
        { "bad_symbol", { "does not export `weir_module`", "bad_symbol.so", "WEIR_MODULE" } },
        { "bad_name", { "holds module `other`", "rename the file", "use other" } },
        { "bad_reason", { "reason `no_route`", "another meaning", "bad_reason" } },
        { "bad_variable", { "provides a variable that exists already", "bad_variable", "only one" } },
        { "bad_load", { "did not start", "it is Sunday", "bad_load" } },
    };
    unsigned before = modules_count();

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e;

        assert_null(load(rows[i].name, &e));
        for (int j = 0; j < 3; j++)
            assert_has(e.text, rows[i].says[j]);
    }
    assert_int_equal(modules_count(), before);
}

static void
a_file_that_is_no_library_is_refused(void **state)
{
    char dir[] = "/tmp/weir-module-XXXXXX", path[64];
    struct slice d;
    struct err e;
    int fd;

    assert_non_null(mkdtemp(dir));
    d = slice_str(dir);
    snprintf(path, sizeof(path), "%s/text.so", dir);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "hello", 5), 5);
    close(fd);
    assert_null(module_load("text", &d, 1, &e));
    assert_has(e.text, "cannot be loaded");
    assert_has(e.text, path);
    unlink(path);
    mkdir(path, 0700);
    assert_null(module_load("text", &d, 1, &e));
    assert_has(e.text, "is not a module");
    rmdir(path);
    rmdir(dir);
}

static void
copy(const char *from, const char *to)
{
    char command[512];

    snprintf(command, sizeof(command), "cp %s %s", from, to);
    assert_int_equal(system(command), 0);
}

/* What runs is a private copy: overwriting the file does not reach it. */
static void
the_file_may_change_under_a_loaded_module(void **state)
{
    char dir[] = "/tmp/weir-module-XXXXXX", path[64];
    const struct module *m;
    struct slice d;
    struct err e;
    int fd;

    assert_non_null(mkdtemp(dir));
    d = slice_str(dir);
    snprintf(path, sizeof(path), "%s/good.so", dir);
    copy(TEST_MODULES "/good.so", path);
    m = module_load("good", &d, 1, &e);
    if (!m)
        fail_msg("%s", e.text);
    assert_false(module_replaced(m, &d, 1));
    fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "gone", 4), 4);
    close(fd);
    assert_int_equal(m->def->configure(NULL, NULL, NULL), 0); /* its code is still there */
    assert_true(module_replaced(m, &d, 1));
    unlink(path);
    rmdir(dir);
}

static void
use_adds_the_rows(void **state)
{
    struct fixture *f = *state;

    fixture_load(f, "route /r { probe_a { } }");
    assert_non_null(fixture_chain(f, "route", "/r"));
}

static void
use_reports_each_module_at_its_name(void **state)
{
    struct fixture *f = *state;
    const char *errors;

    assert_false(fixture_parse(f, "use bad_major\n nosuch ../probe;\n"));
    errors = fixture_errors(f);
    assert_has(errors, "test.conf:2:5: error: module `bad_major` was built for module ABI 2");
    assert_has(errors, "test.conf:3:2: error: no module `nosuch`");
    assert_has(errors, "test.conf:3:9: error: `../probe` is not the name of a module");
}

static void
a_replaced_file_is_a_warning(void **state)
{
    struct fixture *f = *state;
    char dir[] = "/tmp/weir-module-XXXXXX", path[64], text[128];

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/probe.so", dir);
    copy(TEST_MODULES "/probe.so", path);
    snprintf(text, sizeof(text), "modules %s; use probe;", dir);
    assert_true(fixture_parse_only(f, text));
    unlink(path);
    rmdir(dir);
    assert_has(fixture_errors(f), "warning: the file of module `probe` is another one now");
}

static void
clashing_directives_are_refused(void **state)
{
    struct fixture *f = *state;

    assert_false(fixture_parse(f, "use bad_directive;"));
    assert_has(fixture_errors(f), "declares the directive `probe_a`, which exists already");
}

static void
naming_a_module_twice_is_harmless(void **state)
{
    struct fixture *f = *state;

    fixture_load(f, "use probe;");
    assert_has(fixture_errors(f), "warning: module `probe` is named twice");
}

/* Structs have grown since; what it knows of them is where it was. */
static void
a_module_of_the_first_version_works(void **state)
{
    struct weir_outcome o = { .size = sizeof(o), .status = 503, .duration_ns = 7, .delivered = 1 };
    struct fixture *f = *state;
    const struct weir_policy *p;
    const struct old_seen *seen;
    struct chain *c;

    fixture_load(f, "use old; route /r { old { } }");
    c = fixture_chain(f, "route", "/r");
    p = chain_get(c, 0);
    seen = policy_config(p);
    assert_int_equal(policy_module(p)->abi_minor, 0);
    chain_begin(&f->x, c);
    assert_int_equal(chain_request(&f->x), CHAIN_PASS);
    assert_int_equal(chain_attempt(&f->x, NULL), CHAIN_PASS);
    chain_outcome(&f->x, NULL, &o);
    assert_int_equal(seen->requests, 1);
    assert_int_equal(seen->outcomes, 1);
    assert_int_equal(seen->status, 503);
    assert_int_equal(seen->duration_ns, 7);
    assert_row(f, 0, "policy old pass seen enforce");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_module_is_loaded_once),
        cmocka_unit_test(a_module_that_does_not_fit_says_what_to_do),
        cmocka_unit_test(a_file_that_is_no_library_is_refused),
        cmocka_unit_test(the_file_may_change_under_a_loaded_module),
        T(use_adds_the_rows),
        T(use_reports_each_module_at_its_name),
        T(a_replaced_file_is_a_warning),
        T(clashing_directives_are_refused),
        T(a_module_of_the_first_version_works),
        T(naming_a_module_twice_is_harmless),
    };

    return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
