#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../testing/fakehost.h"
#include "rate_limit.h"

#include <stdio.h>
#include <string.h>

extern const struct weir_module weir_module;

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

static struct weir_exchange *
from(const char *ip)
{
    struct weir_exchange *x = fake_exchange();
    fake_variable(x, "client.ip", ip);
    return x;
}

static enum weir_verdict
ask(void *config, const char *ip)
{
    struct weir_exchange *x = from(ip);
    enum weir_verdict v = weir_module.request(x, config);
    fake_exchange_free(x);
    return v;
}

static void
test_headers_of_passed_and_refused(void **state)
{
    void *c = fake_configure("rate_limit { rate 6/m burst=2; name api; }");
    struct weir_exchange *x = from("192.0.2.1");
    assert_int_equal(weir_module.request(x, c), WEIR_CONTINUE);
    assert_string_equal(fake_header(&x->response, "RateLimit-Policy"), "\"api\";q=6;w=60");
    assert_string_equal(fake_header(&x->response, "RateLimit"), "\"api\";r=1;t=10");
    assert_null(fake_header(&x->response, "Retry-After"));
    fake_exchange_free(x);
    ask(c, "192.0.2.1");
    fake_advance(FAKE_SECOND * 5 / 2);
    x = from("192.0.2.1");
    assert_int_equal(weir_module.request(x, c), WEIR_REFUSED);
    assert_string_equal(x->reason, "rate_limited");
    assert_string_equal(fake_header(&x->response, "RateLimit-Policy"), "\"api\";q=6;w=60");
    assert_string_equal(fake_header(&x->response, "RateLimit"), "\"api\";r=0;t=18"); /* 17.5, rounded up */
    assert_string_equal(fake_header(&x->response, "Retry-After"), "8");
    fake_exchange_free(x);
    assert_int_equal(ask(c, "192.0.2.2"), WEIR_CONTINUE);
    x = from("192.0.2.1");
    x->shadow = true;
    assert_int_equal(weir_module.request(x, c), WEIR_CONTINUE);
    assert_null(fake_header(&x->response, "Retry-After"));
    fake_exchange_free(x);
}

static void
test_defaults(void **state)
{
    struct limit_config *c = fake_configure("rate_limit { rate 5/s; }");
    assert_non_null(c);
    assert_int_equal(c->rate.emission_ns, FAKE_SECOND / 5);
    assert_int_equal(c->rate.capacity_ns, FAKE_SECOND); /* the rate's count */
    assert_int_equal(c->on_error, ON_ERROR_LOCAL);
    assert_string_equal(c->policy_header.p, "\"api.example.com/orders/\";q=5;w=1");
    strcpy(fake.scope, "say \"x\"\\");
    c = fake_configure("rate_limit { rate 1/h; }");
    assert_string_equal(c->policy_header.p, "\"say \\\"x\\\"\\\\\";q=1;w=3600");
}

static void
test_configuration_errors(void **state)
{
    strcpy(fake.stores, "main");
    assert_null(fake_configure("rate_limit { rate 1/s; store other; }"));
    assert_non_null(strstr(fake.errors, "\"other\""));
    assert_null(fake_configure("rate_limit { rate 0/s; }"));
    assert_null(fake_configure("rate_limit { rate 1/h burst=1000000; }"));
    assert_non_null(strstr(fake.errors, "ten years"));
    assert_non_null(fake_configure("rate_limit { rate 1/s; store main; }"));
}

static void
test_ipv6_counts_by_64(void **state)
{
    void *c = fake_configure("rate_limit { rate 1/h; }");
    assert_int_equal(ask(c, "2001:db8:1:2:3::1"), WEIR_CONTINUE);
    assert_int_equal(ask(c, "2001:db8:1:2:ffff::9"), WEIR_REFUSED);
    assert_int_equal(ask(c, "2001:db8:1:3::1"), WEIR_CONTINUE);
    assert_int_equal(ask(c, "::ffff:192.0.2.1"), WEIR_CONTINUE);
    assert_int_equal(ask(c, "192.0.2.1"), WEIR_REFUSED);
    assert_int_equal(ask(c, "::ffff:192.0.2.2"), WEIR_CONTINUE);
    /* The same when the default is written out, as a dump does; not in a key of one's own. */
    strcpy(fake.scope, "dumped");
    c = fake_configure("rate_limit { rate 1/h; key ${client.ip}; }");
    assert_int_equal(ask(c, "2001:db8::1"), WEIR_CONTINUE);
    assert_int_equal(ask(c, "2001:db8::2"), WEIR_REFUSED);
}

