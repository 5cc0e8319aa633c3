#include "fixture.h"

static int
clean(void **state)
{
    (void)state;
    unsetenv("WEIR_T");
    fixture_clean();
    return 0;
}

static void
test_environment(void **state)
{
    struct conf *c;
    const struct weir_conf *line;

    (void)state;
    setenv("WEIR_T", "5s", 1);
    c = fixture_load("route / { timeout ${env.WEIR_T}; respond 200 \"a ${env.WEIR_T} \\\"${client.ip}\" "
                     "type=\"${env.WEIR_T} x\"; }");
    assert_int_equal(conf_errors(c), 0);
    line = conf_first(conf_root(c));
    assert_int_equal(conf_get_int(line, "timeout"), 5000000000LL);
    line = conf_find(line, "respond");
    assert_string_equal(conf_arg(line, 1).p, "a 5s \"${client.ip}");
    assert_string_equal(conf_arg_shown(line, 1).p, "a *** \"${client.ip}");
    assert_string_equal(conf_opt(line, "type").p, "5s x");
    conf_free(c);
}

static void
test_in_single_quotes_nothing_is_resolved(void **state)
{
    struct conf *c;

    (void)state;
    setenv("WEIR_T", "x", 1);
    c = fixture_load("route '${env.WEIR_T}' { respond 200 '${env.WEIR_T}'; }");
    assert_int_equal(conf_errors(c), 0);
    assert_string_equal(conf_arg(conf_first(conf_root(c)), 0).p, "${env.WEIR_T}");
    conf_free(c);
}

static void
test_a_value_is_one_argument(void **state)
{
    struct conf *c;

    (void)state;
    setenv("WEIR_T", "a b; c {", 1);
    c = fixture_load("route ${env.WEIR_T} { proxy x; }");
    assert_int_equal(conf_errors(c), 0);
    assert_string_equal(conf_arg(conf_first(conf_root(c)), 0).p, "a b; c {");
    setenv("WEIR_T", "", 1);
    conf_free(c);
    c = fixture_load("route ${env.WEIR_T} { proxy x; }");
    assert_int_equal(conf_errors(c), 0);
    assert_int_equal(conf_args(conf_first(conf_root(c))), 1);
    conf_free(c);
}

static void
test_unset_variables(void **state)
{
    (void)state;
    assert_told("workers 2;\nroute \"/a${env.WEIR_NOT_SET}${env.}\" { }\n",
                "gateway.conf:2:10: error: the environment variable `WEIR_NOT_SET` is not set\n"
                "route \"/a${env.WEIR_NOT_SET}${env.}\" { }\n"
                "         ^\n"
                "gateway.conf:2:29: error: the environment variable `` is not set\n"
                "route \"/a${env.WEIR_NOT_SET}${env.}\" { }\n"
                "                            ^\n");
}

static void
test_files(void **state)
{
    struct conf *c = fixture_new();
    const struct weir_conf *line;
    char path[256];

    (void)state;
    fixture_file(
        "g.conf",
        "route ${file:one} { respond 200 \"<${file:sub/two}>\"; }\nroute ${file:three} { include sub/x.conf; }");
    fixture_file("one", "s3cret\n");
    fixture_file("sub/two", "a\nb\n\n");
    fixture_file("three", "a\r\n");
    fixture_file("sub/x.conf", "respond 200 ${file:two};");
    snprintf(path, sizeof(path), "%sg.conf", fixture_dir());
    assert_int_equal(conf_parse_file(c, path), 0);
    assert_int_equal(conf_check(c), 0);
    line = conf_first(conf_root(c));
    assert_string_equal(conf_arg(line, 0).p, "s3cret");
    assert_string_equal(conf_arg(conf_find(line, "respond"), 1).p, "<a\nb\n>");
    line = conf_sibling(line);
    assert_string_equal(conf_arg(line, 0).p, "a");
    assert_string_equal(conf_arg(conf_find(line, "respond"), 1).p, "a\nb\n");
    conf_free(c);
}

