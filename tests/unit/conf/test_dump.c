#include "fixture.h"

/* Dumps a text, parses the dump, and dumps that: both must be the same. Returns the dump. */
static char *
round_trip(const char *text)
{
    struct conf *c = fixture_load(text), *again;
    char *first, *second;

    if (conf_errors(c))
        fail_msg("%s", fixture_told(c));
    first = fixture_dump(c);
    conf_free(c);
    again = fixture_new();
    conf_allow_masked(again);
    conf_parse_text(again, "dump.conf", slice_str(first));
    conf_check(again);
    if (conf_errors(again))
        fail_msg("%s", fixture_told(again));
    second = fixture_dump(again);
    assert_string_equal(second, first);
    free(second);
    conf_free(again);
    return first;
}

static void
assert_dump(const char *text, const char *dump)
{
    char *got = round_trip(text);

    assert_string_equal(got, dump);
    free(got);
}

#define TOP "workers auto;\naccess_log stdout format=json;\n"

static void
test_defaults(void **state)
{
    (void)state;
    assert_dump("", TOP);
    assert_dump("workers   3 ;  # mine\n", "access_log stdout format=json;\nworkers 3;\n");
    assert_dump("access_log off;", "workers auto;\naccess_log off format=json;\n");
    assert_dump("listener a{bind 1.2.3.4:5;}", TOP "listener a {\n"
                                                   "    bind 1.2.3.4:5;\n"
                                                   "    limits {\n"
                                                   "        head 32k;\n"
                                                   "        fields 100;\n"
                                                   "    }\n"
                                                   "}\n");
    assert_dump("upstream a { endpoint b:1 zone=z; retry; }\nupstream b { retry { } balance random; }",
                TOP "upstream a {\n"
                    "    endpoint b:1 zone=z weight=1 ramp=5s;\n"
                    "    retry;\n"
                    "    balance round_robin;\n"
                    "    connect_timeout 1s;\n"
                    "}\n"
                    "upstream b {\n"
                    "    retry {\n"
                    "    }\n"
                    "    balance random;\n"
                    "    connect_timeout 1s;\n"
                    "}\n");
}

static void
test_policies(void **state)
{
    (void)state;
    assert_dump("rate_limit { rate 100/s; percent 5; }\nroute / { rate_limit off; }",
                TOP "rate_limit {\n"
                    "    rate 100/s;\n"
                    "    percent 5;\n"
                    "    mode enforce;\n"
                    "    key ${client.ip};\n"
                    "}\n"
                    "route / {\n"
                    "    rate_limit off;\n"
                    "    timeout 30s;\n"
                    "    buffering on;\n"
                    "}\n");
}

static void
test_quotes(void **state)
{
    (void)state;
    assert_dump(
        "route \"a b\" { respond 200 \"\\\"\\\\\\n\\t;{}#'\" type=\"a b\"; }\n"
        "route 'it is \"so\"' { respond 200 '${client.ip} ${env.X} \\'; }\n"
        "route \"off\" \"name=x\" { respond 200 \"\"; }\n"
        "route ~ ^/v[0-9]{2}/#x$ { respond 200 x${client.ip}y; }\n",
        TOP
        "route \"a b\" {\n    respond 200 \"\\\"\\\\\\n\\t;{}#'\" type=\"a b\";\n    timeout 30s;\n    buffering "
        "on;\n}\n"
        "route \"it is \\\"so\\\"\" {\n    respond 200 '${client.ip} ${env.X} \\' type=\"text/plain; charset=utf-8\";\n"
        "    timeout 30s;\n    buffering on;\n}\n"
        "route \"off\" \"name=x\" {\n    respond 200 \"\" type=\"text/plain; charset=utf-8\";\n    timeout 30s;\n    "
        "buffering on;\n}\n"
        "route ~ ^/v[0-9]{2}/#x$ {\n    respond 200 x${client.ip}y type=\"text/plain; charset=utf-8\";\n"
        "    timeout 30s;\n    buffering on;\n}\n");
}

static void
test_quoted_text_comes_back_as_it_was(void **state)
{
    char *dump = round_trip("route \"tab\\tnl\\n\\\"q\\\" \\\\ 'x' $\" { }");
    struct conf *c;

    (void)state;
    free(dump);
    c = fixture_load("route \"\\ttab \\\"q\\\" \\\\\\n\" { }");
    dump = fixture_dump(c);
    conf_free(c);
    c = fixture_load(dump);
    assert_string_equal(conf_arg(conf_find(conf_root(c), "route"), 0).p, "\ttab \"q\" \\\n");
    conf_free(c);
    free(dump);
}

