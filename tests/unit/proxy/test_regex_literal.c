#include "rig.h"

#include "../../../src/proxy/regex_literal.h"

#include <stdio.h>
#include <string.h>

/* "^first second" of a pattern, those of at least two bytes. */
static const char *
literals(const char *pattern)
{
    static char text[256];
    struct regex_literal found[REGEX_LITERALS_MAX];
    struct arena arena;
    size_t at = 0;

    arena_init(&arena);
    unsigned n = regex_literals(slice_str(pattern), 2, found, &arena);
    text[0] = '\0';
    for (unsigned i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s%.*s", i ? " " : "", found[i].at_start ? "^" : "",
                               SLICE_FMT(found[i].text));
    arena_fini(&arena);
    return text;
}

static void
plain_runs_are_required(void **state)
{
    assert_string_equal(literals("^/api/v1/"), "^/api/v1/");
    assert_string_equal(literals("/api/v1/"), "/api/v1/");
    assert_string_equal(literals("^/[a-z]+/v12/items$"), "/v12/items");
    assert_string_equal(literals("^/a\\.b\\/c$"), "^/a.b/c");
    assert_string_equal(literals("ab.cd\\d+ef\\wgh"), "ab cd ef gh");
    assert_string_equal(literals("ab[]x]cd[^]]ef[\\]]gh"), "ab cd ef gh");
    assert_string_equal(literals("ab(?:cd|ef)gh"), "ab gh");
    assert_string_equal(literals("^"), "");
    assert_string_equal(literals(""), "");
}

static void
what_may_be_missing_is_not(void **state)
{
    assert_string_equal(literals("^/apis?/v1"), "^/api /v1");
    assert_string_equal(literals("abc*de"), "ab de");
    assert_string_equal(literals("abc{0,2}de"), "ab de");
    assert_string_equal(literals("abc{2}de"), "ab de");
    assert_string_equal(literals("abc+de"), "abc de");
    assert_string_equal(literals("abc??de"), "ab de");
    assert_string_equal(literals("ab(cd)?ef"), "ab ef");
    assert_string_equal(literals("^?ab"), "ab");
    assert_string_equal(literals("^*ab"), "ab");
    assert_string_equal(literals("abcd|efgh"), "");
    assert_string_equal(literals("abcd(ef|gh)|ij"), "");
}

static void
what_is_not_understood_says_nothing(void **state)
{
    assert_string_equal(literals("(?i)abcd"), "");
    assert_string_equal(literals("abcd(?i)efgh"), "abcd");
    assert_string_equal(literals("abcd(?i)ef|gh"), "");
    assert_string_equal(literals("abcd(?#()|efgh"), "");
    assert_string_equal(literals("ab\\x41cdef"), "ab");
    assert_string_equal(literals("ab\\Qc|d\\Eef"), "");
    assert_string_equal(literals("(*ACCEPT)abcd"), "");
    assert_string_equal(literals("ab(*ACCEPT)cd"), "");
    assert_string_equal(literals("ab[[:alpha:]]cd"), "ab");
    assert_string_equal(literals("ab[[:alpha:]]cd|ef"), "");
    assert_string_equal(literals("ab[\\c]x]cd|ef"), "");
    assert_string_equal(literals("abcd{ef"), "abc");
    assert_string_equal(literals("abcd\\"), "abcd");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_runs_are_required),
        cmocka_unit_test(what_may_be_missing_is_not),
        cmocka_unit_test(what_is_not_understood_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
