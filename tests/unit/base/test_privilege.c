#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/privilege.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOMEBODY 65534

static char dir[64], path[128];

/* Only root's things are trusted, so that nothing can be shown without them. */
static int
make_dir(void **state)
{
    if (geteuid() != 0)
        return 0;
    strcpy(dir, "/tmp/weir-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/file", dir);
    return 0;
}

static int
remove_dir(void **state)
{
    if (geteuid() != 0)
        return 0;
    unlink(path);
    return rmdir(dir);
}

static void
only_as_root(void)
{
    if (geteuid() != 0)
        skip();
}

static void
make_file(uid_t owner, mode_t mode)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fclose(f);
    assert_int_equal(chown(path, owner, 0), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void
trusts_what_root_alone_writes(void **state)
{
    only_as_root();
    assert_int_equal(chmod(dir, 0755), 0);
    assert_true(privilege_trusts(path)); /* root is who will make it */
    make_file(0, 0640);
    assert_true(privilege_trusts(path));
}

static void
trusts_nothing_of_others(void **state)
{
    only_as_root();
    assert_int_equal(chmod(dir, 0755), 0);
    make_file(SOMEBODY, 0600);
    assert_false(privilege_trusts(path));
    make_file(0, 0602);
    assert_false(privilege_trusts(path));
    make_file(0, 0600);
    assert_int_equal(chmod(dir, 0757), 0);
    assert_false(privilege_trusts(path));
}

/* `user` may be in it, and the bits may be the mask of an access control list. */
static void
trusts_no_group_even_of_root(void **state)
{
    only_as_root();
    assert_int_equal(chmod(dir, 0755), 0);
    make_file(0, 0660);
    assert_false(privilege_trusts(path));
    make_file(0, 0600);
    assert_int_equal(chmod(dir, 0775), 0);
    assert_false(privilege_trusts(path));
}

/* What is there stays; what is missing may be anybody's a moment later, a link for example. */
static void
trusts_a_sticky_directory_for_what_is_there(void **state)
{
    only_as_root();
    assert_int_equal(chmod(dir, 01777), 0);
    assert_false(privilege_trusts(path));
    make_file(0, 0600);
    assert_true(privilege_trusts(path));
}

static void
trusts_a_link_as_far_as_where_it_leads(void **state)
{
    char to[128];

    only_as_root();
    assert_int_equal(chmod(dir, 01777), 0);
    snprintf(to, sizeof(to), "%s/missing", dir);
    assert_int_equal(symlink(to, path), 0);
    assert_false(privilege_trusts(path));
    assert_int_equal(chmod(dir, 0755), 0);
    assert_true(privilege_trusts(path));
    assert_int_equal(lchown(path, SOMEBODY, SOMEBODY), 0);
    assert_false(privilege_trusts(path));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(trusts_what_root_alone_writes, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(trusts_nothing_of_others, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(trusts_no_group_even_of_root, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(trusts_a_sticky_directory_for_what_is_there, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(trusts_a_link_as_far_as_where_it_leads, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
