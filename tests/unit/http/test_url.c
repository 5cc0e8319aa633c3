#include "http_test.h"

static void
test_urls(void **state)
{
    static const struct {
        const char *text;
        bool tls;
        const char *host;
        unsigned port;
        const char *authority, *path_query;
    } rows[] = {
        { "http://a.example", false, "a.example", 80, "a.example", "/" },
        { "https://a.example/", true, "a.example", 443, "a.example", "/" },
        { "HTTPS://a.example:8443/keys.json?x=/y", true, "a.example", 8443, "a.example:8443", "/keys.json?x=/y" },
        { "http://[::1]:8080/x", false, "::1", 8080, "[::1]:8080", "/x" },
        { "http://10.0.0.1", false, "10.0.0.1", 80, "10.0.0.1", "/" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct url u;

        assert_true(url_parse(slice_str(rows[i].text), &u));
        assert_int_equal(u.tls, rows[i].tls);
        slice_is(u.host, rows[i].host, rows[i].text);
        assert_int_equal(u.port, rows[i].port);
        slice_is(u.authority, rows[i].authority, rows[i].text);
        slice_is(u.path_query, rows[i].path_query, rows[i].text);
    }
}

static void
test_not_urls(void **state)
{
    static const char *const bad[] = { "",
                                       "http",
                                       "http://",
                                       "https://",
                                       "http:///x",
                                       "a.example",
                                       "/x",
                                       "ftp://a/",
                                       "file:x",
                                       "http://u@a/",
                                       "http://a:0/",
                                       "http://a:x/",
                                       "http://a:/",
                                       "http://a#b",
                                       "http://a/#",
                                       "http://a b/",
                                       "http://a/b c",
                                       "http://a?x",
                                       "http://[::1",
                                       "http://a/\x01",
                                       "http://caf\xc3\xa9/" };
    struct url u;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (url_parse(slice_str(bad[i]), &u))
            fail_msg("accepted: %s", bad[i]);
    }
}

static void
test_query_arguments(void **state)
{
    static const struct {
        const char *query, *name, *value; /* value NULL: not there */
    } rows[] = {
        { "a=1&b=2", "a", "1" },     { "a=1&b=2", "b", "2" },
        { "a=1&a=2", "a", "1" },     { "a", "a", "" },
        { "a=", "a", "" },           { "a&b=2", "b", "2" },
        { "a=1=2", "a", "1=2" },     { "a=x+y%20z%2B", "a", "x y z+" },
        { "%61=1", "a", "1" },       { "a+b=1", "a b", "1" },
        { "a=100%", "a", "100%" },   { "a=%4", "a", "%4" },
        { "a=%zz%41", "a", "%zzA" }, { "&&a=1", "a", "1" },
        { "aa=1&a=2", "a", "2" },    { "A=1", "a", NULL },
        { "ab=1", "a", NULL },       { "a=1", "ab", NULL },
        { "=1", "", NULL },          { "", "a", NULL },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *copy = exact_copy(rows[i].query, strlen(rows[i].query));
        struct slice value = SLICE("untouched");
        bool found = query_find(slice_of(copy, strlen(rows[i].query)), slice_str(rows[i].name), *state, &value);

        if (found != (rows[i].value != NULL))
            fail_msg("%s in %s", rows[i].name, rows[i].query);
        slice_is(value, rows[i].value ? rows[i].value : "untouched", rows[i].query);
        free(copy);
    }
}

static void
test_plain_values_are_not_copied(void **state)
{
    struct slice query = SLICE("a=plain"), value;

    assert_true(query_find(query, SLICE("a"), *state, &value));
    assert_ptr_equal(value.p, query.p + 2);
}

static void
test_decode(void **state)
{
    slice_is(uri_decode(SLICE("a+b%2f"), false, *state), "a+b/", "plus stays");
    slice_is(uri_decode(SLICE("a+b%2f"), true, *state), "a b/", "plus is a space");
    assert_int_equal(uri_decode(SLICE("%00"), false, *state).n, 1);
    assert_int_equal(uri_decode(SLICE_NONE, false, *state).n, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),      cmocka_unit_test(test_not_urls),
        arena_test(test_query_arguments), arena_test(test_plain_values_are_not_copied),
        arena_test(test_decode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