static void
test_files_that_cannot_be_taken(void **state)
{
    char path[256];
    struct conf *c = fixture_new();
    char *told;

    (void)state;
    fixture_file("g.conf",
                 "route ${file:none} { }\nroute ${file:large} { }\nroute ${file:nul} { }\nroute ${file:} { }\n"
                 "route ${file:most}${file:most} { }");
    fixture_file("large", "");
    fixture_file("most", "");
    fixture_file("nul", "");
    snprintf(path, sizeof(path), "%slarge", fixture_dir());
    assert_int_equal(truncate(path, (1 << 20) + 1), 0);
    snprintf(path, sizeof(path), "%snul", fixture_dir());
    assert_int_equal(truncate(path, 10), 0);
    snprintf(path, sizeof(path), "%smost", fixture_dir());
    {
        FILE *f = fopen(path, "w");

        for (int i = 0; i < 600000; i++)
            fputc('x', f);
        fclose(f);
    }
    snprintf(path, sizeof(path), "%sg.conf", fixture_dir());
    assert_int_equal(conf_parse_file(c, path), -1);
    assert_int_equal(conf_errors(c), 5);
    told = fixture_told(c);
    assert_non_null(strstr(told, "g.conf:1:7: error: cannot take the file `none`: No such file or directory\n"));
    assert_non_null(strstr(told, "g.conf:2:7: error: cannot take the file `large`: it is larger than 1 MiB\n"));
    assert_non_null(strstr(told, "g.conf:3:7: error: cannot take the file `nul`: it holds a NUL byte\n"));
    assert_non_null(strstr(told, "g.conf:4:7: error: cannot take the file ``: the name is empty\n"));
    assert_non_null(strstr(told, "g.conf:5:19: error: this argument is larger than 1 MiB\n"));
    free(told);
}

static void
test_run_time_variables_stand_in_templates_only(void **state)
{
    (void)state;
    assert_told(
        "upstream a { connect_timeout ${client.ip}; balance hash ${jwt.sub}; endpoint a:1 zone=\"x${route.name}\"; }",
        "gateway.conf:1:30: error: the run-time variable `${client.ip}` cannot stand here: `connect_timeout` is fixed "
        "when the file is loaded\n"
        "upstream a { connect_timeout ${client.ip}; balance hash ${jwt.sub}; endpoint a:1 zone=\"x${route.name}\"; }\n"
        "                             ^\n"
        "  only ${env.NAME} and ${file:PATH} can\n"
        "gateway.conf:1:82: error: the run-time variable `${route.name}` cannot stand here: `endpoint` is fixed when "
        "the file is loaded\n"
        "upstream a { connect_timeout ${client.ip}; balance hash ${jwt.sub}; endpoint a:1 zone=\"x${route.name}\"; }\n"
        "                                                                                 ^\n"
        "  only ${env.NAME} and ${file:PATH} can\n");
}

static void
test_names_of_variables(void **state)
{
    (void)state;
    assert_told("route / { respond 200 ${jwt.https://idp.example.com/role[0]}; }", "");
    assert_told_part("route / { respond 200 \"${a b}\"; }", "1:24: error: `a b` cannot be the name of a variable");
    assert_told_part("route / { respond 200 \"${a\\n}\"; }", "cannot be the name of a variable");
    assert_told_part("route / { respond 200 ${}; }", "1:23: error: `` cannot be the name of a variable");
}

static void
test_a_value_is_never_read_as_a_variable(void **state)
{
    (void)state;
    setenv("WEIR_T", "${client.ip}", 1);
    assert_told("route ${env.WEIR_T} { }", "");
    assert_told_part("route / { respond 200 ${env.WEIR_T}; }",
                     "1:23: error: the value that `***` stands for holds `${`");
}

/* --- secrets --- */

static void
test_values_do_not_show_in_errors(void **state)
{
    char *told;

    (void)state;
    setenv("WEIR_T", "topsecret", 1);
    told = fixture_told(fixture_load("upstream ${env.WEIR_T} { connect_timeout x${env.WEIR_T}; balance ${env.WEIR_T}; "
                                     "endpoint a:1 ${env.WEIR_T} weight=${env.WEIR_T}; }\n"
                                     "upstream ${env.WEIR_T} { }"));
    assert_null(strstr(told, "topsecret"));
    assert_non_null(strstr(told, "`x***` is not a duration"));
    assert_non_null(strstr(told, "there is a `upstream ***` already"));
    free(told);
}

