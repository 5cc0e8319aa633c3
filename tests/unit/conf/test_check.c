#include "fixture.h"

static void
test_a_good_file(void **state)
{
    struct conf *c = fixture_load("workers 2; listener a { bind 1.2.3.4:5; } upstream o { endpoint a:1 weight=2; }\n"
                                  "host a.b *.a.b { rate_limit { rate 1/s burst=2; mode shadow; percent 5; }\n"
                                  "  route = /x name=\"a b\" { proxy o; methods GET POST; rate_limit off; } }");

    (void)state;
    assert_int_equal(conf_errors(c), 0);
    assert_int_equal(conf_warnings(c), 0);
    assert_true(conf_is_off(conf_find(conf_find(conf_find(conf_root(c), "host"), "route"), "rate_limit")));
    assert_false(conf_is_off(conf_find(conf_find(conf_root(c), "host"), "rate_limit")));
    assert_ptr_equal(conf_row(conf_first(conf_root(c))), &fixture_rows[0]);
    assert_null(conf_row(conf_root(c)));
    conf_free(c);
}

static void
test_unknown_directives(void **state)
{
    (void)state;
    assert_told("wrokers 2;", "gateway.conf:1:1: error: unknown directive `wrokers` in the top level\n"
                              "wrokers 2;\n^\n"
                              "  did you mean `workers`?\n");
    assert_told_part("listener a { bind 1.2.3.4:5; cert x; }",
                     "unknown directive `cert` in `listener`\n"
                     "listener a { bind 1.2.3.4:5; cert x; }\n"
                     "                             ^\n"
                     "  did you mean `certificate`? (that belongs in `tls` of `listener`)\n");
    assert_told_part("upstream a { connect-timeout 5s; }", "did you mean `connect_timeout`?");
    assert_told_part("workers=2;", "did you mean `workers`?");
    assert_told_part("host a { zzzzzz; }", "  in `host` there are: route, rate_limit\n");
    assert_told_part("zzzzzz { a; b { c; } }",
                     "unknown directive `zzzzzz` in the top level\nzzzzzz { a; b { c; } }\n^\n");
}

static void
test_misplaced_directives(void **state)
{
    (void)state;
    assert_told("bind 1.2.3.4:5;\nhost a { upstream b { x; } }",
                "gateway.conf:1:1: error: `bind` cannot stand in the top level\n"
                "bind 1.2.3.4:5;\n^\n"
                "  `bind` belongs in `listener`\n"
                "gateway.conf:2:10: error: `upstream` cannot stand in `host`\n"
                "host a { upstream b { x; } }\n"
                "         ^\n"
                "  `upstream` belongs in the top level\n");
    assert_told_part("upstream a { rate_limit { } }", "  `rate_limit` belongs in the top level, `host`, `route`\n");
    /* The near name is told as well. */
    assert_told_part("route / { head 1k; }", "  `head` belongs in `limits`\n");
}

static void
test_hints_for_what_is_not_built_in(void **state)
{
    struct conf *c = fixture_new();
    char *told;

    (void)state;
    conf_add_hint(c, "brotli", "needs --with-brotli");
    conf_parse_text(c, "t", SLICE("brotli on;"));
    conf_check(c);
    told = fixture_told(c);
    assert_string_equal(told, "t:1:1: error: `brotli` needs --with-brotli\nbrotli on;\n^\n");
    free(told);
}

static void
test_duplicates(void **state)
{
    (void)state;
    assert_told("workers 2;\n\nworkers 3;", "gateway.conf:3:1: error: `workers` is set already\n"
                                            "workers 3;\n^\n"
                                            "  it may stand only once here; the first one is at gateway.conf:1\n");
    assert_told("upstream a { }\nupstream b { }\nlistener a { bind 1.2.3.4:5; }\nupstream a { }\nupstream a { }",
                "gateway.conf:4:10: error: there is a `upstream a` already\n"
                "upstream a { }\n         ^\n"
                "  the first one stands at gateway.conf:1\n"
                "gateway.conf:5:10: error: there is a `upstream a` already\n"
                "upstream a { }\n         ^\n"
                "  the first one stands at gateway.conf:1\n");
    assert_told("route / { rate_limit off; rate_limit { rate 1/s; } }",
                "gateway.conf:1:27: error: `rate_limit` is set already\n"
                "route / { rate_limit off; rate_limit { rate 1/s; } }\n"
                "                          ^\n"
                "  it may stand only once here; the first one is at gateway.conf:1\n");
    assert_told("route / { }\nroute / { }\nuse a; use a;", "");
}

