#include "fixture.h"

static void
on_difference(const struct conf_difference *d, void *arg)
{
    static const char *const words[] = { "added", "removed", "changed", "moved" };

    strbuf_addf(arg, "%s %s: [%s] %s -> [%s] %s%s\n", words[d->change], d->path, d->was_at, d->was, d->now_at, d->now,
                d->secret ? " (secret)" : "");
}

static bool
ordered(const struct weir_conf *line, bool twin)
{
    return twin || (strcmp(conf_name(line), "route") == 0 && slice_eq(conf_arg(line, 0), SLICE("~")));
}

static struct conf *
good(const char *text)
{
    struct conf *c = fixture_load(text);

    if (conf_errors(c))
        fail_msg("%s", fixture_told(c));
    return c;
}

static void
assert_diff(const char *was, const char *now, const char *differences)
{
    struct conf *a = good(was), *b = good(now);
    struct strbuf told;
    struct conf_diff_events events = { on_difference, ordered, &told };

    strbuf_init(&told, 1 << 20);
    conf_seal(a); /* as that of a live generation is */
    conf_diff(a, b, &events);
    assert_string_equal(told.p ? told.p : "", differences);
    strbuf_fini(&told);
    conf_free(a);
    conf_free(b);
}

static void
test_same(void **state)
{
    (void)state;
    assert_diff("", "", "");
    assert_diff("workers 3; upstream a { endpoint b:1; }", "upstream a {\n  endpoint 'b:1' weight=1;\n}\nworkers 3;",
                "");
    /* Written otherwise, the same to weir. */
    assert_diff("listener l { bind 1.2.3.4:5; }", "listener l { limits { head 32768; } bind 1.2.3.4:5; }", "");
    assert_diff("route / { timeout 60s; }", "route / { timeout 1m; }", "");
    assert_diff("route / { }", "route / { timeout 30000ms; buffering on; }", "");
}

static void
test_come_and_gone(void **state)
{
    (void)state;
    assert_diff("route /a { respond 200; }\nroute /b { respond 200; }",
                "route /c { respond 204 x; }\nroute /a { respond 200; }",
                "added route /c: []  -> [gateway.conf:1] route /c { respond 204 x; }\n"
                "removed route /b: [gateway.conf:2] route /b { respond 200; } -> [] \n");
    assert_diff("upstream a { endpoint b:1; }", "upstream a { endpoint b:1; endpoint c:1; retry; }",
                "added upstream a > endpoint c:1: []  -> [gateway.conf:1] endpoint c:1;\n"
                "added upstream a > retry: []  -> [gateway.conf:1] retry;\n");
}

static void
test_values(void **state)
{
    (void)state;
    assert_diff("upstream a {\n endpoint b:1;\n}", "upstream a {\n\n endpoint b:1 weight=7;\n balance random;\n}",
                "changed upstream a > endpoint b:1: [gateway.conf:2] endpoint b:1 -> "
                "[gateway.conf:3] endpoint b:1 weight=7\n"
                "changed upstream a > balance: [default] balance round_robin -> [gateway.conf:4] balance random\n");
    assert_diff("host a b {\n route / { timeout 5s; }\n}", "host a b c {\n route / { }\n}",
                "changed host a: [gateway.conf:1] host a b -> [gateway.conf:1] host a b c\n"
                "changed host a > route / > timeout: [gateway.conf:2] timeout 5s -> [default] timeout 30s\n");
    /* In a block that is nowhere in the file. */
    assert_diff("listener l { bind 1.2.3.4:5; limits { fields 9; } }", "listener l { bind 1.2.3.4:5; }",
                "changed listener l > limits > fields: [gateway.conf:1] fields 9 -> [default] fields 100\n");
    assert_diff("route / { respond 200; }", "route / { respond 200 type=text/html; }",
                "changed route / > respond: [gateway.conf:1] respond 200 -> [gateway.conf:1] respond 200 "
                "type=text/html\n");
}

static void
test_policies(void **state)
{
    (void)state;
    assert_diff("rate_limit { rate 1/s; }", "rate_limit { rate 1/s burst=5; mode shadow; }",
                "changed rate_limit > rate: [gateway.conf:1] rate 1/s -> [gateway.conf:1] rate 1/s burst=5\n"
                "changed rate_limit > mode: [default] mode enforce -> [gateway.conf:1] mode shadow\n");
    assert_diff("route / { rate_limit { rate 1/s; } }", "route / { rate_limit off; }",
                "changed route / > rate_limit: [gateway.conf:1] rate_limit { rate 1/s; } -> [gateway.conf:1] "
                "rate_limit off;\n");
}