static void
test_values_do_not_show_in_the_words_of_builders(void **state)
{
    struct conf *c;
    const struct weir_conf *line;
    char *told;

    (void)state;
    setenv("WEIR_T", "topsecret", 1);
    c = fixture_load("route redis://u:${env.WEIR_T}@h { }\nrate_limit { rate 1/s; secret hushhush; }");
    assert_int_equal(conf_errors(c), 0);
    line = conf_find(conf_root(c), "route");
    conf_error(line, 0, "no route for %s, truly: %s", conf_arg(line, 0).p, "topsecret");
    line = conf_find(conf_find(conf_root(c), "rate_limit"), "secret");
    conf_error(line, 0, "%s is short", conf_arg(line, 0).p);
    told = fixture_told(c);
    assert_null(strstr(told, "topsecret"));
    assert_null(strstr(told, "hushhush"));
    assert_non_null(strstr(told, "error: no route for redis://u:***@h, truly: ***\n"));
    assert_non_null(strstr(told, "error: *** is short\nrate_limit { rate 1/s; secret ********; }\n"));
    free(told);
    /* A message ends where a NUL stands in a value: nothing behind it is read. */
    c = fixture_new();
    conf_parse_text(c, "gateway.conf",
                    SLICE("rate_limit { rate 1/s; secret \"hush\0 and much more than the message\"; }"));
    conf_check(c);
    line = conf_find(conf_find(conf_root(c), "rate_limit"), "secret");
    conf_error(line, 0, "about %s", conf_arg(line, 0).p);
    told = fixture_told(c);
    assert_non_null(strstr(told, "error: about ***\n"));
    free(told);
}

static void
test_literal_secrets_do_not_show_in_source_lines(void **state)
{
    char *told;

    (void)state;
    told = fixture_told(fixture_load("rate_limit { rate x; secret hushhush; bogus; }\n"
                                     "host a { rate_limit { secret\n   hushhush hushhush; rate 1/s; } }\n"
                                     "host b { rate_limit { secret \"hushhush\" hush\"hush; rate 1/s; } }\n"));
    assert_null(strstr(told, "hush"));
    assert_non_null(strstr(told, "unknown directive `bogus`"));
    assert_non_null(strstr(
        told,
        "error: `***` is one argument too many for `secret`\n   ******** ********; rate 1/s; } }\n            ^\n"));
    free(told);
    told = fixture_told(fixture_load(
        "rate_limit { rate x; secret secret:hushhush; }\nroute / { rate_limit { rate x; secret file:visible; } }"));
    assert_null(strstr(told, "hush"));
    assert_non_null(strstr(told, "secret file:visible;"));
    free(told);
    /* Quotes hold what else would end a word, a directive or a line. */
    told = fixture_told(fixture_load("rate_limit { rate x; secret \"a;hushhush {hushhush\" 'x}hushhush' k=\"; hushhush"
                                     "\"; bogus; }\n"
                                     "host a { rate_limit { rate x; secret \"first;\nx; hushhush\"; bogus; } }\n"
                                     "host b { rate_limit { rate x; secret \"\\\";hushhush\"; bogus; } }\n"));
    assert_null(strstr(told, "hush"));
    assert_non_null(strstr(told, "; bogus; }\n"));
    free(told);
    /* Only where the name stands as a directive. */
    told = fixture_told(fixture_load("host a { methods secret visible; }"));
    assert_non_null(strstr(told, "methods secret visible;"));
    free(told);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_environment, clean),
        cmocka_unit_test_teardown(test_in_single_quotes_nothing_is_resolved, clean),
        cmocka_unit_test_teardown(test_a_value_is_one_argument, clean),
        cmocka_unit_test_teardown(test_unset_variables, clean),
        cmocka_unit_test_teardown(test_files, clean),
        cmocka_unit_test_teardown(test_files_that_cannot_be_taken, clean),
        cmocka_unit_test_teardown(test_run_time_variables_stand_in_templates_only, clean),
        cmocka_unit_test_teardown(test_names_of_variables, clean),
        cmocka_unit_test_teardown(test_a_value_is_never_read_as_a_variable, clean),
        cmocka_unit_test_teardown(test_values_do_not_show_in_errors, clean),
        cmocka_unit_test_teardown(test_values_do_not_show_in_the_words_of_builders, clean),
        cmocka_unit_test_teardown(test_literal_secrets_do_not_show_in_source_lines, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