static void
test_required_directives(void **state)
{
    (void)state;
    assert_told("listener a { tls { } }", "gateway.conf:1:1: error: `listener` needs a `bind`\n"
                                          "listener a { tls { } }\n^\n"
                                          "  add: bind ADDRESS;\n"
                                          "gateway.conf:1:14: error: `tls` of `listener` needs a `certificate`\n"
                                          "listener a { tls { } }\n             ^\n"
                                          "  add: certificate FILE;\n");
}

static void
test_required_at_the_top(void **state)
{
    static const struct weir_directive rows[] = { { "must", "main", .flags = WEIR_D_REQUIRED }, { 0 } };
    struct conf *c = conf_new();
    char *told;

    (void)state;
    conf_add_rows(c, rows, NULL, NULL);
    conf_parse_text(c, "t", SLICE("\n\n"));
    assert_int_equal(conf_check(c), -1);
    told = fixture_told(c);
    assert_string_equal(told, "t:1:1: error: the top level needs a `must`\n\n^\n  add: must;\n");
    free(told);
}

static void
test_too_few_and_too_many_arguments(void **state)
{
    (void)state;
    assert_told("listener { bind 1.2.3.4:5 6; tls a { certificate x; } }\nhost { }",
                "gateway.conf:1:1: error: `listener` needs NAME\n"
                "listener { bind 1.2.3.4:5 6; tls a { certificate x; } }\n^\n"
                "  listener NAME { ... }\n"
                "gateway.conf:1:27: error: `6` is one argument too many for `bind`\n"
                "listener { bind 1.2.3.4:5 6; tls a { certificate x; } }\n                          ^\n"
                "  bind ADDRESS;\n"
                "gateway.conf:1:34: error: `tls` takes no arguments\n"
                "listener { bind 1.2.3.4:5 6; tls a { certificate x; } }\n                                 ^\n"
                "  tls { ... }\n"
                "gateway.conf:2:1: error: `host` needs METHOD\n"
                "host { }\n^\n"
                "  host METHOD... { ... }\n");
    assert_told("route / { respond 200; }\nroute = / { respond 200 x; }", "");
}

static void
test_blocks_where_they_belong(void **state)
{
    (void)state;
    assert_told("workers 2 { bogus; }\nupstream a;\nupstream b { retry; }\nupstream c { retry { } }",
                "gateway.conf:1:1: error: `workers` takes no block\n"
                "workers 2 { bogus; }\n^\n"
                "  workers N;\n"
                "gateway.conf:2:11: error: `upstream` needs a block: a `{` is missing here\n"
                "upstream a;\n          ^\n"
                "  upstream NAME { ... }\n");
}

static void
test_options(void **state)
{
    struct conf *c = fixture_load("route rate=5 { }\nroute \"name=x\" { }\nroute / name=x=y { }\nroute name=n /b { }");
    const struct weir_conf *line = conf_first(conf_root(c));

    (void)state;
    assert_int_equal(conf_errors(c), 0);
    assert_string_equal(conf_arg(line, 0).p, "rate=5"); /* no option of that name: an argument */
    line = conf_sibling(line);
    assert_string_equal(conf_arg(line, 0).p, "name=x"); /* in quotes: an argument */
    assert_false(conf_opt_given(line, "name"));
    line = conf_sibling(line);
    assert_int_equal(conf_args(line), 1);
    assert_string_equal(conf_opt(line, "name").p, "x=y");
    line = conf_sibling(line);
    assert_string_equal(conf_arg(line, 0).p, "/b");
    conf_free(c);
    assert_told("upstream a { endpoint a:1 weight=1 weight=2; endpoint b:1 wigth=1; endpoint c:1 qq=2; }",
                "gateway.conf:1:36: error: the option `weight` is given twice\n"
                "upstream a { endpoint a:1 weight=1 weight=2; endpoint b:1 wigth=1; endpoint c:1 qq=2; }\n"
                "                                   ^\n"
                "gateway.conf:1:59: error: `endpoint` has no option `wigth`\n"
                "upstream a { endpoint a:1 weight=1 weight=2; endpoint b:1 wigth=1; endpoint c:1 qq=2; }\n"
                "                                                          ^\n"
                "  did you mean `weight`?\n"
                "gateway.conf:1:81: error: `endpoint` has no option `qq`\n"
                "upstream a { endpoint a:1 weight=1 weight=2; endpoint b:1 wigth=1; endpoint c:1 qq=2; }\n"
                "                                                                                ^\n"
                "  endpoint ADDRESS [weight=N] [zone=TEXT] [ramp=TIME];\n");
}

