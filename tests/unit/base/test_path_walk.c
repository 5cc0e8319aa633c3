#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/path_walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];

static const char *
at(const char *name)
{
    static char room[4][256];
    static unsigned i;
    char *p = room[i++ % 4];

    snprintf(p, 256, "%s/%s", dir, name);
    return p;
}

static int
make(void **state)
{
    strcpy(dir, "/tmp/weir-walk-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(mkdir(at("a"), 0755), 0);
    assert_int_equal(mkdir(at("a/b"), 0755), 0);
    assert_int_equal(symlink("../a/./b/", at("a/link")), 0);
    assert_int_equal(symlink(at("a/link"), at("far")), 0);
    assert_int_equal(symlink("round", at("round")), 0);
    return 0;
}

static int
drop(void **state)
{
    unlink(at("round"));
    unlink(at("far"));
    unlink(at("a/link"));
    rmdir(at("a/b"));
    rmdir(at("a"));
    return rmdir(dir);
}

/* The steps below `dir`, as "a/ a/link@ a/b"; "?" behind what is missing, "!" where it was lost. */
static const char *
steps(const char *path)
{
    static char text[512];
    struct path_walk w;
    size_t n = 0, own = strlen(dir);

    text[0] = '\0';
    path_walk_begin(&w, path);
    while (path_walk_step(&w)) {
        if (strncmp(w.full, dir, own) != 0 || !w.full[own])
            continue;
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s", n ? " " : "", w.full + own + 1,
                              w.missing               ? "?"
                              : S_ISLNK(w.st.st_mode) ? "@"
                              : w.last                ? ""
                                                      : "/");
        assert_int_equal(strlen(w.dir) + 1 + strlen(w.name), strlen(w.full));
    }
    if (w.lost)
        strcat(text, "!");
    return text;
}

static void
goes_as_the_kernel_does(void **state)
{
    assert_string_equal(steps(at("a/b")), "a/ a/b");
    assert_string_equal(steps(at("a//./b/../b/")), "a/ a/b/ a/b");
    assert_string_equal(steps(at("a/link")), "a/ a/link@ a/ a/b");
    assert_string_equal(steps(at("far/../link")), "far@ a/ a/link@ a/ a/b/ a/link@ a/ a/b");
    assert_string_equal(steps("/../.."), "");
}

static void
ends_where_something_is_missing(void **state)
{
    struct path_walk w;

    assert_string_equal(steps(at("a/none/c")), "a/ a/none?");
    path_walk_begin(&w, at("a/none"));
    while (path_walk_step(&w) && !w.missing)
        ;
    assert_int_equal(w.missing, ENOENT);
    assert_true(w.last);
    assert_string_equal(w.dir, at("a"));
    assert_string_equal(w.name, "none");
    assert_false(path_walk_step(&w));
}

static void
knows_when_it_is_lost(void **state)
{
    char name[NAME_MAX + 3] = "/", path[PATH_MAX + 1];

    memset(name + 1, 'x', NAME_MAX + 1);
    memset(path, '/', PATH_MAX);
    path[PATH_MAX] = '\0';
    assert_string_equal(steps("a/b"), "!");
    assert_string_equal(steps(name), "!");
    assert_string_equal(steps(path), "!");
    assert_non_null(strstr(steps(at("round")), "round@!"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(goes_as_the_kernel_does, make, drop),
        cmocka_unit_test_setup_teardown(ends_where_something_is_missing, make, drop),
        cmocka_unit_test_setup_teardown(knows_when_it_is_lost, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
