#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../testing/fakehost.h"
#include "circuit_breaker.h"

#include <string.h>

extern const struct weir_module weir_module;

static int
setup(void **state)
{
    fake_begin(&weir_module);
    strcpy(fake.scope, "orders");
    return 0;
}

static int
teardown(void **state)
{
    fake_end();
    return 0;
}

/* One attempt; 0: refused. */
static int
attempt(void *config, enum weir_result result, int status)
{
    struct weir_exchange *x = fake_exchange();
    struct weir_outcome o = { .size = sizeof(o), .result = result, .status = status };
    int admitted = weir_module.attempt(x, config) == WEIR_CONTINUE;
    if (admitted)
        weir_module.outcome(x, config, &o);
    fake_exchange_free(x);
    return admitted;
}

static void
test_defaults(void **state)
{
    struct cb_config *c = fake_configure("circuit_breaker { }");
    assert_non_null(c);
    assert_int_equal(c->rules.window_ns, 10 * FAKE_SECOND);
    assert_int_equal(c->rules.min_requests, 20);
    assert_true(c->rules.failure_rate == 50);
    assert_int_equal(c->rules.slow_ns, 0);
    assert_int_equal(c->rules.open_ns, 5 * FAKE_SECOND);
    assert_int_equal(c->rules.open_max_ns, 60 * FAKE_SECOND);
    assert_int_equal(c->rules.probes, 5);
    assert_true(cb_is_failure(&c->failures, WEIR_RESULT_CONNECT_FAILED, 0));
    assert_true(cb_is_failure(&c->failures, WEIR_RESULT_CONNECT_TIMEOUT, 0));
    assert_true(cb_is_failure(&c->failures, WEIR_RESULT_RESET, 0));
    assert_true(cb_is_failure(&c->failures, WEIR_RESULT_TIMEOUT, 0));
    assert_true(cb_is_failure(&c->failures, WEIR_RESULT_BAD_RESPONSE, 0));
    assert_true(cb_is_failure(&c->failures, WEIR_RESULT_ERROR_STATUS, 500));
    assert_true(cb_is_failure(&c->failures, WEIR_RESULT_ERROR_STATUS, 599));
    assert_false(cb_is_failure(&c->failures, WEIR_RESULT_ERROR_STATUS, 404));
    assert_false(cb_is_failure(&c->failures, WEIR_RESULT_OK, 200));
    assert_false(cb_is_failure(&c->failures, WEIR_RESULT_CANCELLED, 0));
}

static void
test_configuration(void **state)
{
    struct cb_config *c = fake_configure("circuit_breaker { window 30s; min_requests 2; failure_rate 10%; slow 2s 80%;"
                                         " open 90s; probes 1; failure_on reset 503; }");
    assert_non_null(c);
    assert_int_equal(c->rules.slow_ns, 2 * FAKE_SECOND);
    assert_true(c->rules.slow_rate == 80);
    assert_int_equal(c->rules.open_max_ns, 90 * FAKE_SECOND);
    assert_true(cb_is_failure(&c->failures, WEIR_RESULT_OK, 503));
    assert_false(cb_is_failure(&c->failures, WEIR_RESULT_ERROR_STATUS, 500));
    assert_false(cb_is_failure(&c->failures, WEIR_RESULT_TIMEOUT, 0));
    assert_null(fake_configure("circuit_breaker { open 5s max=1s; }"));
    assert_non_null(strstr(fake.errors, "max"));
    assert_null(fake_configure("circuit_breaker { failure_on 404; }"));
    assert_non_null(strstr(fake.errors, "\"404\""));
    assert_null(fake_configure("circuit_breaker { failure_rate 0%; }"));
    assert_null(fake_configure("circuit_breaker { slow 1s 0%; }"));
}

static const char small[] = "circuit_breaker { min_requests 4; open 5s max=60s; probes 2; }";