static void
test_policies(void **state)
{
    (void)state;
    assert_told("rate_limit { rate 1/s; mode shade; percent 101; }\nroute / { rate_limit off { rate 1/s; } }\nhost a { "
                "rate_limit \"off\" { rate 1/s; } }",
                "gateway.conf:1:29: error: `shade` is not one of `enforce`, `shadow`, `off`\n"
                "rate_limit { rate 1/s; mode shade; percent 101; }\n                            ^\n"
                "  did you mean `shadow`?\n"
                "gateway.conf:1:44: error: `101` is not a percentage\n"
                "rate_limit { rate 1/s; mode shade; percent 101; }\n                                           ^\n"
                "  it goes from 0% to 100%: 5%, 0.5%\n"
                "gateway.conf:2:22: error: `rate_limit off` takes no block\n"
                "route / { rate_limit off { rate 1/s; } }\n                     ^\n"
                "  end it with `;`, or take `off` away\n"
                "gateway.conf:3:21: error: `rate_limit` takes no arguments\n"
                "host a { rate_limit \"off\" { rate 1/s; } }\n                    ^\n"
                "  rate_limit { ... }\n");
    assert_told_part("upstream a { mode shadow; }", "`mode` belongs in `rate_limit`");
}

static void
test_checks_of_rows(void **state)
{
    (void)state;
    assert_told("listener a { bind 1.2.3.4:5; limits { fields 13; } }",
                "gateway.conf:1:46: error: 13 brings bad luck\n"
                "listener a { bind 1.2.3.4:5; limits { fields 13; } }\n                                             ^\n"
                "  try 14\n");
    /* Not called for what is wrong already. */
    assert_told(
        "listener a { bind 1.2.3.4:5; limits { fields 13 14; } }",
        "gateway.conf:1:49: error: `14` is one argument too many for `fields`\n"
        "listener a { bind 1.2.3.4:5; limits { fields 13 14; } }\n                                                ^\n"
        "  fields N;\n");
}

static void
test_clashes(void **state)
{
    static const struct weir_directive other[] = { { "fresh", "main" }, { "rate", "route" }, { 0 } },
                                       taken[] = { { "fresh2", "main" }, { "route", "x host" }, { 0 } },
                                       twice[] = { { "a", "x y" }, { "a", "z y" }, { 0 } },
                                       mode[] = { { "pol", "main", .block = "pol", .flags = WEIR_D_POLICY },
                                                  { "mode", "pol" },
                                                  { 0 } };
    struct conf *c = fixture_new();
    const char *clash = NULL;

    (void)state;
    assert_int_equal(conf_add_rows(c, other, "m", &clash), 0);
    assert_int_equal(conf_add_rows(c, taken, "m", &clash), -1);
    assert_string_equal(clash, "route");
    assert_int_equal(conf_add_rows(c, twice, "m", &clash), -1);
    assert_string_equal(clash, "a");
    assert_int_equal(conf_add_rows(c, mode, "m", &clash), -1);
    assert_string_equal(clash, "mode");
    conf_parse_text(c, "t", SLICE("fresh; fresh2; pol { }"));
    conf_check(c);
    assert_int_equal(conf_errors(c), 2); /* of a refused set, nothing was added */
    conf_free(c);
}

