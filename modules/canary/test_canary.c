#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../testing/fakehost.h"
#include "canary.h"

#include <stdio.h>
#include <string.h>

extern const struct weir_module weir_module;

#define V "variant orders-v1 95%; variant orders-v2 5%; "

static int
setup(void **state)
{
    fake_begin(&weir_module);
    return 0;
}

static int
teardown(void **state)
{
    fake_end();
    return 0;
}

/* Where a request with this cookie (or none) goes; the cookie it is given goes to `given`. */
static const char *
send(void *config, const char *cookie, char given[256])
{
    static char target[128];
    struct weir_exchange *x = fake_exchange();
    if (cookie)
        fake_cookie(x, "v", cookie);
    assert_int_equal(weir_module.target(x, config), WEIR_CONTINUE);
    strcpy(target, x->target);
    const char *set = fake_header(&x->response, "Set-Cookie");
    if (given)
        snprintf(given, 256, "%s", set ? set : "");
    else
        assert_null(set);
    fake_exchange_free(x);
    return target;
}

/* The value out of a Set-Cookie line. */
static const char *
value_of(const char *line)
{
    static char value[256];
    sscanf(line, "v=%255[^;]", value);
    return value;
}

static void
test_configuration(void **state)
{
    strcpy(fake.upstreams, "orders-v1 orders-v2");
    assert_null(fake_configure("canary { variant orders-v1 95%; variant orders-v2 4%; }"));
    assert_non_null(strstr(fake.errors, "99%"));
    assert_null(fake_configure("canary { variant orders-v1 95%; variant orders-v3 5%; }"));
    assert_non_null(strstr(fake.errors, "orders-v3"));
    assert_null(fake_configure("canary { " V "force header a = b to c; }"));
    assert_null(fake_configure("canary { " V "sticky cookie \"a b\"; }"));
    assert_null(fake_configure("canary { " V "sticky by ${client.ip} ttl=1h; }"));
    assert_null(fake_configure("canary { " V "sticky cookie v; secret short; }"));
    assert_null(fake_configure("canary { }"));
    assert_non_null(fake_configure("canary { variant orders-v1 33.4%; variant orders-v2 66.6%; }"));
    assert_string_equal(fake.default_target, "orders-v2");
}

static void
test_random_split(void **state)
{
    void *c = fake_configure("canary { " V "}");
    unsigned v2 = 0;
    assert_string_equal(fake.default_target, "orders-v1");
    for (int i = 0; i < 20000; i++)
        v2 += strcmp(send(c, NULL, NULL), "orders-v2") == 0;
    assert_in_range(v2, 880, 1120);
}

static void
test_sticky_by_key(void **state)
{
    void *c = fake_configure("canary { variant a 50%; variant b 50%; sticky by ${jwt.sub}; }");
    char first[64] = "";
    unsigned a = 0;
    for (int i = 0; i < 2000; i++) {
        struct weir_exchange *x = fake_exchange();
        char sub[16];
        snprintf(sub, sizeof(sub), "user%d", i / 2);
        fake_variable(x, "jwt.sub", sub);
        weir_module.target(x, c);
        if (i % 2)
            assert_string_equal(x->target, first);
        strcpy(first, x->target);
        a += x->target[0] == 'a';
        fake_exchange_free(x);
    }
    assert_in_range(a, 850, 1150);
    /* Those without a key are many clients, not one. */
    a = 0;
    for (int i = 0; i < 200; i++)
        a += send(c, NULL, NULL)[0] == 'a';
    assert_in_range(a, 50, 150);
}

static void
test_sticky_cookie(void **state)
{
    void *c = fake_configure("canary { variant a 50%; variant b 50%; sticky cookie v ttl=1h; }");
    char given[256], cookie[256];
    for (int i = 0; i < 20; i++) {
        char first = send(c, NULL, given)[0];
        assert_non_null(strstr(given, "; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"));
        assert_null(strstr(given, "Secure"));
        strcpy(cookie, value_of(given));
        for (int k = 0; k < 5; k++)
            assert_int_equal(send(c, cookie, NULL)[0], first); /* and is not given again */
    }
    fake_advance(3600 * FAKE_SECOND);
    send(c, cookie, given);
    assert_string_not_equal(given, "");

    struct weir_exchange *x = fake_exchange();
    x->tls = true;
    weir_module.target(x, c);
    assert_non_null(strstr(fake_header(&x->response, "Set-Cookie"), "; Secure"));
    fake_exchange_free(x);
}

