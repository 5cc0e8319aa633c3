#include "fixture.h"

static void
test_what_is_given_and_what_holds_by_default(void **state)
{
    struct conf *c =
        fixture_load("upstream a { endpoint a:1 weight=3; endpoint b:1; connect_timeout 2s; }\nupstream b { }");
    const struct weir_conf *a = conf_find(conf_root(c), "upstream"), *b = conf_next(a), *line;

    (void)state;
    assert_int_equal(conf_errors(c), 0);
    assert_int_equal(conf_get_int(a, "connect_timeout"), 2 * NSEC_PER_SEC);
    assert_int_equal(conf_get_int(b, "connect_timeout"), NSEC_PER_SEC);
    assert_string_equal(conf_get_str(b, "balance").p, "round_robin");
    assert_null(conf_get(b, "panic"));
    assert_int_equal(conf_get_int(b, "panic"), 0);
    assert_true(conf_get_percent(b, "panic") == 0);
    assert_int_equal(conf_get_str(b, "panic").n, 0);
    assert_null(conf_get(b, "no_such_thing"));
    line = conf_find(a, "endpoint");
    assert_int_equal(conf_opt_int(line, "weight", 7), 3);
    assert_true(conf_opt_given(line, "weight"));
    line = conf_next(line);
    assert_int_equal(conf_opt_int(line, "weight", 7), 1);
    assert_string_equal(conf_opt(line, "weight").p, "1");
    assert_false(conf_opt_given(line, "weight"));
    assert_int_equal(conf_opt_int(line, "ramp", 7), 5 * NSEC_PER_SEC);
    assert_null(conf_opt(line, "zone").p);
    assert_int_equal(conf_opt_int(line, "zone", 7), 7);
    assert_null(conf_next(line));
    conf_free(c);
}

static void
test_default_lines_have_options_and_insides(void **state)
{
    struct conf *c = fixture_load("listener a { bind 1.2.3.4:5; }");
    const struct weir_conf *listener = conf_find(conf_root(c), "listener"), *limits, *log;

    (void)state;
    log = conf_get(conf_root(c), "access_log");
    assert_non_null(log);
    assert_string_equal(conf_arg(log, 0).p, "stdout");
    assert_string_equal(conf_opt(log, "format").p, "json");
    assert_string_equal(conf_at(log), "default");
    assert_ptr_equal(log, conf_get(conf_root(c), "access_log"));
    limits = conf_get(listener, "limits");
    assert_non_null(limits);
    assert_int_equal(conf_get_int(limits, "head"), 32768);
    assert_int_equal(conf_get_int(limits, "fields"), 100);
    assert_null(conf_first(limits));
    assert_null(conf_get(listener, "tls"));
    conf_free(c);
}

static void
test_policies_have_mode_and_percent(void **state)
{
    struct conf *c = fixture_load("rate_limit { rate 1/s; }\nhost a { rate_limit { rate 1/s; mode shadow; percent 10; "
                                  "} route / { rate_limit { rate 1/s; percent 2.5%; } } }");
    const struct weir_conf *top = conf_find(conf_root(c), "rate_limit"), *host = conf_find(conf_root(c), "host");

    (void)state;
    assert_int_equal(conf_errors(c), 0);
    assert_string_equal(conf_get_str(top, "mode").p, "enforce");
    assert_true(conf_get_percent(top, "percent") == 100);
    assert_string_equal(conf_get_str(conf_find(host, "rate_limit"), "mode").p, "shadow");
    assert_int_equal(conf_get_int(conf_find(host, "rate_limit"), "mode"), 1);
    assert_true(conf_get_percent(conf_find(host, "rate_limit"), "percent") == 10);
    assert_true(conf_get_percent(conf_find(conf_find(host, "route"), "rate_limit"), "percent") == 2.5);
    conf_free(c);
}

static void
test_nothing_of_nothing(void **state)
{
    uint64_t count = 1;
    nsec_t per = 1;

    (void)state;
    assert_null(conf_find(NULL, "a"));
    assert_null(conf_next(NULL));
    assert_null(conf_first(NULL));
    assert_null(conf_sibling(NULL));
    assert_null(conf_parent(NULL));
    assert_null(conf_get(NULL, "a"));
    assert_int_equal(conf_args(NULL), 0);
    assert_string_equal(conf_arg(NULL, 0).p, "");
    assert_int_equal(conf_int(NULL, 0), 0);
    assert_false(conf_arg_quoted(NULL, 0));
    assert_false(conf_is_off(NULL));
    assert_int_equal(conf_opt_int(NULL, "a", 4), 4);
    assert_null(conf_opt(NULL, "a").p);
    conf_rate(NULL, 0, &count, &per);
    assert_int_equal(count + (uint64_t)per, 0);
    conf_free(NULL);
}

/* --- large files --- */

static void
test_ten_thousand_routes(void **state)
{
    struct strbuf b;
    struct conf *c;
    const struct weir_conf *line;
    unsigned n = 0;
    nsec_t start, took;

    (void)state;
    strbuf_init(&b, 1 << 24);
    for (int i = 0; i < 10000; i++)
        strbuf_addf(
            &b,
            "upstream u%d { endpoint 10.0.0.1:80; }\nroute /service/%d/ { proxy u%d; methods GET POST; timeout 5s; }\n",
            i, i, i);
    strbuf_adds(&b, "workers 2;\nupstream u77 { }\n");
    start = clock_precise();
    c = fixture_load(b.p);
    assert_int_equal(conf_errors(c), 1); /* the second u77 */
    for (line = conf_find(conf_root(c), "route"); line; line = conf_next(line)) {
        assert_non_null(conf_find(conf_root(c), "workers"));
        assert_int_equal(conf_get_int(line, "timeout"), 5 * NSEC_PER_SEC);
        n++;
    }
    took = clock_precise() - start;
    assert_int_equal(n, 10000);
    /* 0.1 s, or a second under a sanitizer; anything quadratic takes minutes. */
    assert_true(took < 20 * NSEC_PER_SEC);
    conf_free(c);
    strbuf_fini(&b);
}

static void
test_find_in_large_blocks(void **state)
{
    struct strbuf b;
    struct conf *c = conf_new();
    char name[16];

    (void)state;
    strbuf_init(&b, 1 << 20);
    for (int i = 0; i < 300; i++)
        strbuf_addf(&b, "n%d %d;\n", i % 100, i);
    conf_parse_text(c, "t", strbuf_slice(&b));
    for (int i = 0; i < 100; i++) {
        const struct weir_conf *line;

        snprintf(name, sizeof(name), "n%d", i);
        line = conf_find(conf_root(c), name);
        for (int j = i; j < 300; j += 100, line = conf_next(line))
            assert_int_equal(atoi(conf_arg(line, 0).p), j);
        assert_null(line);
    }
    assert_null(conf_find(conf_root(c), "n100"));
    conf_free(c);
    strbuf_fini(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_given_and_what_holds_by_default),
        cmocka_unit_test(test_default_lines_have_options_and_insides),
        cmocka_unit_test(test_policies_have_mode_and_percent),
        cmocka_unit_test(test_nothing_of_nothing),
        cmocka_unit_test(test_ten_thousand_routes),
        cmocka_unit_test(test_find_in_large_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
