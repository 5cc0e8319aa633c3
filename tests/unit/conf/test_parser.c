#include "fixture.h"

/* The raw tree as "a(x y){b(z){}} c()". */
static void
add_block(struct strbuf *b, const struct weir_conf *block)
{
    for (const struct weir_conf *line = conf_first(block); line; line = conf_sibling(line)) {
        assert_ptr_equal(conf_parent(line), block);
        strbuf_addf(b, "%s(", conf_name(line));
        for (unsigned i = 0; i < conf_args(line); i++)
            strbuf_addf(b, "%s%s", i ? " " : "", conf_arg(line, i).p);
        strbuf_adds(b, ")");
        if (conf_first(line)) {
            strbuf_adds(b, "{");
            add_block(b, line);
            strbuf_adds(b, "}");
        }
        strbuf_adds(b, conf_sibling(line) ? " " : "");
    }
}

static void
assert_tree(struct conf *c, const char *tree)
{
    struct strbuf b;

    strbuf_init(&b, 1 << 20);
    add_block(&b, conf_root(c));
    assert_string_equal(b.n ? b.p : "", tree);
    strbuf_fini(&b);
    conf_free(c);
}

static void
test_lines_and_blocks(void **state)
{
    (void)state;
    assert_tree(fixture_parse(""), "");
    assert_tree(fixture_parse("a; b c { d e; f { g; } } h;"), "a() b(c){d(e) f(){g()}} h()");
    assert_tree(fixture_parse("a { }"), "a()");
}

static void
test_places(void **state)
{
    struct conf *c = fixture_parse("a;\n\nb {\n  c\n d;\n}");
    const struct weir_conf *b = conf_find(conf_root(c), "b");

    (void)state;
    assert_string_equal(conf_at(b), "gateway.conf:3");
    assert_string_equal(conf_at(conf_find(b, "c")), "gateway.conf:4");
    assert_string_equal(conf_at(conf_root(c)), "gateway.conf");
    assert_ptr_equal(conf_at(b), conf_at(b));
    assert_ptr_equal(conf_of(b), c);
    conf_free(c);
}

static void
test_a_missing_semicolon_is_told_where_it_is_missing(void **state)
{
    static const char text[] = "upstream a {\n"
                               "    endpoint a:1   # one\n"
                               "    endpoint b:2\n"
                               "    balance random\n"
                               "}\n"
                               "workers 2\n";

    (void)state;
    assert_told(text, "gateway.conf:2:17: error: a `;` is missing here\n"
                      "    endpoint a:1   # one\n"
                      "                ^\n"
                      "  `endpoint` on the next line is a directive of its own\n"
                      "gateway.conf:3:17: error: a `;` is missing here\n"
                      "    endpoint b:2\n"
                      "                ^\n"
                      "  `balance` on the next line is a directive of its own\n"
                      "gateway.conf:4:19: error: a `;` is missing here\n"
                      "    balance random\n"
                      "                  ^\n"
                      "  a directive ends with `;` or with a `{ block }`\n"
                      "gateway.conf:6:10: error: a `;` is missing here\n"
                      "workers 2\n"
                      "         ^\n"
                      "  a directive ends with `;` or with a `{ block }`\n");
    assert_tree(fixture_load(text), "upstream(a){endpoint(a:1) endpoint(b:2) balance(random)} workers(2)");
}

static void
test_a_block_behind_a_missing_semicolon(void **state)
{
    assert_tree(fixture_load("workers 2\nroute /x {\n proxy a; }\n"), "workers(2) route(/x){proxy(a)}");
    assert_tree(fixture_load("listener a { bind 1.2.3.4:5\n  limits { head 1k\nfields 3 } }"),
                "listener(a){bind(1.2.3.4:5) limits(){head(1k) fields(3)}}");
    (void)state;
}

static void
test_rows_that_come_later_tell_lines_apart_too(void **state)
{
    struct conf *c = conf_new();
    const struct weir_conf *line;

    (void)state;
    conf_parse_text(c, "t", SLICE("workers 2\nuse jwt;"));
    assert_int_equal(conf_args(conf_first(conf_root(c))), 3);
    conf_add_rows(c, fixture_rows, NULL, NULL);
    assert_int_equal(conf_check(c), -1);
    assert_int_equal(conf_errors(c), 1);
    line = conf_find(conf_root(c), "use");
    assert_non_null(line);
    assert_string_equal(conf_arg(line, 0).p, "jwt");
    conf_free(c);
}

static void
test_lines_may_go_on(void **state)
{
    (void)state;
    /* Not directives, further in, quoted, or not right as directives: these are arguments. */
    assert_told("use jwt\nrate_limit;\nroute / {\n  methods GET\n  POST\n    timeout\n  \"timeout\";\n}\n", "");
    assert_tree(fixture_load("use\njwt\n\n;"), "use(jwt)");
}

static void
test_an_include_behind_a_missing_semicolon(void **state)
{
    char path[256];
    struct conf *c = fixture_new();
    char *told;

    (void)state;
    fixture_file("m.conf", "workers 2\ninclude n.conf;\n");
    fixture_file("n.conf", "use jwt;\n");
    snprintf(path, sizeof(path), "%sm.conf", fixture_dir());
    conf_parse_file(c, path);
    assert_non_null(conf_find(conf_root(c), "use"));
    assert_int_equal(conf_args(conf_find(conf_root(c), "workers")), 1);
    told = fixture_told(c);
    assert_non_null(strstr(told, "m.conf:1:10: error: a `;` is missing here\nworkers 2\n         ^\n"));
    free(told);
    fixture_clean();
}