static void
test_secrets(void **state)
{
    char *dump;

    (void)state;
    setenv("WEIR_T", "topsecret", 1);
    setenv("WEIR_P", "9001", 1);
    setenv("WEIR_N", "7", 1);
    dump = round_trip("workers ${env.WEIR_T};\n"
                      "upstream a { endpoint a:${env.WEIR_P} zone=\"${env.WEIR_T} x\" weight=${env.WEIR_N}; }\n");
    assert_null(strstr(dump, "topsecret"));
    assert_non_null(strstr(dump, "workers ***;\n"));
    assert_non_null(strstr(dump, "endpoint a:*** zone=\"*** x\" weight=*** ramp=5s;\n"));
    free(dump);
    dump = round_trip("rate_limit { rate 1/s; secret \"hush hush\"; key \"${env.WEIR_T} ${client.ip}\"; }");
    assert_null(strstr(dump, "hush"));
    assert_non_null(strstr(dump, "    secret ***;\n"));
    assert_non_null(strstr(dump, "    key \"*** ${client.ip}\";\n"));
    free(dump);
    dump = round_trip(
        "rate_limit { rate 1/s; secret secret:hush; }\nhost a { rate_limit { rate 1/s; secret file:/a/b; } }");
    assert_null(strstr(dump, "hush"));
    assert_non_null(strstr(dump, "    secret secret:***;\n"));
    assert_non_null(strstr(dump, "    secret file:/a/b;\n"));
    free(dump);
    unsetenv("WEIR_T");
    unsetenv("WEIR_P");
    unsetenv("WEIR_N");
}

static void
test_files_become_absolute(void **state)
{
    char path[256], want[512];
    struct conf *c = fixture_new(), *again = fixture_new();
    char *dump, *second;

    (void)state;
    fixture_file("g.conf", "include conf.d/*.conf;\naccess_log logs/a.log;");
    fixture_file("conf.d/l.conf", "listener a { bind 1.2.3.4:5; tls { certificate \"my cert.pem\"; } }\n"
                                  "listener b { bind 1.2.3.4:6; tls { certificate file:c.pem; } }\n"
                                  "listener c { bind 1.2.3.4:7; tls { certificate https://x/y; } }\n"
                                  "rate_limit { rate 1/s; secret file:s.txt; }\n"
                                  "listener d { bind 1.2.3.4:8; tls { certificate /etc/c.pem; } }\n");
    snprintf(path, sizeof(path), "%sg.conf", fixture_dir());
    conf_parse_file(c, path);
    assert_int_equal(conf_check(c), 0);
    dump = fixture_dump(c);
    conf_free(c);
    snprintf(want, sizeof(want), "certificate \"%sconf.d/my cert.pem\";\n", fixture_dir());
    assert_non_null(strstr(dump, want));
    snprintf(want, sizeof(want), "certificate file:%sconf.d/c.pem;\n", fixture_dir());
    assert_non_null(strstr(dump, want));
    snprintf(want, sizeof(want), "access_log %slogs/a.log format=json;\n", fixture_dir());
    assert_non_null(strstr(dump, want));
    snprintf(want, sizeof(want), "secret file:%sconf.d/s.txt;\n", fixture_dir());
    assert_non_null(strstr(dump, want));
    assert_non_null(strstr(dump, "certificate https://x/y;\n"));
    assert_non_null(strstr(dump, "certificate /etc/c.pem;\n"));
    assert_null(strstr(dump, "include"));
    conf_parse_text(again, "/elsewhere/x.conf", slice_str(dump));
    assert_int_equal(conf_check(again), 0);
    second = fixture_dump(again);
    assert_string_equal(second, dump);
    conf_free(again);
    free(dump);
    free(second);
    fixture_clean();
}

static void
test_a_file_with_errors_can_be_dumped(void **state)
{
    struct conf *c = fixture_load("bogus \"a b\" { x; }\nupstream a b { endpoint; }");
    char *dump = fixture_dump(c);

    (void)state;
    assert_non_null(strstr(dump, "bogus \"a b\" {\n    x;\n}\n"));
    conf_free(c);
    free(dump);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_quoted_text_comes_back_as_it_was),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_files_become_absolute),
        cmocka_unit_test(test_a_file_with_errors_can_be_dumped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
