#include "rig.h"

#include "../../../src/proxy/regex.h"
#include "../../../src/proxy/regex_filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 5000

static struct arena arena;
static uint32_t out[REGEX_CANDIDATES_MAX];

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
    regex_thread_fini();
    return 0;
}

static void
few_of_many_are_candidates(const char *before, const char *after, const char *path_before, const char *path_after)
{
    struct slice *patterns = calloc(MANY, sizeof *patterns);
    char path[64];

    for (unsigned i = 0; i < MANY; i++)
        patterns[i] = arena_printf(&arena, "%s%u%s", before, i, after);
    struct regex_filter *f = regex_filter_new(patterns, MANY, &arena);
    for (unsigned i = 0; i < MANY; i += 7) {
        snprintf(path, sizeof path, "%s%u%s", path_before, i, path_after);
        assert_int_equal(regex_filter_find(f, slice_str(path), out), 1);
        assert_int_equal(out[0], i);
    }
    assert_int_equal(regex_filter_find(f, SLICE("/"), out), 0);
    assert_int_equal(regex_filter_find(f, SLICE_NONE, out), 0);
    regex_filter_free(f);
    free(patterns);
}

static void
one_of_many_is_a_candidate(void **state)
{
    few_of_many_are_candidates("^/api/v", "/[a-z]+$", "/api/v", "/abc");
    few_of_many_are_candidates("^/[a-z]+/v", "/items$", "/abc/v", "/items");
    few_of_many_are_candidates("/item-", "\\.html$", "/x/item-", ".html");
}

static void
candidates_come_in_the_order_of_the_file(void **state)
{
    static const struct slice patterns[] = { SLICE("x"),     SLICE("/beta/"), SLICE("[0-9]"),
                                             SLICE("/alpha"), SLICE("^/beta/"), SLICE("^/gamma") };
    struct regex_filter *f = regex_filter_new(patterns, 6, &arena);

    assert_int_equal(regex_filter_find(f, SLICE("/alpha/beta/beta/gamma"), out), 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(out[i], i);
    regex_filter_free(f);
}

static void
too_many_candidates_are_all(void **state)
{
    struct slice patterns[REGEX_CANDIDATES_MAX + 1];

    for (unsigned i = 0; i <= REGEX_CANDIDATES_MAX; i++)
        patterns[i] = SLICE("[0-9]");
    struct regex_filter *f = regex_filter_new(patterns, REGEX_CANDIDATES_MAX, &arena);
    assert_int_equal(regex_filter_find(f, SLICE("/"), out), REGEX_CANDIDATES_MAX);
    regex_filter_free(f);
    f = regex_filter_new(patterns, REGEX_CANDIDATES_MAX + 1, &arena);
    assert_int_equal(regex_filter_find(f, SLICE("/"), out), -1);
    regex_filter_free(f);
}

/* A pattern of pieces that are each read in another way. */
static struct slice
random_pattern(void)
{
    static const char *const pieces[] = {
        "abcd", "bcda", "a", "b?", "c*", "d+", ".", "[ab]", "[^c]", "(ab|cd)", "(?:cd)?", "|", "\\.", "^",
        "$", "a{0,1}", "(bcd)", "\\w", "(a|b|)", "c{2}", "(?i)", "(?=a)", "x\\x61", "(?#()", "[]a]", "abcd",
        "/abcd/", "\\d*", "(?:a(?:b|c)|d)",
    };
    char text[256] = "";
    unsigned n = 1 + (unsigned)random() % 6;

    for (unsigned i = 0; i < n; i++)
        strcat(text, pieces[(unsigned)random() % (sizeof pieces / sizeof *pieces)]);
    return arena_slice(&arena, slice_str(text));
}

static struct slice
random_subject(char *text)
{
    unsigned n = (unsigned)random() % 24;

    for (unsigned i = 0; i < n; i++)
        text[i] = "abcdabcdabcd/.Ax"[(unsigned)random() % 16];
    return slice_of(text, n);
}

static void
whatever_matches_is_a_candidate(void **state)
{
    enum { N = 60, ROUNDS = 60, SUBJECTS = 120 };
    unsigned matched = 0;

    srandom(4711);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct slice patterns[N];
        struct regex *regexes[N];
        char error[200], text[32];

        for (unsigned i = 0; i < N; i++)
            do {
                patterns[i] = random_pattern();
                regexes[i] = regex_new(patterns[i], &arena, error, sizeof error);
            } while (!regexes[i]);
        struct regex_filter *f = regex_filter_new(patterns, N, &arena);
        for (unsigned k = 0; k < SUBJECTS; k++) {
            struct slice subject = random_subject(text);
            int n = regex_filter_find(f, subject, out), c = 0;
            for (unsigned i = 0; i < N; i++) {
                while (c < n && out[c] < i)
                    c++;
                bool candidate = c < n && out[c] == i;
                if (candidate || regex_test(regexes[i], subject) <= 0)
                    continue;
                fail_msg("%.*s matches %.*s", SLICE_FMT(patterns[i]), SLICE_FMT(subject));
            }
            matched += (unsigned)n;
        }
        regex_filter_free(f);
    }
    assert_true(matched < N * ROUNDS * SUBJECTS * 9 / 10); /* and it does not take all */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_of_many_is_a_candidate, setup, teardown),
        cmocka_unit_test_setup_teardown(candidates_come_in_the_order_of_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_candidates_are_all, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_matches_is_a_candidate, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
