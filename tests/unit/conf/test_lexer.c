#include "fixture.h"

/* Arguments of the first line of a text, joined by '|'. */
static void
assert_args(const char *text, const char *joined)
{
    struct conf *c = conf_new();
    const struct weir_conf *line;
    struct strbuf b;

    assert_int_equal(conf_parse_text(c, "t", slice_str(text)), 0);
    line = conf_first(conf_root(c));
    assert_non_null(line);
    strbuf_init(&b, 4096);
    strbuf_adds(&b, conf_name(line));
    for (unsigned i = 0; i < conf_args(line); i++) {
        strbuf_addc(&b, '|');
        strbuf_addslice(&b, conf_arg(line, i));
        assert_int_equal(conf_arg(line, i).p[conf_arg(line, i).n], '\0');
    }
    assert_string_equal(b.p, joined);
    strbuf_fini(&b);
    conf_free(c);
}

static void
test_words_end_at_blanks_and_punctuation(void **state)
{
    (void)state;
    assert_args("a b c;", "a|b|c");
    assert_args("  a\tb\r\n  c ;", "a|b|c");
    assert_args("a;b;", "a");
    assert_args("a b{c;}", "a|b");
    assert_args("\xef\xbb\xbfworkers 2;", "workers|2");
    assert_args("a \xc3\xa4\xff;", "a|\xc3\xa4\xff");
}

static void
test_comments(void **state)
{
    (void)state;
    assert_args("# x;\na b # c;\n d;", "a|b|d");
    assert_args("a http://h/#frag x#y;", "a|http://h/#frag|x#y");
    assert_args("a '#' \"#\";", "a|#|#");
    assert_args("a b;# no newline at the end", "a|b");
}

static void
test_quotes(void **state)
{
    (void)state;
    assert_args("a \"b c\" 'd e';", "a|b c|d e");
    assert_args("a \"\" '';", "a||");
    assert_args("a \"\\\"\\\\\\n\\t;{}\";", "a|\"\\\n\t;{}");
    assert_args("a '\\n\\\"\\';", "a|\\n\\\"\\");
    assert_args("a \"x\ny\" 'p\nq';", "a|x\ny|p\nq");
    assert_args("a type=\"b c\" k='d e' x=y;", "a|type=b c|k=d e|x=y");
}

static void
test_a_regular_expression_keeps_its_braces(void **state)
{
    (void)state;
    assert_args("route ~ ^/v[0-9]{1,3}/a{2}$ { }", "route|~|^/v[0-9]{1,3}/a{2}$");
    assert_args("route ~ ^/v{ x; }", "route|~|^/v");
    assert_args("a {2;}", "a");
}

static void
test_variables_stay_whole(void **state)
{
    (void)state;
    assert_args("a x${client.ip}y${b}{2};", "a|x${client.ip}y${b}{2}");
    assert_args("a \"${a} b\" $ $x x$;", "a|${a} b|$|$x|x$");
    assert_args("a '${env.NOT_RESOLVED_HERE}';", "a|${env.NOT_RESOLVED_HERE}");
}

static void
test_quoted_or_not(void **state)
{
    struct conf *c = conf_new();
    const struct weir_conf *line;

    (void)state;
    assert_int_equal(conf_parse_text(c, "t", SLICE("a off \"off\" 'off' k=\"v\";")), 0);
    line = conf_first(conf_root(c));
    assert_false(conf_arg_quoted(line, 0));
    assert_true(conf_arg_quoted(line, 1));
    assert_true(conf_arg_quoted(line, 2));
    assert_false(conf_arg_quoted(line, 3));
    assert_false(conf_arg_quoted(line, 4));
    conf_free(c);
}

static void
test_a_quote_without_an_end_ends_with_its_line(void **state)
{
    (void)state;
    assert_told("route / {\n"
                "    respond 200 \"oops;\n"
                "    timeuot 5s;\n"
                "}\n",
                "gateway.conf:2:17: error: this quote is never closed\n"
                "    respond 200 \"oops;\n"
                "                ^\n"
                "  a \" is missing at its end\n"
                "gateway.conf:3:5: error: unknown directive `timeuot` in `route`\n"
                "    timeuot 5s;\n"
                "    ^\n"
                "  did you mean `timeout`?\n");
    /* What it has swallowed counts as what it is, so that nothing else seems wrong. */
    assert_told("host a { route \"/x {\n proxy a; }\n route / { respond 200 'x; } }\nhost b { route / { respond 200 "
                "\"x; } }\nworkers 2;",
                "gateway.conf:1:16: error: this quote is never closed\n"
                "host a { route \"/x {\n"
                "               ^\n"
                "  a \" is missing at its end\n"
                "gateway.conf:3:24: error: this quote is never closed\n"
                " route / { respond 200 'x; } }\n"
                "                       ^\n"
                "  a ' is missing at its end\n"
                "gateway.conf:4:32: error: this quote is never closed\n"
                "host b { route / { respond 200 \"x; } }\n"
                "                               ^\n"
                "  a \" is missing at its end\n");
}

