#include "../../../src/store/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static struct arena arena;
static struct store_url u;

static int
setup(void **state)
{
    arena_init(&arena);
    return 0;
}

static int
teardown(void **state)
{
    arena_fini(&arena);
    return 0;
}

static void
good(const char *text)
{
    const char *wrong = store_url_parse(slice_str(text), &arena, &u);

    if (wrong)
        fail_msg("%s: %s", text, wrong);
}

static void
assert_slice(struct slice s, const char *text)
{
    assert_true(slice_eq(s, slice_str(text)));
}

static void
test_single(void **state)
{
    good("redis://redis.internal");
    assert_int_equal(u.kind, STORE_SINGLE);
    assert_false(u.tls);
    assert_int_equal(u.n_hosts, 1);
    assert_false(u.hosts[0].literal);
    assert_slice(u.hosts[0].name, "redis.internal");
    assert_int_equal(u.hosts[0].port, 6379);
    assert_int_equal(u.password.n, 0);
    assert_int_equal(u.db, 0);

    good("rediss://app:p%40ss%2F%3A%25@10.0.0.7:6380/12");
    assert_true(u.tls);
    assert_true(u.hosts[0].literal);
    assert_int_equal(addr_port(&u.hosts[0].addr), 6380);
    assert_slice(u.user, "app");
    assert_slice(u.password, "p@ss/:%");
    assert_int_equal(u.db, 12);

    good("redis://:only@[::1]:7000/");
    assert_slice(u.user, "");
    assert_slice(u.password, "only");
    assert_true(u.hosts[0].literal);
    assert_int_equal(addr_port(&u.hosts[0].addr), 7000);

    good("redis://:a@b@h/?db=3"); /* the last @ ends the user */
    assert_slice(u.password, "a@b");
    assert_int_equal(u.db, 3);
}

static void
test_unix(void **state)
{
    good("unix:///run/redis/redis.sock");
    assert_true(u.hosts[0].literal);
    assert_true(addr_is_unix(&u.hosts[0].addr));
    assert_string_equal(u.hosts[0].addr.path, "/run/redis/redis.sock");
    good("unix:/run/redis.sock");
    assert_string_equal(u.hosts[0].addr.path, "/run/redis.sock");
    good("unix://u:pw@/run/a%20b.sock?db=2");
    assert_string_equal(u.hosts[0].addr.path, "/run/a b.sock");
    assert_slice(u.user, "u");
    assert_slice(u.password, "pw");
    assert_int_equal(u.db, 2);
}

static void
test_several(void **state)
{
    good("redis+sentinel://:pw@a,b:1,[::1]:2/my%2Fmaster/4");
    assert_int_equal(u.kind, STORE_SENTINEL);
    assert_int_equal(u.n_hosts, 3);
    assert_int_equal(u.hosts[0].port, 26379);
    assert_int_equal(u.hosts[1].port, 1);
    assert_true(u.hosts[2].literal);
    assert_slice(u.master, "my/master");
    assert_int_equal(u.db, 4);
    good("rediss+cluster://a,b");
    assert_int_equal(u.kind, STORE_CLUSTER);
    assert_true(u.tls);
    assert_int_equal(u.hosts[1].port, 6379);
}

static void
test_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "redis",
        "redis:",
        "redis:/h",
        "http://h",
        "REDIS://h",
        "redis://",
        "redis:///1",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:x",
        "redis://a,b",
        "redis://h/x",
        "redis://h/-1",
        "redis://h/99999999999",
        "redis://h?x=1",
        "redis://h#1",
        "redis://user@h",
        "redis://u:@h",
        "redis://u:%4@h",
        "redis://u:%zz@h",
        "redis://u:%00@h",
        "redis://[::1",
        "redis://[::1]x",
        "redis://[name]",
        "redis://-h",
        "redis://h_ i",
        "redis://:a/b@h",
        "unix://",
        "unix://run/x",
        "unix:///%",
        "redis+sentinel://h",
        "redis+sentinel://h/",
        "redis+cluster://h/1",
        "redis+sentinel://a,,b/m",
        "redis+cluster://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
        "unix:///"
        "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        "01234567890",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *wrong = store_url_parse(slice_str(bad[i]), &arena, &u);

        if (!wrong)
            fail_msg("%s was taken", bad[i]);
    }
    assert_non_null(store_url_parse(slice_of("redis://a\0b", 11), &arena, &u));
}

static void
test_mask(void **state)
{
    static const char *const pairs[][2] = {
        { "redis://h:6379/1", "redis://h:6379/1" },
        { "redis://u:secret@h:6379/1", "redis://u:***@h:6379/1" },
        { "redis://:se/c@ret@h", "redis://:***@h" },
        { "unix://:pw@/run/x", "unix://:***@/run/x" },
        { "unix:/run/x", "unix:/run/x" },
        { "***", "***" },
        { "", "" },
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        assert_string_equal(store_url_mask(slice_str(pairs[i][0]), &arena), pairs[i][1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),  cmocka_unit_test(test_unix), cmocka_unit_test(test_several),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_mask),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