static void
test_secrets(void **state)
{
    (void)state;
    setenv("WEIR_DIFF", "one", 1);
    struct conf *a = good("route / { respond 200 \"a ${env.WEIR_DIFF}\"; }\nrate_limit { rate 1/s; secret hush; }");
    setenv("WEIR_DIFF", "two", 1);
    struct conf *b = good("route / { respond 200 \"a ${env.WEIR_DIFF}\"; }\nrate_limit { rate 1/s; secret still; }");
    struct strbuf told;
    struct conf_diff_events events = { on_difference, NULL, &told };
    strbuf_init(&told, 1 << 20);
    conf_diff(a, b, &events);
    assert_string_equal(told.p,
                        "changed route / > respond: [gateway.conf:1] respond 200 \"a ***\" -> [gateway.conf:1] "
                        "respond 200 \"a ***\" (secret)\n"
                        "changed rate_limit > secret: [gateway.conf:2] secret *** -> [gateway.conf:2] secret *** "
                        "(secret)\n");
    strbuf_fini(&told);
    conf_free(a);
    conf_free(b);
}

static void
test_twins(void **state)
{
    (void)state;
    /* The first of three is taken away, the last changes: nothing else is said. */
    assert_diff("route / { respond 201; }\nroute / { respond 202; }\nroute / { respond 203; }",
                "route / { respond 202; }\nroute / { respond 204; }",
                "changed route / > respond: [gateway.conf:3] respond 203 -> [gateway.conf:2] respond 204\n"
                "removed route /: [gateway.conf:1] route / { respond 201; } -> [] \n");
    assert_diff(
        "route / { respond 201; }\nroute / { respond 202; }", "route / { respond 202; }\nroute / { respond 201; }",
        "moved route /: [gateway.conf:2] route / { respond 202; } -> [gateway.conf:1] route / { respond 202; }\n");
}

static void
test_order(void **state)
{
    (void)state;
    assert_diff("route /a { }\nroute ~ x { }\nroute ~ y { }\nroute ~ z { }\nroute /b { }",
                "route /b { }\nroute ~ z { }\nroute ~ x { }\nroute ~ y { }\nroute /a { }",
                "moved route ~ z: [gateway.conf:4] route ~ z { } -> [gateway.conf:2] route ~ z { }\n");
}

static void
test_files(void **state)
{
    (void)state;
    fixture_file("one.conf", "listener l { bind 1.2.3.4:5; tls { certificate sub/c.pem; } }\ninclude sub/*.conf;");
    fixture_file("two.conf", "include sub/x.inc;\ninclude sub/*.conf;");
    fixture_file("sub/x.inc", "listener l { bind 1.2.3.4:5; tls { certificate c.pem; } }");
    fixture_file("sub/r.conf", "route / { }\n");
    struct conf *a = fixture_new(), *b = fixture_new();
    char path[256];
    struct strbuf told;
    struct conf_diff_events events = { on_difference, NULL, &told };
    strbuf_init(&told, 1 << 20);
    snprintf(path, sizeof(path), "%sone.conf", fixture_dir());
    conf_parse_file(a, path);
    conf_check(a);
    snprintf(path, sizeof(path), "%stwo.conf", fixture_dir());
    conf_parse_file(b, path);
    conf_check(b);
    assert_int_equal(conf_errors(a) + conf_errors(b), 0);
    conf_diff(a, b, &events);
    assert_string_equal(told.p ? told.p : "", "");
    strbuf_fini(&told);
    conf_free(a);
    conf_free(b);
    fixture_clean();
}

static void
test_many(void **state)
{
    struct strbuf was, now;

    (void)state;
    strbuf_init(&was, 1 << 24);
    strbuf_init(&now, 1 << 24);
    for (unsigned i = 0; i < 20000; i++) {
        strbuf_addf(&was, "route /%u { respond 200; }\n", i);
        if (i != 777)
            strbuf_addf(&now, "route /%u { respond 200; }\n", i);
    }
    assert_diff(was.p, now.p, "removed route /777: [gateway.conf:778] route /777 { respond 200; } -> [] \n");
    strbuf_clear(&was);
    strbuf_clear(&now);
    for (unsigned i = 0; i < 20000; i++) { /* of one pattern */
        strbuf_addf(&was, "route / { respond 200 %u; }\n", i);
        if (i)
            strbuf_addf(&now, "route / { respond 200 %u; }\n", i);
    }
    assert_diff(was.p, now.p, "removed route /: [gateway.conf:1] route / { respond 200 0; } -> [] \n");
    strbuf_fini(&was);
    strbuf_fini(&now);
}

static void
test_long_lines(void **state)
{
    char now[2000] = "route / { respond 200 \"";
    struct conf *a = good(""), *b;
    struct strbuf told;
    struct conf_diff_events events = { on_difference, NULL, &told };

    (void)state;
    memset(now + strlen(now), 'x', 1500);
    strcat(now, "\"; }");
    b = good(now);
    strbuf_init(&told, 1 << 20);
    conf_diff(a, b, &events);
    assert_non_null(strstr(told.p, "xxx ...\n"));
    assert_true(told.n < 500);
    strbuf_fini(&told);
    conf_free(a);
    conf_free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),       cmocka_unit_test(test_come_and_gone), cmocka_unit_test(test_values),
        cmocka_unit_test(test_policies),   cmocka_unit_test(test_secrets),       cmocka_unit_test(test_twins),
        cmocka_unit_test(test_order),      cmocka_unit_test(test_files),         cmocka_unit_test(test_many),
        cmocka_unit_test(test_long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