static void
test_quotes_inside_words_are_refused(void **state)
{
    (void)state;
    assert_told("workers a\"b;\n", "gateway.conf:1:10: error: a quote in the middle of a word\n"
                                   "workers a\"b;\n"
                                   "         ^\n"
                                   "  put the whole word in quotes\n");
    assert_told("workers \"a\"b;\n", "gateway.conf:1:12: error: text right behind a closing quote\n"
                                     "workers \"a\"b;\n"
                                     "           ^\n"
                                     "  put a blank between them, or all of it in the quotes\n");
}

static void
test_unknown_escapes_are_refused(void **state)
{
    (void)state;
    assert_told_part("route / { respond 200 \"a\n\\d\"; }", "gateway.conf:2:1: error: unknown escape\n\\d\"; }\n^\n");
}

static void
test_unclosed_variables_are_refused(void **state)
{
    (void)state;
    assert_told_part("route / { respond 200 a${client.ip; }",
                     "gateway.conf:1:24: error: this variable is never closed\n");
    assert_told_part("route / { respond 200 \"a ${client.ip\"; }",
                     "gateway.conf:1:26: error: this variable is never closed\n");
}

static void
test_control_bytes_are_refused(void **state)
{
    static const char with_nul[] = "workers a\0b;\nuse \x01 x;\n";
    struct conf *c = fixture_new();
    char *told;

    (void)state;
    assert_int_equal(conf_parse_text(c, "gateway.conf", slice_of(with_nul, sizeof(with_nul) - 1)), -1);
    told = fixture_told(c);
    assert_string_equal(told, "gateway.conf:1:10: error: byte 0x00 cannot stand in a configuration\n"
                              "workers a?b;\n"
                              "         ^\n"
                              "gateway.conf:2:5: error: byte 0x01 cannot stand in a configuration\n"
                              "use ? x;\n"
                              "    ^\n");
    free(told);
    assert_told_part("workers \"\n\x7f\";", "gateway.conf:2:1: error: byte 0x7f cannot stand");
}

static void
test_the_caret_stands_right_behind_tabs_and_umlauts(void **state)
{
    (void)state;
    assert_told_part("\t\xc3\xa4 \tx;", "gateway.conf:1:2: error: unknown directive `\xc3\xa4` in the top level\n"
                                  "\t\xc3\xa4 \tx;\n"
                                  "\t^\n");
    assert_told("upstream a {\n\tbalance \"\xc3\xa4\xc3\xb6\"\thash x;\n}",
                "gateway.conf:2:10: error: `\xc3\xa4\xc3\xb6` cannot stand here\n"
                "\tbalance \"\xc3\xa4\xc3\xb6\"\thash x;\n"
                "\t        ^\n"
                "  write one of `round_robin`, `least_request`, `random`, `hash`\n"
                "gateway.conf:2:22: error: `x` is one argument too many for `balance`\n"
                "\tbalance \"\xc3\xa4\xc3\xb6\"\thash x;\n"
                "\t            \t     ^\n"
                "  balance round_robin|least_request|random|hash [KEY];\n");
}

static void
test_long_lines_are_shown_in_part(void **state)
{
    char text[2000];
    char *told;

    (void)state;
    memset(text, ' ', sizeof(text));
    memcpy(text + 1000, "bogus x;", 8);
    text[sizeof(text) - 1] = '\0';
    told = fixture_told(fixture_load(text));
    assert_non_null(strstr(told, "gateway.conf:1:1001: error: unknown directive `bogus`"));
    assert_true(strlen(told) < 600);
    assert_non_null(strstr(told, "bogus x;"));
    free(told);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_end_at_blanks_and_punctuation),
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_a_regular_expression_keeps_its_braces),
        cmocka_unit_test(test_variables_stay_whole),
        cmocka_unit_test(test_quoted_or_not),
        cmocka_unit_test(test_a_quote_without_an_end_ends_with_its_line),
        cmocka_unit_test(test_quotes_inside_words_are_refused),
        cmocka_unit_test(test_unknown_escapes_are_refused),
        cmocka_unit_test(test_unclosed_variables_are_refused),
        cmocka_unit_test(test_control_bytes_are_refused),
        cmocka_unit_test(test_the_caret_stands_right_behind_tabs_and_umlauts),
        cmocka_unit_test(test_long_lines_are_shown_in_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