static void
test_keys_of_ones_own(void **state)
{
    void *c = fake_configure("rate_limit { rate 1/h; key ${request.header.x-user}; }");
    static const struct {
        const char *user;
        enum weir_verdict want;
    } rows[] = { { "a", WEIR_CONTINUE }, { "a", WEIR_REFUSED }, { "b", WEIR_CONTINUE } };
    for (size_t i = 0; i < 3; i++) {
        struct weir_exchange *x = fake_exchange();
        fake_variable(x, "request.header.x-user", rows[i].user);
        assert_int_equal(weir_module.request(x, c), rows[i].want);
        fake_exchange_free(x);
    }
}

static void
test_buckets_survive_a_reload_and_follow_the_name(void **state)
{
    void *c = fake_configure("rate_limit { rate 1/h burst=2; }");
    ask(c, "192.0.2.1");
    ask(c, "192.0.2.1");
    void *next = fake_configure("rate_limit { rate 2/h burst=2; }");
    fake_release(c);
    assert_int_equal(ask(next, "192.0.2.1"), WEIR_REFUSED);
    void *other = fake_configure("rate_limit { rate 1/h; name other; }");
    assert_int_equal(ask(other, "192.0.2.1"), WEIR_CONTINUE);
}

static void
test_two_limits_on_one_answer(void **state)
{
    void *a = fake_configure("rate_limit { rate 10/s; name a; }"),
         *b = fake_configure("rate_limit { rate 1/s; name b; }");
    struct weir_exchange *x = from("192.0.2.1");
    weir_module.request(x, a);
    weir_module.request(x, b);
    assert_int_equal(fake_header_count(&x->response, "RateLimit"), 2);
    assert_int_equal(fake_header_count(&x->response, "RateLimit-Policy"), 2);
    fake_exchange_free(x);
}

/* --- with a store --- */

static void
answer(unsigned i, int64_t allowed, int64_t left, int64_t retry_us, int64_t full_us)
{
    int64_t ints[] = { allowed, left, retry_us, full_us };
    struct weir_store_reply r = { .ints = ints, .n = 4 };
    fake.calls[i].done(&r, fake.calls[i].arg);
}

static void
break_call(unsigned i, const char *error)
{
    struct weir_store_reply r = { .error = error };
    fake.calls[i].done(&r, fake.calls[i].arg);
}

static void
test_store_decides(void **state)
{
    void *c = fake_configure("rate_limit { rate 3/s burst=2; name api; store main; }");
    struct weir_exchange *x = from("192.0.2.1");
    assert_int_equal(weir_module.request(x, c), WEIR_SUSPENDED);
    assert_string_equal(fake.calls[0].store, "main");
    assert_int_equal(strncmp(fake.calls[0].key, "weir:{api:", 10), 0);
    assert_int_equal(strlen(fake.calls[0].key), 10 + 32 + 1);
    assert_null(strstr(fake.calls[0].key, "192.0.2.1"));
    assert_string_equal(fake.calls[0].args[0], "333333.333");
    assert_string_equal(fake.calls[0].args[1], "666666.666");
    assert_int_equal(x->resumed, 0);
    answer(0, 1, 1, 0, 333334);
    assert_int_equal(x->resumed, 1);
    assert_int_equal(weir_module.request(x, c), WEIR_CONTINUE);
    assert_string_equal(fake_header(&x->response, "RateLimit"), "\"api\";r=1;t=1");
    fake_exchange_free(x);

    x = from("192.0.2.1");
    weir_module.request(x, c);
    assert_string_equal(fake.calls[1].key, fake.calls[0].key);
    answer(1, 0, 0, 2000001, 4000000);
    assert_int_equal(weir_module.request(x, c), WEIR_REFUSED);
    assert_string_equal(x->reason, "rate_limited");
    assert_string_equal(fake_header(&x->response, "Retry-After"), "3");
    fake_exchange_free(x);
    x = from("192.0.2.9");
    weir_module.request(x, c);
    assert_string_not_equal(fake.calls[2].key, fake.calls[0].key);
    answer(2, 1, 1, 0, 1);
    fake_exchange_free(x);
}

static enum weir_verdict
ask_failing(void *config, struct weir_exchange *x)
{
    unsigned i = fake.n_calls;
    assert_int_equal(weir_module.request(x, config), WEIR_SUSPENDED);
    break_call(i, "timeout");
    assert_int_equal(x->resumed, 1);
    return weir_module.request(x, config);
}

