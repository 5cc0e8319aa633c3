#include "http_test.h"

static struct http_request
request(enum http_method method, struct slice target)
{
    return (struct http_request){ .method = method, .target = target, .port = -1 };
}

static void
test_origin_form(void **state)
{
    struct http_request r = request(METHOD_GET, SLICE("/a/b?x=1&y=%zz?z"));

    assert_null(uri_parse_target(&r, NULL, *state));
    slice_is(r.path, "/a/b", "path");
    assert_ptr_equal(r.path.p, r.target.p);
    slice_is(r.query, "x=1&y=%zz?z", "the query is as received");
    assert_true(r.has_query);
    r = request(METHOD_GET, SLICE("/a?"));
    assert_null(uri_parse_target(&r, NULL, *state));
    assert_true(r.has_query);
    assert_int_equal(r.query.n, 0);
    r = request(METHOD_GET, SLICE("/a"));
    assert_null(uri_parse_target(&r, NULL, *state));
    assert_false(r.has_query);
    assert_int_equal(r.authority.n, 0);
}

static void
test_absolute_form(void **state)
{
    static const struct {
        enum http_method method;
        const char *target, *scheme, *authority, *path, *query; /* query NULL: none */
    } rows[] = {
        { METHOD_GET, "http://a.example/x", "http", "a.example", "/x", NULL },
        { METHOD_GET, "HTTPS://a.example:8443/x/../y?q", "https", "a.example:8443", "/y", "q" },
        { METHOD_GET, "http://a.example", "http", "a.example", "/", NULL },
        { METHOD_GET, "http://a.example?q=/", "http", "a.example", "/", "q=/" },
        { METHOD_GET, "http://[::1]:80/", "http", "[::1]:80", "/", NULL },
        { METHOD_OPTIONS, "http://a.example", "http", "a.example", "*", NULL },
        { METHOD_OPTIONS, "http://a.example?", "http", "a.example", "/", "" },
        { METHOD_OPTIONS, "http://a.example/", "http", "a.example", "/", NULL },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct http_request r = request(rows[i].method, slice_str(rows[i].target));

        assert_null(uri_parse_target(&r, NULL, *state));
        slice_is(r.scheme, rows[i].scheme, rows[i].target);
        slice_is(r.authority, rows[i].authority, rows[i].target);
        slice_is(r.path, rows[i].path, rows[i].target);
        assert_int_equal(r.has_query, rows[i].query != NULL);
        slice_is(r.query, rows[i].query ? rows[i].query : "", rows[i].target);
    }
}

static void
test_asterisk_and_authority_forms(void **state)
{
    struct http_request r = request(METHOD_OPTIONS, SLICE("*"));

    assert_null(uri_parse_target(&r, NULL, *state));
    slice_is(r.path, "*", "path");
    r = request(METHOD_CONNECT, SLICE("a.example:443"));
    assert_null(uri_parse_target(&r, NULL, *state));
    slice_is(r.authority, "a.example:443", "authority");
    assert_int_equal(r.path.n, 0);
    assert_non_null(r.path.p);
}

static void
test_bad_targets(void **state)
{
    static const struct slice bad[] = {
        { "", 0 },         { "*", 1 },       { "a", 1 },       { "a/b", 3 },          { "*/", 2 },
        { "/a b", 4 },     { "/a\0", 3 },    { "/a\x7f", 3 },  { "/a\tb", 4 },        { "/caf\xc3\xa9", 6 },
        { "/a#b", 4 },     { "/a?b#c", 6 },  { "http://", 7 }, { "http:///x", 9 },    { "https://?", 9 },
        { "ftp://a/", 8 }, { "http:/a", 7 }, { "//", 0 },      { "http://a#", 9 },    { "http://a?b#", 11 },
        { "?a", 2 },       { "/..", 3 },     { "/%", 2 },      { "http://a/..", 11 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct http_request r = request(METHOD_GET, bad[i]);

        if (!uri_parse_target(&r, NULL, *state))
            fail_msg("row %zu is accepted: %.*s", i, SLICE_FMT(bad[i]));
    }
}

static void
test_authorities(void **state)
{
    static const struct {
        const char *text, *host; /* host NULL: refused */
        int port;
    } rows[] = {
        { "a.example", "a.example", -1 },
        { "A.Example:80", "a.example", 80 },
        { "a.example.", "a.example", -1 },
        { "a.example.:8080", "a.example", 8080 },
        { "under_score-1", "under_score-1", -1 },
        { "127.0.0.1:65535", "127.0.0.1", 65535 },
        { "[::1]", "[::1]", -1 },
        { "[2001:DB8::1]:443", "[2001:db8::1]", 443 },
        { "[::ffff:1.2.3.4]:1", "[::ffff:1.2.3.4]", 1 },
        { "", NULL, 0 },
        { ".", NULL, 0 },
        { "..", NULL, 0 },
        { ":80", NULL, 0 },
        { "a..b", NULL, 0 },
        { ".a", NULL, 0 },
        { "a..", NULL, 0 },
        { "a:", NULL, 0 },
        { "a:0", NULL, 0 },
        { "a:65536", NULL, 0 },
        { "a:000080", NULL, 0 },
        { "a:+80", NULL, 0 },
        { "a: 80", NULL, 0 },
        { "a:80:80", NULL, 0 },
        { "a:x", NULL, 0 },
        { "user@a", NULL, 0 },
        { "user:pw@a", NULL, 0 },
        { "a b", NULL, 0 },
        { "a,b", NULL, 0 },
        { "a/b", NULL, 0 },
        { "a?b", NULL, 0 },
        { "a\\b", NULL, 0 },
        { "a%41", NULL, 0 },
        { "caf\xc3\xa9", NULL, 0 },
        { "::1", NULL, 0 },
        { "[::1", NULL, 0 },
        { "[]", NULL, 0 },
        { "[1.2.3.4]", NULL, 0 },
        { "[::1%eth0]", NULL, 0 },
        { "[v1.x]", NULL, 0 },
        { "[::1]x", NULL, 0 },
        { "[::1]:", NULL, 0 },
        { "[::1]80", NULL, 0 },
        { "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]", NULL, 0 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct http_request r = { .authority = slice_str(rows[i].text) };
        const char *wrong = uri_parse_authority(&r, *state);

        if (!wrong != (rows[i].host != NULL))
            fail_msg("%s: %s", rows[i].text, wrong ? wrong : "accepted");
        if (wrong)
            continue;
        slice_is(r.host, rows[i].host, rows[i].text);
        assert_int_equal(r.port, rows[i].port);
    }
}

static void
test_authorities_with_odd_bytes(void **state)
{
    struct http_request r = { .authority = { "[::1\0]", 6 } };

    assert_non_null(uri_parse_authority(&r, *state));
    r.authority = slice_of("a\0", 2);
    assert_non_null(uri_parse_authority(&r, *state));
}

static void
test_long_names(void **state)
{
    char name[300];
    struct http_request r = { .authority = { name, 253 } };

    memset(name, 'a', sizeof(name));
    assert_null(uri_parse_authority(&r, *state));
    r.authority.n = 254;
    assert_non_null(uri_parse_authority(&r, *state));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(test_origin_form), arena_test(test_absolute_form), arena_test(test_asterisk_and_authority_forms),
        arena_test(test_bad_targets), arena_test(test_authorities),   arena_test(test_authorities_with_odd_bytes),
        arena_test(test_long_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
