#include "fixture.h"

static char *
help(const char *directive, int want)
{
    struct conf *c = fixture_new();
    struct strbuf b;
    char *text;

    strbuf_init(&b, 1 << 20);
    conf_add_hint(c, "brotli", "needs --with-brotli");
    assert_int_equal(conf_help(c, directive, &b), want);
    text = strdup(b.n ? b.p : "");
    strbuf_fini(&b);
    conf_free(c);
    return text;
}

static void
assert_help(const char *directive, int rc, const char *want)
{
    char *text = help(directive, rc);

    assert_string_equal(text, want);
    free(text);
}

static void
test_one_directive(void **state)
{
    (void)state;
    assert_help("endpoint", 0,
                "endpoint ADDRESS [weight=N] [zone=TEXT] [ramp=TIME];\n"
                "    one server of it\n"
                "\n"
                "    in                     `upstream`\n"
                "    ADDRESS                an address or name: 127.0.0.1:8080, orders.internal:8080, unix:/path\n"
                "    weight                 a whole number; 1 to 1000; default 1\n"
                "    zone                   text\n"
                "    ramp                   a duration: 250ms, 5s, 10m, 24h, 7d; 1ms to 1m; default 5s\n"
                "    repeated               yes\n");
    assert_help(
        "rate_limit", 0,
        "rate_limit { ... }\n"
        "    so many\n"
        "\n"
        "    in                     the top level, `host`, `route`\n"
        "    off                    `rate_limit off;` drops one that an outer block has set\n"
        "\n"
        "    Inside:\n"
        "    mode                   enforce: its verdicts count; shadow: they are only recorded; off: it is not asked\n"
        "    percent                share of the exchanges that it is asked about\n"
        "    rate                   per time\n"
        "    key                    who shares\n"
        "    secret                 not to be shown\n");
}

static void
test_no_such_directive(void **state)
{
    (void)state;
    assert_help("endpiont", -1, "there is no directive `endpiont`; did you mean `endpoint`?\n");
    assert_help("zzzzzzzz", -1, "there is no directive `zzzzzzzz`; `weir help` lists them all\n");
    assert_help("brotli", -1, "`brotli` needs --with-brotli\n");
}

static void
test_all(void **state)
{
    char *text = help(NULL, 0);

    (void)state;
    assert_non_null(strstr(text, "At the top level:\n    include                "));
    assert_non_null(strstr(text, "    workers                threads that serve\n"));
    assert_non_null(strstr(text, "\nIn `listener`:\n    bind                   an address\n"));
    assert_non_null(strstr(text, "\nIn `tls` of `listener`:\n"));
    assert_non_null(strstr(text, "\nIn `rate_limit`:\n    mode "));
    free(text);
}

static void
test_reference(void **state)
{
    struct conf *c = fixture_new();
    struct strbuf b;

    (void)state;
    strbuf_init(&b, 1 << 20);
    conf_reference(c, &b);
    assert_int_equal(strncmp(b.p, ".Ss Top level\n.Bl -tag -width Ds\n.It Ic include Ar FILE\n", 50), 0);
    assert_non_null(
        strstr(b.p, ".It Ic workers Ar \\&N\nthreads that serve.\n.br\nContext: the top level.\nDefault: auto.\n"));
    assert_non_null(strstr(b.p, ".It Ic endpoint Ar ADDRESS Oo Cm weight Ns = Ns Ar \\&N Oc Oo Cm zone Ns = Ns Ar TEXT "
                                "Oc Oo Cm ramp Ns = Ns Ar TIME Oc\n"
                                "one server of it.\n.br\nContext: upstream.\nMay be repeated.\n"
                                ".br\nweight: 1 to 1000; default 1.\n.br\nramp: 1ms to 1m; default 5s.\n"));
    assert_non_null(strstr(b.p, ".It Ic mode Cm enforce No \\&| Cm shadow No \\&| Cm \\&off\n"));
    assert_non_null(strstr(b.p, "Context: every policy.\nDefault: enforce.\n"));
    assert_non_null(strstr(b.p, ".It Ic listener Ar NAME No { ... }\n"));
    assert_non_null(strstr(b.p, ".It Ic retry Oo No { ... } Oc\n"));
    assert_non_null(strstr(b.p, "Context: the top level, host, route."));
    strbuf_fini(&b);
    conf_free(c);
}

static void
test_every_row_is_in_the_reference_once(void **state)
{
    struct conf *c = fixture_new();
    struct strbuf b;
    unsigned rows = 3, items = 0; /* two of the host, and include */

    (void)state;
    strbuf_init(&b, 1 << 20);
    conf_reference(c, &b);
    for (const struct weir_directive *r = fixture_rows; r->name; r++)
        rows++;
    for (const char *p = b.p; (p = strstr(p, "\n.It ")); p++)
        items++;
    assert_int_equal(items, rows);
    strbuf_fini(&b);
    conf_free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_directive),
        cmocka_unit_test(test_no_such_directive),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_every_row_is_in_the_reference_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