static void
test_store_away_local(void **state)
{
    void *c = fake_configure("rate_limit { rate 8/m; name api; store main; replicas 4; }");
    struct weir_exchange *x = from("192.0.2.1");
    assert_int_equal(ask_failing(c, x), WEIR_CONTINUE);
    assert_string_equal(fake_header(&x->response, "RateLimit-Policy"), "\"api\";q=8;w=60");
    assert_string_equal(fake_header(&x->response, "RateLimit"), "\"api\";r=1;t=30"); /* 2 tokens, one in 30 s */
    assert_string_equal(x->note, "store_unavailable");
    fake_exchange_free(x);
    assert_true(fake_metric("weir_store_degraded{api,main}") == 1);
    x = from("192.0.2.1");
    assert_int_equal(ask_failing(c, x), WEIR_CONTINUE);
    fake_exchange_free(x);
    x = from("192.0.2.1");
    assert_int_equal(ask_failing(c, x), WEIR_REFUSED);
    assert_string_equal(fake_header(&x->response, "Retry-After"), "30");
    fake_exchange_free(x);
    assert_null(strstr(strstr(fake.log, "timeout") + 1, "timeout")); /* one line, not one a request */

    /* Back is who has not been missed for a second. */
    for (unsigned good = 0; good < 2; good++) {
        x = from("192.0.2.1");
        weir_module.request(x, c);
        answer(3 + good, 1, 7, 0, 7500000);
        assert_int_equal(weir_module.request(x, c), WEIR_CONTINUE);
        fake_exchange_free(x);
        assert_true(fake_metric("weir_store_degraded{api,main}") == !good);
        fake_advance(1000000000);
    }
}

static void
test_store_away_allow_and_deny(void **state)
{
    void *c = fake_configure("rate_limit { rate 1/h; name a; store main; on_store_error allow; }");
    for (int i = 0; i < 3; i++) {
        struct weir_exchange *x = from("192.0.2.1");
        assert_int_equal(ask_failing(c, x), WEIR_CONTINUE);
        fake_exchange_free(x);
    }
    c = fake_configure("rate_limit { rate 1/h; name d; store main; on_store_error deny; }");
    struct weir_exchange *x = from("192.0.2.1");
    assert_int_equal(ask_failing(c, x), WEIR_REFUSED);
    assert_string_equal(x->reason, "store_unavailable");
    assert_string_equal(fake_header(&x->response, "Retry-After"), "1");
    fake_exchange_free(x);
}

static void
test_answers_that_are_none(void **state)
{
    void *c = fake_configure("rate_limit { rate 1/h; name d; store main; on_store_error deny; }");
    struct weir_exchange *x = from("192.0.2.1");
    weir_module.request(x, c);
    struct weir_store_reply r = { .n = 0 };
    fake.calls[0].done(&r, fake.calls[0].arg);
    assert_int_equal(weir_module.request(x, c), WEIR_REFUSED);
    assert_string_equal(x->reason, "store_unavailable");
    fake_exchange_free(x);

    static const int64_t rows[][4] = { { 2, 0, 0, 0 },        { -1, 0, 0, 0 },        { 1, -1, 0, 0 },
                                       { 1, 0, -1, 0 },       { 1, 0, INT64_MAX, 0 }, { 1, 0, INT64_MIN, 0 },
                                       { 1, 0, 0, INT64_MAX } };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        x = from("192.0.2.1");
        weir_module.request(x, c);
        answer(i + 1, rows[i][0], rows[i][1], rows[i][2], rows[i][3]);
        assert_int_equal(weir_module.request(x, c), WEIR_REFUSED);
        assert_string_equal(x->reason, "store_unavailable");
        fake_exchange_free(x);
    }

    fake.refuse_calls = true;
    x = from("192.0.2.1");
    assert_int_equal(weir_module.request(x, c), WEIR_REFUSED);
    fake_exchange_free(x);
}

static void
test_explaining_counts_nothing(void **state)
{
    void *c = fake_configure("rate_limit { rate 1/h; name e; store main; }");
    for (int i = 0; i < 3; i++) {
        struct weir_exchange *x = from("192.0.2.1");
        x->explaining = true;
        assert_int_equal(weir_module.request(x, c), WEIR_CONTINUE);
        assert_string_equal(fake_header(&x->response, "RateLimit"), "\"e\";r=0;t=3600");
        fake_exchange_free(x);
    }
    assert_int_equal(fake.n_calls, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_headers_of_passed_and_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_configuration_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ipv6_counts_by_64, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_of_ones_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_buckets_survive_a_reload_and_follow_the_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_limits_on_one_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_away_local, setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_away_allow_and_deny, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_explaining_counts_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
