#include "http_test.h"

static const char *const names[FIELD_COUNT] = { [FIELD_OTHER] = "",
#define X(id, name) [FIELD_##id] = name,
                                                FIELD_LIST(X)
#undef X
};

static void
test_every_name_is_found_in_any_case(void **state)
{
    for (unsigned id = FIELD_OTHER + 1; id < FIELD_COUNT; id++) {
        size_t n = strlen(names[id]);
        char *upper = exact_copy(names[id], n), *lower = exact_copy(names[id], n);

        for (size_t i = 0; i < n; i++) {
            upper[i] = (char)(upper[i] >= 'a' && upper[i] <= 'z' ? upper[i] - 0x20 : upper[i]);
            lower[i] = (char)(lower[i] >= 'A' && lower[i] <= 'Z' ? lower[i] + 0x20 : lower[i]);
        }
        assert_int_equal(field_lookup(slice_str(names[id])), id);
        assert_int_equal(field_lookup(slice_of(upper, n)), id);
        assert_int_equal(field_lookup(slice_of(lower, n)), id);
        assert_string_equal(field_name((enum field_id)id), names[id]);
        slice_is(field_name_slice((enum field_id)id), names[id], "name");
        assert_true(slice_eq(field_name_lower((enum field_id)id), slice_of(lower, n)));
        free(upper);
        free(lower);
    }
}

/* Folding with bit 5 must not make one byte pass for another: CR | 0x20 is '-', '@' | 0x20 is '`'. */
static void
test_no_other_byte_passes_for_a_letter(void **state)
{
    for (unsigned id = FIELD_OTHER + 1; id < FIELD_COUNT; id++) {
        size_t n = strlen(names[id]);
        char *copy = exact_copy(names[id], n);

        for (size_t i = 0; i < n; i++) {
            for (unsigned c = 0; c < 256; c++) {
                bool same;

                copy[i] = (char)c;
                same = strncasecmp(&copy[i], &names[id][i], 1) == 0 && c != 0;
                if (!same && field_lookup(slice_of(copy, n)) == id)
                    fail_msg("%s is found with byte 0x%02x at %zu", names[id], c, i);
            }
            copy[i] = names[id][i];
        }
        free(copy);
    }
}

static void
test_other_names_are_other(void **state)
{
    static const char *const other[] = { "",
                                         "a",
                                         "x",
                                         "hos",
                                         "hostt",
                                         "content-lengt",
                                         "content-length2",
                                         "content_length",
                                         "x-forwarded-fop",
                                         "a-name-that-is-much-longer-than-any-that-is-known" };

    for (size_t i = 0; i < ARRAY_SIZE(other); i++)
        assert_int_equal(field_lookup(slice_str(other[i])), FIELD_OTHER);
    assert_int_equal(field_lookup(slice_of("host\0", 5)), FIELD_OTHER);
    assert_string_equal(field_name(FIELD_OTHER), "");
    assert_string_equal(field_name(FIELD_COUNT), "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_name_is_found_in_any_case),
        cmocka_unit_test(test_no_other_byte_passes_for_a_letter),
        cmocka_unit_test(test_other_names_are_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