static void
test_words_of_builders(void **state)
{
    struct conf *c = fixture_load("upstream a { endpoint a:1 weight=2; }\nworkers 2;");
    const struct weir_conf *line = conf_find(conf_find(conf_root(c), "upstream"), "endpoint");
    char *told;

    (void)state;
    conf_warning(conf_find(conf_root(c), "workers"), 0, "%d are many", 2);
    conf_error(line, 7, "at the name");
    conf_opt_error(line, "weight", "at the option\nhelp\nmore help");
    conf_opt_error(line, "zone", "at the name too\r\x1b[31m");
    conf_error(conf_root(c), -1, "of the whole");
    assert_int_equal(conf_errors(c), 4);
    assert_int_equal(conf_warnings(c), 1);
    told = fixture_told(c);
    assert_string_equal(told, "gateway.conf:1:1: error: of the whole\n"
                              "upstream a { endpoint a:1 weight=2; }\n^\n"
                              "gateway.conf:1:14: error: at the name\n"
                              "upstream a { endpoint a:1 weight=2; }\n             ^\n"
                              "gateway.conf:1:14: error: at the name too??[31m\n"
                              "upstream a { endpoint a:1 weight=2; }\n             ^\n"
                              "gateway.conf:1:27: error: at the option\n"
                              "upstream a { endpoint a:1 weight=2; }\n                          ^\n"
                              "  help\n  more help\n"
                              "gateway.conf:2:9: warning: 2 are many\n"
                              "workers 2;\n        ^\n");
    free(told);
}

static void
test_a_sealed_tree_still_tells_the_line(void **state)
{
    struct conf *c = fixture_load("workers 2;\nuse a;");
    char *told;

    (void)state;
    conf_seal(c);
    assert_string_equal(conf_arg(conf_find(conf_root(c), "use"), 0).p, "a");
    conf_error(conf_find(conf_root(c), "use"), 0, "late");
    told = fixture_told(c);
    assert_string_equal(told, "gateway.conf:2: error: late\n");
    free(told);
}

static void
test_very_many_errors_are_counted(void **state)
{
    struct strbuf b;
    struct conf *c;
    char *told, *tail;

    (void)state;
    strbuf_init(&b, 1 << 20);
    for (int i = 0; i < 2500; i++)
        strbuf_addf(&b, "bogus%d %d;\n", i, i);
    c = fixture_load(b.p);
    assert_int_equal(conf_errors(c), 2500);
    told = fixture_told(c);
    tail = strstr(told, "... and 1500 more\n");
    assert_non_null(tail);
    assert_non_null(strstr(told, "gateway.conf:1000:1: error:"));
    assert_null(strstr(told, "gateway.conf:1001:1: error:"));
    free(told);
    strbuf_fini(&b);
}

static void
test_nearest(void **state)
{
    static const char *const names[] = { "round_robin", "random", "hash", "on", "certificate", NULL };

    (void)state;
    assert_string_equal(conf_nearest("raodnm", names), "random");
    assert_string_equal(conf_nearest("hsah", names), "hash");
    assert_string_equal(conf_nearest("Round-Robin", names), "round_robin");
    assert_string_equal(conf_nearest("cert", names), "certificate");
    assert_string_equal(conf_nearest("no", names), "on");
    assert_null(conf_nearest("x", names));
    assert_null(conf_nearest("", names));
    assert_null(conf_nearest("entirely", names));
    assert_null(
        conf_nearest("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", names));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_file),
        cmocka_unit_test(test_unknown_directives),
        cmocka_unit_test(test_misplaced_directives),
        cmocka_unit_test(test_hints_for_what_is_not_built_in),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_required_directives),
        cmocka_unit_test(test_required_at_the_top),
        cmocka_unit_test(test_too_few_and_too_many_arguments),
        cmocka_unit_test(test_blocks_where_they_belong),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_checks_of_rows),
        cmocka_unit_test(test_clashes),
        cmocka_unit_test(test_words_of_builders),
        cmocka_unit_test(test_a_sealed_tree_still_tells_the_line),
        cmocka_unit_test(test_very_many_errors_are_counted),
        cmocka_unit_test(test_nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