static void
test_a_missing_brace_is_told_by_indentation(void **state)
{
    static const char text[] = "listener a {\n"
                               "    bind 1.2.3.4:5;\n"
                               "\n"
                               "host a.b {\n"
                               "    route /x {\n"
                               "        proxy a;\n"
                               "    route /y {\n"
                               "        proxy b;\n"
                               "}\n"
                               "workers 2;\n";

    (void)state;
    assert_told(text, "gateway.conf:4:1: error: a `}` is missing before this\n"
                      "host a.b {\n"
                      "^\n"
                      "  the block of `listener` that starts in line 1 is still open\n"
                      "gateway.conf:7:5: error: a `}` is missing before this\n"
                      "    route /y {\n"
                      "    ^\n"
                      "  the block of `route` that starts in line 5 is still open\n"
                      "gateway.conf:9:1: error: a `}` is missing before this\n"
                      "}\n"
                      "^\n"
                      "  the block of `route` that starts in line 7 is still open\n");
    assert_tree(fixture_load(text),
                "listener(a){bind(1.2.3.4:5)} host(a.b){route(/x){proxy(a)} route(/y){proxy(b)}} workers(2)");
}

static void
test_indentation_means_nothing_in_a_balanced_file(void **state)
{
    (void)state;
    assert_told("  listener a {\nbind 1.2.3.4:5;\n }\n      host a.b {\nroute /x {\nproxy a; }\n}\n", "");
}

static void
test_a_block_that_is_never_closed(void **state)
{
    (void)state;
    assert_told("listener a { bind 1.2.3.4:5;", "gateway.conf:1:1: error: the block of `listener` is never closed\n"
                                                "listener a { bind 1.2.3.4:5;\n"
                                                "^\n"
                                                "  a `}` is missing\n");
}

static void
test_stray_punctuation(void **state)
{
    (void)state;
    assert_told("}\n;\n{ a; { b; } }\nworkers 2;\nlistener a { bind 1.2.3.4:5; };\n",
                "gateway.conf:1:1: error: there is no block that this `}` could close\n"
                "}\n"
                "^\n"
                "gateway.conf:2:1: error: there is nothing before this `;`\n"
                ";\n"
                "^\n"
                "  take it away: a block ends with its `}` alone\n"
                "gateway.conf:3:1: error: there is no name before this `{`\n"
                "{ a; { b; } }\n"
                "^\n"
                "gateway.conf:5:31: error: there is nothing before this `;`\n"
                "listener a { bind 1.2.3.4:5; };\n"
                "                              ^\n"
                "  take it away: a block ends with its `}` alone\n");
}

static void
test_a_missing_opening_brace(void **state)
{
    (void)state;
    assert_told_part("listener a\n    bind 1.2.3.4:5;\n}\n",
                     "gateway.conf:1:11: error: `listener` needs a block: a `{` is missing here\n"
                     "listener a\n"
                     "          ^\n"
                     "  listener NAME { ... }\n");
}

static void
test_nesting_has_a_cap(void **state)
{
    struct strbuf b;
    struct conf *c;
    char *told;

    (void)state;
    strbuf_init(&b, 1 << 20);
    for (int i = 0; i < 16; i++)
        strbuf_adds(&b, "a {");
    for (int i = 0; i < 16; i++)
        strbuf_adds(&b, "}");
    c = fixture_parse(b.p);
    assert_int_equal(conf_errors(c), 0);
    conf_free(c);
    strbuf_clear(&b);
    for (int i = 0; i < 50000; i++)
        strbuf_adds(&b, "a {");
    told = fixture_told(fixture_parse(b.p));
    assert_non_null(strstr(told, "gateway.conf:1:51: error: blocks are nested more than 16 deep"));
    free(told);
    strbuf_fini(&b);
}

static void
test_arguments_have_a_cap(void **state)
{
    struct strbuf b;
    struct conf *c;

    (void)state;
    strbuf_init(&b, 1 << 20);
    strbuf_adds(&b, "use");
    for (int i = 0; i < 1024; i++)
        strbuf_adds(&b, " x");
    strbuf_adds(&b, ";");
    c = fixture_load(b.p);
    assert_int_equal(conf_errors(c), 0);
    assert_int_equal(conf_args(conf_find(conf_root(c), "use")), 1024);
    conf_free(c);
    b.p[b.n - 1] = ' ';
    strbuf_adds(&b, "y z;");
    c = fixture_load(b.p);
    assert_int_equal(conf_errors(c), 1);
    assert_int_equal(conf_args(conf_find(conf_root(c), "use")), 1024);
    conf_free(c);
    strbuf_fini(&b);
}

static void
test_names_stand_without_quotes(void **state)
{
    (void)state;
    assert_told_part("\"workers\" 2;", "gateway.conf:1:1: error: the name of a directive stands without quotes\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_and_blocks),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_a_missing_semicolon_is_told_where_it_is_missing),
        cmocka_unit_test(test_a_block_behind_a_missing_semicolon),
        cmocka_unit_test(test_rows_that_come_later_tell_lines_apart_too),
        cmocka_unit_test(test_lines_may_go_on),
        cmocka_unit_test(test_an_include_behind_a_missing_semicolon),
        cmocka_unit_test(test_a_missing_brace_is_told_by_indentation),
        cmocka_unit_test(test_indentation_means_nothing_in_a_balanced_file),
        cmocka_unit_test(test_a_block_that_is_never_closed),
        cmocka_unit_test(test_stray_punctuation),
        cmocka_unit_test(test_a_missing_opening_brace),
        cmocka_unit_test(test_nesting_has_a_cap),
        cmocka_unit_test(test_arguments_have_a_cap),
        cmocka_unit_test(test_names_stand_without_quotes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