static void
test_a_made_up_cookie_chooses_nothing(void **state)
{
    void *c = fake_configure("canary { variant a 100%; variant b 0%; sticky cookie v; }");
    char given[256];
    assert_string_equal(send(c, "b", given), "a");
    assert_string_not_equal(given, "");
    assert_null(strstr(given, "Max-Age"));
    assert_string_equal(send(c, "b~0~00000000~AAAAAAAAAAAAAAAAAAAAAA", given), "a");
}

static void
test_secret_is_shared_by_replicas(void **state)
{
    char given[256], cookie[256];
    void *c = fake_configure("canary { variant a 0%; variant b 100%; sticky cookie v; secret 0123456789abcdefX; }");
    send(c, NULL, given);
    strcpy(cookie, value_of(given));
    fake_end();
    setup(NULL);
    c = fake_configure("canary { variant a 100%; variant b 0%; sticky cookie v; secret 0123456789abcdefX; }");
    assert_string_equal(send(c, cookie, NULL), "b");
    c = fake_configure("canary { variant a 100%; variant b 0%; sticky cookie v; }");
    assert_string_equal(send(c, cookie, given), "a");
}

/* A cookie that ties to b, for later files. */
static void
tie_to_b(char cookie[256])
{
    char given[256];
    void *c = fake_configure("canary { variant a 0%; variant b 100%; sticky cookie v; }");
    assert_string_equal(send(c, NULL, given), "b");
    strcpy(cookie, value_of(given));
}

static void
test_weight_zero_keeps_those_it_has_until_drain(void **state)
{
    char cookie[256], given[256];
    tie_to_b(cookie);
    void *c = fake_configure("canary { variant a 100%; variant b 0%; sticky cookie v; }");
    assert_string_equal(send(c, cookie, NULL), "b");
    for (int i = 0; i < 100; i++)
        assert_string_equal(send(c, NULL, given), "a");
    c = fake_configure("canary { variant a 100%; variant b 0% drain; sticky cookie v; }");
    assert_string_equal(send(c, cookie, given), "a");
    assert_non_null(strstr(given, "v=a~"));
    c = fake_configure("canary { variant a 100%; sticky cookie v; }"); /* b is gone */
    assert_string_equal(send(c, cookie, given), "a");
}

static void
test_unhealthy_variants_give_their_share(void **state)
{
    char cookie[256], given[256];
    tie_to_b(cookie);
    void *c = fake_configure("canary { variant a 20%; variant b 50%; variant c 30%; sticky cookie v; }");
    strcpy(fake.unhealthy, "b");
    unsigned a = 0;
    for (int i = 0; i < 5000; i++) {
        const char *t = send(c, NULL, given);
        assert_string_not_equal(t, "b");
        a += *t == 'a';
    }
    assert_in_range(a, 1850, 2150); /* 20 of 50 */
    /* One that is tied goes elsewhere, always to the same, keeps its cookie and returns. */
    char other = send(c, cookie, NULL)[0];
    for (int i = 0; i < 20; i++)
        assert_int_equal(send(c, cookie, NULL)[0], other);
    fake.unhealthy[0] = '\0';
    assert_string_equal(send(c, cookie, NULL), "b");
    strcpy(fake.unhealthy, "a b c");
    assert_string_equal(send(c, cookie, NULL), "b"); /* nobody is well: as if all were */
    send(c, NULL, given);
}

static void
test_force(void **state)
{
    void *c = fake_configure("canary { " V "sticky cookie v; force header x-canary = always to orders-v2;"
                             " force cookie beta = 1 to orders-v2; force query try = yes to special; }");
    struct weir_exchange *x = fake_exchange();
    fake_request_header(x, "X-Canary", "always");
    assert_int_equal(weir_module.target(x, c), WEIR_CONTINUE);
    assert_string_equal(x->target, "orders-v2");
    assert_string_equal(x->note, "forced");
    assert_null(fake_header(&x->response, "Set-Cookie"));
    fake_exchange_free(x);
    x = fake_exchange();
    fake_cookie(x, "beta", "1");
    weir_module.target(x, c);
    assert_string_equal(x->target, "orders-v2");
    fake_exchange_free(x);
    x = fake_exchange();
    fake_variable(x, "request.arg.try", "yes");
    weir_module.target(x, c);
    assert_string_equal(x->target, "special");
    fake_exchange_free(x);
    x = fake_exchange();
    fake.random_fixed = true;
    fake_request_header(x, "X-Canary", "Always");
    weir_module.target(x, c);
    assert_string_equal(x->target, "orders-v1");
    fake_exchange_free(x);
}

