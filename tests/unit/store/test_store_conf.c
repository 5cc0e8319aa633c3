/* The rows: what is refused, with which words, and what is never shown. */
#include "../../../src/store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct conf *conf;
static struct strbuf text;

static const char *
check(const char *source, bool masked)
{
    conf = conf_new();
    strbuf_init(&text, 1 << 16);
    conf_add_rows(conf, store_rows, "store", NULL);
    if (masked)
        conf_allow_masked(conf);
    if (conf_parse_text(conf, "test.conf", slice_str(source)) == 0)
        conf_check(conf);
    conf_diagnostics(conf, &text);
    return text.n ? text.p : "";
}

static void
drop(void)
{
    conf_free(conf);
    strbuf_fini(&text);
}

static void
test_defaults(void **state)
{
    const struct weir_conf *block;
    struct arena arena;
    struct store *s;
    double latency;

    assert_string_equal(check("store main { url redis://10.0.0.1; }", false), "");
    block = conf_find(conf_root(conf), "store");
    assert_true(conf_get_int(block, "timeout") == 5 * NSEC_PER_MSEC);
    arena_init(&arena);
    s = store_build(block, &arena); /* with no workers, as `weir check` does */
    assert_string_equal(store_name(s), "main");
    assert_string_equal(store_url_shown(s), "redis://10.0.0.1");
    assert_false(store_required(s));
    assert_string_equal(store_state(s, &latency), "connecting");
    store_free(s);
    arena_fini(&arena);
    drop();
}

static void
test_refused(void **state)
{
    assert_non_null(strstr(check("store main { }", false), "url"));
    drop();
    assert_non_null(strstr(check("store main { url http://h; }", false), "begins with redis://"));
    drop();
    assert_non_null(strstr(check("store main { url redis://h; timeout 0s; }", false), "error"));
    drop();
    assert_non_null(strstr(check("store a { url redis://h; } store a { url redis://h; }", false), "error"));
    drop();
    assert_non_null(strstr(check("store main { url redis://h; ca /x; }", false), "warning: ca has no effect"));
    assert_int_equal(conf_errors(conf), 0);
    drop();
}

static void
test_a_missing_ca_is_an_error(void **state)
{
    struct arena arena;

    check("store main { url rediss://h; ca /no/such/file.pem; }", false);
    assert_int_equal(conf_errors(conf), 0);
    arena_init(&arena);
    assert_null(store_build(conf_find(conf_root(conf), "store"), &arena));
    assert_int_equal(conf_errors(conf), 1);
    strbuf_clear(&text);
    conf_diagnostics(conf, &text);
    assert_non_null(strstr(text.p, "/no/such/file.pem"));
    arena_fini(&arena);
    drop();
}

static void
test_secrets(void **state)
{
    struct arena arena;
    struct strbuf dump;
    struct store *s;

    assert_null(strstr(check("store main { url \"redis://u:hunter2@h:x\"; }", false), "hunter2"));
    assert_int_equal(conf_errors(conf), 1);
    drop();

    setenv("STORE_TEST_URL", "redis://u:hunter2@hidden.test/1", 1);
    assert_string_equal(
        check("store main { url ${env.STORE_TEST_URL}; }\nstore other { url redis://u:hunter2@shown.test/1; }\n",
              false),
        "");
    arena_init(&arena);
    s = store_build(conf_find(conf_root(conf), "store"), &arena);
    assert_string_equal(store_url_shown(s), "***");
    store_free(s);
    s = store_build(conf_next(conf_find(conf_root(conf), "store")), &arena);
    assert_string_equal(store_url_shown(s), "redis://u:***@shown.test/1");
    store_free(s);
    strbuf_init(&dump, 1 << 16);
    conf_dump(conf, &dump);
    assert_null(strstr(dump.p, "hunter2"));
    assert_null(strstr(dump.p, "hidden.test"));
    drop();

    /* A dump can be checked, and built for a check. */
    assert_string_equal(check(dump.p, true), "");
    s = store_build(conf_find(conf_root(conf), "store"), &arena);
    assert_non_null(s);
    store_free(s);
    drop();
    strbuf_fini(&dump);
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_a_missing_ca_is_an_error),
        cmocka_unit_test(test_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
