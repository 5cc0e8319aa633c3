#include "http_test.h"

static struct fields
cookies(struct arena *arena, const char *first, const char *second)
{
    struct fields f;

    fields_init(&f, arena);
    fields_add(&f, SLICE("Host"), SLICE("b=host"));
    fields_add(&f, SLICE("Cookie"), slice_str(first));
    if (second)
        fields_add(&f, SLICE("cookie"), slice_str(second));
    return f;
}

static void
test_found_where_it_is(void **state)
{
    static const struct {
        const char *first, *second, *name, *value; /* value NULL: not there */
    } rows[] = {
        { "a=1", NULL, "a", "1" },         { "a=1; b=2", NULL, "b", "2" },
        { "a=1;b=2;c=3", NULL, "c", "3" }, { "a=1; a=2", NULL, "a", "1" },
        { "a=1", "b=2", "b", "2" },        { "a=1", "a=2", "a", "1" },
        { "a=", NULL, "a", "" },           { "a=x=y", NULL, "a", "x=y" },
        { "a=\"q\"", NULL, "a", "\"q\"" }, { " ; ;  b=2  ;", NULL, "b", "2" },
        { "ab=1; b=2", NULL, "b", "2" },   { "a=1", NULL, "A", NULL },
        { "a", NULL, "a", NULL },          { "ab=1", NULL, "a", NULL },
        { "x=a=1", NULL, "a", NULL },      { "", NULL, "a", NULL },
        { "=1", NULL, "", NULL },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fields f = cookies(*state, rows[i].first, rows[i].second);
        struct slice value = SLICE("untouched");

        if (cookie_find(&f, slice_str(rows[i].name), &value) != (rows[i].value != NULL))
            fail_msg("row %zu: %s in %s", i, rows[i].name, rows[i].first);
        slice_is(value, rows[i].value ? rows[i].value : "untouched", rows[i].first);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = { arena_test(test_found_where_it_is) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
