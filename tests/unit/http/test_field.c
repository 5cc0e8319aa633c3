#include "http_test.h"

static struct fields
sample(struct arena *arena)
{
    struct fields f;

    fields_init(&f, arena);
    fields_add(&f, SLICE("Host"), SLICE("a.example"));
    fields_add(&f, SLICE("X-One"), SLICE("1"));
    fields_add(&f, SLICE("accept"), SLICE("text/html"));
    fields_add(&f, SLICE("x-one"), SLICE("2"));
    fields_add(&f, SLICE("ACCEPT"), SLICE("*/*"));
    return f;
}

static void
test_find_and_next(void **state)
{
    struct fields f = sample(*state);
    struct field *field;

    field = fields_find(&f, FIELD_ACCEPT);
    slice_is(field->value, "text/html", "first Accept");
    field = fields_next(&f, field);
    slice_is(field->value, "*/*", "second Accept");
    assert_null(fields_next(&f, field));
    field = fields_find_name(&f, SLICE("X-ONE"));
    slice_is(field->value, "1", "first X-One");
    field = fields_next(&f, field);
    slice_is(field->value, "2", "second X-One");
    assert_null(fields_next(&f, field));
    assert_null(fields_find(&f, FIELD_COOKIE));
    assert_null(fields_find_name(&f, SLICE("X-Two")));
    slice_is(fields_find_name(&f, SLICE("host"))->value, "a.example", "a known name by its text");
    slice_is(fields_value(&f, FIELD_HOST), "a.example", "value");
    assert_int_equal(fields_value(&f, FIELD_COOKIE).n, 0);
    assert_int_equal(fields_count(&f, FIELD_ACCEPT), 2);
    assert_int_equal(fields_count(&f, FIELD_COOKIE), 0);
}

static void
test_remove_keeps_the_order_of_the_rest(void **state)
{
    struct fields f = sample(*state);

    assert_int_equal(fields_remove(&f, FIELD_ACCEPT), 2);
    assert_int_equal(f.n, 3);
    assert_int_equal(fields_remove(&f, FIELD_ACCEPT), 0);
    slice_is(f.v[0].value, "a.example", "0");
    slice_is(f.v[1].value, "1", "1");
    slice_is(f.v[2].value, "2", "2");
    assert_int_equal(fields_remove_name(&f, SLICE("x-ONE")), 2);
    assert_int_equal(f.n, 1);
    assert_int_equal(fields_remove_name(&f, SLICE("hOST")), 1);
    assert_int_equal(f.n, 0);
}

static void
test_removing_unknown_names_by_id_removes_nothing(void **state)
{
    struct fields f = sample(*state);

    assert_int_equal(fields_remove(&f, FIELD_OTHER), 0);
    assert_int_equal(f.n, 5);
}

/* The set of ids answers most questions without a look at the list: it must never miss one. */
static void
test_each_known_name_is_found_again(void **state)
{
    for (unsigned id = FIELD_OTHER + 1; id < FIELD_COUNT; id++) {
        struct fields f = sample(*state);
        unsigned more = id == FIELD_HOST ? 1 : id == FIELD_ACCEPT ? 2 : 0;

        assert_int_equal(fields_count(&f, (enum field_id)id), more);
        fields_add(&f, field_name_slice((enum field_id)id), SLICE("v"));
        assert_int_equal(fields_count(&f, (enum field_id)id), more + 1);
        assert_non_null(fields_find(&f, (enum field_id)id));
        fields_remove_hop_by_hop(&f);
        assert_int_equal(f.n, field_hop_by_hop((enum field_id)id) ? 5 : 6);
        fields_remove(&f, (enum field_id)id);
        assert_null(fields_find(&f, (enum field_id)id));
        assert_int_equal(f.n, 5 - more);
    }
}

static void
test_set_leaves_exactly_one(void **state)
{
    struct fields f = sample(*state);

    fields_set(&f, SLICE("X-ONE"), SLICE("3"));
    fields_set_id(&f, FIELD_ACCEPT, SLICE("image/png"));
    fields_set(&f, SLICE("New"), SLICE("n"));
    assert_int_equal(f.n, 4);
    slice_is(fields_find_name(&f, SLICE("x-one"))->value, "3", "X-One");
    slice_is(fields_find(&f, FIELD_ACCEPT)->name, "Accept", "canonical name");
    slice_is(fields_find(&f, FIELD_ACCEPT)->value, "image/png", "Accept");
    slice_is(fields_find_name(&f, SLICE("new"))->value, "n", "New");
}

static void
test_the_list_grows(void **state)
{
    struct fields f;
    char names[200][8];

    fields_init(&f, *state);
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof(names[i]), "n-%d", i);
        fields_add(&f, slice_str(names[i]), slice_str(names[i]));
    }
    assert_int_equal(f.n, 200);
    for (int i = 0; i < 200; i++)
        assert_ptr_equal(fields_find_name(&f, slice_str(names[i])), &f.v[i]);
}

