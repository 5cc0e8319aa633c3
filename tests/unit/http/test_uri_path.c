#include "http_test.h"

static void
canonical_is(struct arena *arena, const struct uri_rules *rules, const char *path, const char *want)
{
    char *copy = exact_copy(path, strlen(path));
    struct slice out;
    const char *wrong = uri_canonical_path(slice_of(copy, strlen(path)), rules, arena, &out);

    if (want && wrong)
        fail_msg("%s: %s", path, wrong);
    if (!want && !wrong)
        fail_msg("%s is accepted as %.*s", path, SLICE_FMT(out));
    if (want) {
        struct slice again;

        slice_is(out, want, path);
        /* What is canonical stays as it is: no second reading can differ. */
        if (!rules || rules->encoded_slashes != URI_SLASHES_REFUSE || !strstr(want, "%2F")) {
            assert_null(uri_canonical_path(out, rules, arena, &again));
            slice_is(again, want, path);
        }
    }
    free(copy);
}

static void
test_overlong_sequences(void **state)
{
    static const struct {
        const char *path, *want; /* NULL: refused */
    } rows[] = {
        { "/%c0%ae%C0%AE/a", NULL },
        { "/a%c0%af", NULL },
        { "/a%c1%9cb", NULL },
        { "/%c0%80", NULL },
        { "/%c1%bf", NULL },
        { "/%e0%80%ae/a", NULL },
        { "/%e0%81%9c", NULL },
        { "/%f0%80%80%af", NULL },
        { "/%c0%b0%c1%b0", "/%C0%B0%C1%B0" },
        { "/%c0%c0%ae", NULL },
        { "/%c0a%ae%80%af", "/%C0a%AE%80%AF" },
        { "/%e0%82%ae%f0%80%81", "/%E0%82%AE%F0%80%81" },
        { "/%f0%81%80%af", "/%F0%81%80%AF" },
        { "/%2e%c0%2d%ae", "/.%C0-%AE" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        canonical_is(*state, NULL, rows[i].path, rows[i].want);
}

static void
test_default_rules(void **state)
{
    static const struct {
        const char *path, *want; /* NULL: refused */
    } rows[] = {
        { "/", "/" },
        { "/a/b.c/-_~!$&'()*+,;=:@", "/a/b.c/-_~!$&'()*+,;=:@" },
        { "/%41%7a%2D%2e%5f%7E", "/Az-._~" },
        { "/%2f", NULL },
        { "/%5c", NULL },
        { "/a%3ab%20%c3%a9", "/a%3Ab%20%C3%A9" },
        { "/%25%34%31", "/%2541" },
        { "/a|b{c}\"<>^`[]", "/a%7Cb%7Bc%7D%22%3C%3E%5E%60%5B%5D" },
        { "//", "/" },
        { "//a///b//", "/a/b/" },
        { "/.", "/" },
        { "/./", "/" },
        { "/a/.", "/a/" },
        { "/a/./b", "/a/b" },
        { "/a/..", "/" },
        { "/a/../", "/" },
        { "/a/b/../c", "/a/c" },
        { "/a/b/..", "/a/" },
        { "/a//../b", "/b" },
        { "/a/%2e%2E/b", "/b" },
        { "/a/.%2e/b", "/b" },
        { "/a/%2e/b", "/a/b" },
        { "/a/...", "/a/..." },
        { "/a/.b", "/a/.b" },
        { "/a/..b", "/a/..b" },
        { "/a/b..", "/a/b.." },
        { "/a/b../c", "/a/b../c" },
        { "/a;x/b", "/a;x/b" },
        { "/a/...;x", "/a/...;x" },
        { "/..", NULL },
        { "/../a", NULL },
        { "/a/../..", NULL },
        { "/a/../../b", NULL },
        { "/./..", NULL },
        { "/%2e%2e/", NULL },
        { "/a/..;/b", NULL },
        { "/a/..;x=1/b", NULL },
        { "/a/.;/b", NULL },
        { "/a/%2e.;", NULL },
        { "/a/..%3b/b", NULL },
        { "/a/%2e%2E%3B", NULL },
        { "/a/.%3bx/b", NULL },
        { "/a/..%3", NULL },
        { "/a/..%3a/b", "/a/..%3A/b" },
        { "/%00", NULL },
        { "/%0a", NULL },
        { "/%1F", NULL },
        { "/%7f", NULL },
        { "/%", NULL },
        { "/%4", NULL },
        { "/%4g", NULL },
        { "/%g4", NULL },
        { "/% 1", NULL },
        { "/%u0041", NULL },
        { "/a%", NULL },
        { "/a\\b", NULL },
        { "/a#b", NULL },
        { "/a b", NULL },
        { "/a\tb", NULL },
        { "/a\x7f", NULL },
        { "/caf\xc3\xa9", NULL },
        { "", NULL },
        { "a", NULL },
        { "*", NULL },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        canonical_is(*state, NULL, rows[i].path, rows[i].want);
}

static void
test_encoded_slashes(void **state)
{
    static const struct uri_rules keep = { .encoded_slashes = URI_SLASHES_KEEP };
    static const struct uri_rules decode = { .encoded_slashes = URI_SLASHES_DECODE };

    canonical_is(*state, &keep, "/a%2fb%5cc", "/a%2Fb%5Cc");
    canonical_is(*state, &keep, "/a/b..%2fb/..c%2f", "/a/b..%2Fb/..c%2F");
    /* An origin that decodes would climb out of what was routed. */
    canonical_is(*state, &keep, "/a/%2e%2e%2fb", NULL);
    canonical_is(*state, &keep, "/a/..%5cb", NULL);
    canonical_is(*state, &keep, "/a/b%2f..", NULL);
    canonical_is(*state, &keep, "/a/b%2f../c", NULL);
    canonical_is(*state, &keep, "/a/b%5c%2e%2e%5cc", NULL);
    canonical_is(*state, &keep, "/a/.%2fb", NULL);
    canonical_is(*state, &keep, "/a/b%2f..;x/c", NULL);
    canonical_is(*state, &keep, "/a/b%2f.%3b", NULL);
    canonical_is(*state, &decode, "/a/..%5cb", NULL);
    canonical_is(*state, &decode, "/a/b%5c..", NULL);
    canonical_is(*state, &decode, "/a%2f..%2f..%2fb", NULL);
    canonical_is(*state, &decode, "/a%2f..;x%2fb", NULL);
    canonical_is(*state, &decode, "/a%252f..%2fb", "/a%252f../b");
    canonical_is(*state, &decode, "/a%2Fb%5cc", "/a/b%5Cc");
    canonical_is(*state, &decode, "/a%2f..%2Fb", "/b");
    canonical_is(*state, &decode, "/a%2f%2fb", "/a/b");
    canonical_is(*state, &decode, "/%2e%2e%2fb", NULL);
}

static void
test_double_slashes_kept(void **state)
{
    static const struct uri_rules rules = { .keep_double_slashes = true };

    canonical_is(*state, &rules, "//a//b/", "//a//b/");
    canonical_is(*state, &rules, "//", "//");
    canonical_is(*state, &rules, "/a//../b", "/a/b");
    canonical_is(*state, &rules, "//..", "/");
    canonical_is(*state, &rules, "//../..", NULL);
    canonical_is(*state, &rules, "/%41//.", "/A//");
}

static void
test_parameters_refused(void **state)
{
    static const struct uri_rules rules = { .refuse_parameters = true };

    canonical_is(*state, &rules, "/a;x/b", NULL);
    canonical_is(*state, &rules, "/a/b;", NULL);
    canonical_is(*state, &rules, "/a%3bx/b", NULL);
    canonical_is(*state, &rules, "/a-path/of-more/than-one/vector/then;x", NULL);
    canonical_is(*state, &rules, "/a/b:=@", "/a/b:=@");
    canonical_is(*state, &rules, "/a%253bx", "/a%253bx");
}

/* The bytes that decide, at every place of paths longer than a vector. */
static void
test_every_place(void **state)
{
    static const struct {
        const char *in, *out; /* out NULL: refused */
    } rows[] = { { "//", "/" },    { "/./", "/" },   { "%61", "a" },        { "%2f", NULL },    { "/..;", NULL },
                 { "\\", NULL },   { "{", "%7B" },   { "~", "~" },          { "@:;=", "@:;=" }, { "/.a", "/.a" },
                 { "\x80", NULL }, { "a.b", "a.b" }, { "Z_z-[", "Z_z-%5B" } };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (int before = 1; before < 40; before++) {
            for (int after = 0; after < 40; after += 13) {
                char path[128], want[128];

                snprintf(path, sizeof(path), "/%.*s%s%.*s", before, "abcdefghijklmnopqrstuvwxyz0123456789-:_~",
                         rows[i].in, after, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn");
                snprintf(want, sizeof(want), "/%.*s%s%.*s", before, "abcdefghijklmnopqrstuvwxyz0123456789-:_~",
                         rows[i].out ? rows[i].out : "", after, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn");
                canonical_is(*state, NULL, path, rows[i].out ? want : NULL);
            }
        }
    }
}

/* A path of bytes that all become escapes is the longest result. */
static void
test_growth(void **state)
{
    char path[1001];
    struct slice out;

    memset(path, '|', sizeof(path));
    path[0] = '/';
    assert_null(uri_canonical_path(slice_of(path, sizeof(path)), NULL, *state, &out));
    assert_int_equal(out.n, 3001);
}

static void
test_a_canonical_path_is_not_copied(void **state)
{
    struct slice path = SLICE("/orders/17/items"), out;
    size_t used = ((struct arena *)*state)->used;

    assert_null(uri_canonical_path(path, NULL, *state, &out));
    assert_ptr_equal(out.p, path.p);
    assert_int_equal(((struct arena *)*state)->used, used);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(test_overlong_sequences),
        arena_test(test_default_rules),
        arena_test(test_encoded_slashes),
        arena_test(test_double_slashes_kept),
        arena_test(test_parameters_refused),
        arena_test(test_every_place),
        arena_test(test_growth),
        arena_test(test_a_canonical_path_is_not_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