static void
test_refuses_with_the_time_left(void **state)
{
    void *c = fake_configure(small);
    for (int i = 0; i < 4; i++)
        assert_true(attempt(c, WEIR_RESULT_ERROR_STATUS, 500));
    fake_advance(FAKE_SECOND / 2);
    struct weir_exchange *x = fake_exchange();
    assert_int_equal(weir_module.attempt(x, c), WEIR_REFUSED);
    assert_string_equal(x->reason, "breaker_open");
    assert_string_equal(fake_header(&x->response, "Retry-After"), "5"); /* 4.5 s, rounded up */
    fake_exchange_free(x);
    assert_true(fake_metric("weir_breaker_state{orders,open}") == 1);
    assert_true(fake_metric("weir_breaker_state{orders,closed}") == 0);
    assert_string_equal(
        fake_view(c),
        "{\"state\":\"open\",\"failure_rate\":100.0,\"slow_rate\":0.0,\"calls\":4,\"retry_after_ms\":4500}");

    fake_advance(5 * FAKE_SECOND);
    assert_true(attempt(c, WEIR_RESULT_OK, 200));
    assert_true(fake_metric("weir_breaker_state{orders,half_open}") == 1);
    assert_true(attempt(c, WEIR_RESULT_ERROR_STATUS, 404));
    assert_true(fake_metric("weir_breaker_state{orders,closed}") == 1);
    assert_true(fake_metric("weir_breaker_state{orders,half_open}") == 0);
}

static void
test_in_shadow_it_only_watches(void **state)
{
    void *c = fake_configure(small);
    for (int i = 0; i < 4; i++)
        attempt(c, WEIR_RESULT_RESET, 0);
    struct weir_exchange *x = fake_exchange();
    struct weir_outcome o = { .size = sizeof(o), .result = WEIR_RESULT_RESET };
    x->shadow = true;
    assert_int_equal(weir_module.attempt(x, c), WEIR_CONTINUE);
    assert_null(fake_header(&x->response, "Retry-After"));
    weir_module.outcome(x, c, &o); /* of a call that was not the breaker's to count */
    fake_exchange_free(x);
    assert_non_null(strstr(fake_view(c), "\"calls\":4"));
}

static void
test_state_survives_a_reload(void **state)
{
    void *c = fake_configure(small);
    for (int i = 0; i < 4; i++)
        attempt(c, WEIR_RESULT_CONNECT_FAILED, 0);
    void *next = fake_configure("circuit_breaker { window 20s; min_requests 10; }");
    fake_release(c);
    assert_false(attempt(next, WEIR_RESULT_OK, 200));
    strcpy(fake.scope, "others");
    void *other = fake_configure(small);
    assert_true(attempt(other, WEIR_RESULT_OK, 200));
}

static void
test_orders(void **state)
{
    struct cb_config *c = fake_configure(small);
    const char *error;
    static const char *const bad[] = { "",
                                       "{}",
                                       "[]",
                                       "{\"state\":\"half_open\"}",
                                       "{\"state\":1}",
                                       "{\"state\":\"open\",\"x\":1}",
                                       "{\"state\":\"open\",\"state\":\"auto\"}" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(weir_module.control(c, (struct weir_str){ bad[i], strlen(bad[i]) }, &error), 400);
    assert_int_equal(weir_module.control(c, (struct weir_str){ "{\"state\":\"open\"}", 16 }, &error), 0);
    assert_true(fake_metric("weir_breaker_state{orders,forced_open}") == 1);
    struct weir_exchange *x = fake_exchange();
    assert_int_equal(weir_module.attempt(x, c), WEIR_REFUSED);
    assert_null(fake_header(&x->response, "Retry-After"));
    fake_exchange_free(x);
    assert_int_equal(weir_module.control(c, (struct weir_str){ "{\"state\":\"closed\"}", 18 }, &error), 0);
    for (int i = 0; i < 10; i++)
        assert_true(attempt(c, WEIR_RESULT_TIMEOUT, 0));
    assert_non_null(strstr(fake_view(c), "\"state\":\"forced_closed\",\"failure_rate\":100.0"));
    assert_int_equal(weir_module.control(c, (struct weir_str){ "{\"state\":\"auto\"}", 16 }, &error), 0);
    assert_int_equal(breaker_state(&c->state->breaker), BREAKER_CLOSED);
}

static void
test_explaining_changes_nothing(void **state)
{
    struct cb_config *c = fake_configure(small);
    for (int i = 0; i < 4; i++)
        attempt(c, WEIR_RESULT_RESET, 0);
    fake_advance(6 * FAKE_SECOND);
    struct weir_exchange *x = fake_exchange();
    x->explaining = true;
    assert_int_equal(weir_module.attempt(x, c), WEIR_CONTINUE);
    assert_string_equal(x->note_detail, "open");
    fake_exchange_free(x);
    assert_int_equal(breaker_state(&c->state->breaker), BREAKER_OPEN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_configuration, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_with_the_time_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_shadow_it_only_watches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_state_survives_a_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_orders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_explaining_changes_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