static void
test_hop_by_hop_fields_go(void **state)
{
    static const char *const gone[] = { "Keep-Alive",
                                        "Proxy-Connection",
                                        "Proxy-Authenticate",
                                        "Proxy-Authorization",
                                        "TE",
                                        "Transfer-Encoding",
                                        "Upgrade",
                                        "HTTP2-Settings",
                                        "Trailer",
                                        "X-Secret" };
    struct fields f;
    struct field_names *named;

    fields_init(&f, *state);
    fields_add(&f, SLICE("X-Secret"), SLICE("1"));
    fields_add(&f, SLICE("connection"), SLICE("close, x-secret ,, keep-alive"));
    fields_add(&f, SLICE("Host"), SLICE("a"));
    fields_add(&f, SLICE("Connection"), SLICE("HOST,Cookie,connection,TE,x-other"));
    for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
        fields_add(&f, slice_str(gone[i]), SLICE("v"));
    fields_add(&f, SLICE("x-SECRET"), SLICE("2"));
    fields_add(&f, SLICE("Cookie"), SLICE("v"));
    fields_add(&f, SLICE("X-Other"), SLICE("named by the second line"));
    fields_add(&f, SLICE("X-Public"), SLICE("3"));
    named = fields_remove_hop_by_hop(&f);
    assert_int_equal(f.n, 3);
    slice_is(f.v[0].name, "Host", "a Connection field cannot take Host away");
    slice_is(f.v[1].name, "Cookie", "nor what policies read");
    slice_is(f.v[2].name, "X-Public", "what is left");
    slice_is(named->name, "x-other", "what was named last");
    slice_is(named->next->name, "x-secret", "and first");
    assert_null(named->next->next);
}

static void
test_hop_by_hop_leaves_a_plain_list_alone(void **state)
{
    struct fields f = sample(*state);

    assert_null(fields_remove_hop_by_hop(&f));
    assert_int_equal(f.n, 5);
}

static void
test_names_that_origins_take_for_one(void **state)
{
    assert_true(field_names_alike(SLICE("X-User-Id"), SLICE("x_USER-id")));
    assert_true(field_names_alike(SLICE("a_b"), SLICE("A-B")));
    assert_true(field_names_alike(SLICE("Host"), SLICE("hOST")));
    assert_false(field_names_alike(SLICE("X-User"), SLICE("X-User-")));
    assert_false(field_names_alike(SLICE("X-User"), SLICE("X.User")));
    assert_false(field_names_alike(SLICE("XUser"), SLICE("X-Use")));
}

static void
test_list_members(void **state)
{
    struct slice rest = SLICE(" a ,,\t b;q=\"x,y\" , \"p\\\",q\",c,"), member;
    static const char *const want[] = { "a", "b;q=\"x,y\"", "\"p\\\",q\"", "c" };

    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        assert_true(field_list_next(&rest, &member));
        slice_is(member, want[i], "member");
    }
    assert_false(field_list_next(&rest, &member));
    rest = SLICE(" , ,");
    assert_false(field_list_next(&rest, &member));
    rest = SLICE("\"open\\");
    assert_true(field_list_next(&rest, &member));
    slice_is(member, "\"open\\", "an open quote runs to the end");
    assert_false(field_list_next(&rest, &member));
}

static void
test_list_has_looks_at_every_line(void **state)
{
    struct fields f;

    fields_init(&f, *state);
    fields_add(&f, SLICE("Vary"), SLICE("Accept, Origin"));
    fields_add(&f, SLICE("Connection"), SLICE("keep-alive"));
    fields_add(&f, SLICE("Connection"), SLICE("x, UPGRADE"));
    assert_true(fields_list_has(&f, FIELD_CONNECTION, SLICE("Upgrade")));
    assert_true(fields_list_has(&f, FIELD_CONNECTION, SLICE("Keep-Alive")));
    assert_false(fields_list_has(&f, FIELD_CONNECTION, SLICE("keep")));
    assert_false(fields_list_has(&f, FIELD_CONNECTION, SLICE("origin")));
    assert_false(fields_list_has(&f, FIELD_COOKIE, SLICE("x")));
}

static void
test_tokens_and_values(void **state)
{
    assert_true(field_is_token(SLICE("X-Name_1.2~!#$%&'*+^`|")));
    assert_false(field_is_token(SLICE("")));
    assert_false(field_is_token(SLICE("a b")));
    assert_false(field_is_token(SLICE("a:")));
    assert_false(field_is_token(SLICE("a\r")));
    assert_false(field_is_token(SLICE("caf\xc3\xa9")));
    assert_false(field_is_token(SLICE("a\0")));
    assert_true(field_is_value(SLICE("")));
    assert_true(field_is_value(SLICE_NONE));
    assert_true(field_is_value(SLICE("a\tb \xc3\xa9")));
    assert_false(field_is_value(SLICE("a\rb")));
    assert_false(field_is_value(SLICE("a\nb")));
    assert_false(field_is_value(SLICE("a\0b")));
    assert_false(field_is_value(SLICE("a\x7f")));
    assert_false(field_is_value(SLICE("a long value with an escape right at its very end\x1b")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(test_find_and_next),
        arena_test(test_remove_keeps_the_order_of_the_rest),
        arena_test(test_removing_unknown_names_by_id_removes_nothing),
        arena_test(test_each_known_name_is_found_again),
        arena_test(test_set_leaves_exactly_one),
        arena_test(test_the_list_grows),
        arena_test(test_hop_by_hop_fields_go),
        arena_test(test_hop_by_hop_leaves_a_plain_list_alone),
        cmocka_unit_test(test_names_that_origins_take_for_one),
        cmocka_unit_test(test_list_members),
        arena_test(test_list_has_looks_at_every_line),
        cmocka_unit_test(test_tokens_and_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