static int
patch(void *config, const char *body)
{
    const char *error = NULL;
    int rc = weir_module.control(config, (struct weir_str){ body, strlen(body) }, &error);
    assert_true(rc == 0 || error);
    return rc;
}

static void
test_patch(void **state)
{
    void *c = fake_configure("canary { " V "}");
    weir_module.start(c);
    assert_string_equal(fake_view(c),
                        "{\"weights\":{\"orders-v1\":95,\"orders-v2\":5},\"file\":{\"orders-v1\":95,\"orders-v2\":5},"
                        "\"overridden\":false}");
    static const char *const bad[] = { "",
                                       "[]",
                                       "{}",
                                       "{\"weights\":{}}",
                                       "{\"weights\":[]}",
                                       "{\"weights\":{\"orders-v3\":1}}",
                                       "{\"weights\":{\"orders-v2\":\"1\"}}",
                                       "{\"weights\":{\"orders-v2\":101}}",
                                       "{\"weights\":{\"orders-v2\":-1}}",
                                       "{\"weights\":{\"orders-v1\":10,\"orders-v2\":10}}",
                                       "{\"weights\":{\"orders-v1\":90,\"orders-v2\":20}}",
                                       "{\"weights\":{\"orders-v2\":10},\"x\":1}",
                                       "{\"weights\":{\"orders-v2\":10,\"orders-v2\":10}}" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(patch(c, bad[i]), 400);
    assert_non_null(strstr(fake_view(c), "\"overridden\":false"));

    assert_int_equal(patch(c, "{\"weights\":{\"orders-v2\":100}}"), 0);
    assert_int_equal(strncmp(fake_view(c), "{\"weights\":{\"orders-v1\":0,\"orders-v2\":100}", 42), 0);
    for (int i = 0; i < 50; i++)
        assert_string_equal(send(c, NULL, NULL), "orders-v2");
    assert_int_equal(patch(c, "{\"weights\":{\"orders-v2\":50}}"), 400); /* the rest was all 0 */
    assert_int_equal(patch(c, "{\"weights\":{\"orders-v1\":12.5}}"), 0);
    assert_non_null(strstr(fake_view(c), "\"orders-v1\":12.5,\"orders-v2\":87.5"));
}

static void
test_an_order_survives_reloads_until_the_file_changes(void **state)
{
    void *c = fake_configure("canary { " V "}");
    weir_module.start(c);
    patch(c, "{\"weights\":{\"orders-v2\":100}}");

    void *same = fake_configure("canary { " V "force header a = b to orders-v1; }");
    weir_module.start(same);
    fake_release(c);
    assert_string_equal(send(same, NULL, NULL), "orders-v2");

    /* A build that fails, or that is only checked, changes nothing. */
    fake_release(fake_configure("canary { variant orders-v1 100%; variant orders-v2 0%; }"));
    assert_string_equal(send(same, NULL, NULL), "orders-v2");

    void *changed = fake_configure("canary { variant orders-v1 100%; variant orders-v2 0%; }");
    weir_module.start(changed);
    assert_string_equal(send(changed, NULL, NULL), "orders-v1");
    fake_release(same);
    /* For good: the file's old value does not bring the order back. */
    void *again = fake_configure("canary { " V "}");
    weir_module.start(again);
    assert_non_null(strstr(fake_view(again), "\"overridden\":false"));
}

static void
test_explain(void **state)
{
    void *c = fake_configure("canary { " V "sticky cookie v; }");
    struct weir_exchange *x = fake_exchange();
    x->explaining = true;
    weir_module.target(x, c);
    assert_string_equal(x->variants, "orders-v1=95 orders-v2=5");
    assert_string_equal(x->target, "orders-v1");
    assert_null(fake_header(&x->response, "Set-Cookie"));
    fake_exchange_free(x);
    strcpy(fake.unhealthy, "orders-v1");
    x = fake_exchange();
    x->explaining = true;
    weir_module.target(x, c);
    assert_string_equal(x->variants, "orders-v1=0 orders-v2=100");
    fake_exchange_free(x);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_configuration, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_split, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sticky_by_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sticky_cookie, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_made_up_cookie_chooses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_secret_is_shared_by_replicas, setup, teardown),
        cmocka_unit_test_setup_teardown(test_weight_zero_keeps_those_it_has_until_drain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unhealthy_variants_give_their_share, setup, teardown),
        cmocka_unit_test_setup_teardown(test_force, setup, teardown),
        cmocka_unit_test_setup_teardown(test_patch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_order_survives_reloads_until_the_file_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_explain, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
