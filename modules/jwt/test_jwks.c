#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../testing/fakehost.h"
#include "jwks.h"
#include "signer.h"

#include <openssl/ec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct weir_module weir_module;

#define URL "https://idp.example.com/jwks.json"

static const struct jwks_settings settings = { 600 * FAKE_SECOND, 10 * FAKE_SECOND, 5 * FAKE_SECOND };
static char *set_a, *set_b;
static struct weir_state *hold;
static struct jwks *j;

static char *
make_set(const char *kid)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    char *jwk = signer_jwk(key, kid, NULL, NULL), *text = malloc(strlen(jwk) + 20);
    sprintf(text, "{\"keys\":[%s]}", jwk);
    EVP_PKEY_free(key);
    free(jwk);
    return text;
}

static int
make_sets(void **state)
{
    set_a = make_set("a");
    set_b = make_set("b");
    return 0;
}

static int
free_sets(void **state)
{
    free(set_a);
    free(set_b);
    return 0;
}

static int
setup(void **state)
{
    fake_begin(&weir_module);
    hold = jwks_get(URL, &j);
    return 0;
}

static int
teardown(void **state)
{
    if (atomic_load(&j->users))
        jwks_stop(j);
    fake_run_posts();
    for (unsigned i = 0; i < fake.n_fetches; i++) {
        if (fake.fetches[i].open)
            fake_fetch_answer(i, 0, "over");
    }
    fake_table.state_put(hold);
    fake_end();
    return 0;
}

static unsigned
open_fetches(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < fake.n_fetches; i++)
        n += fake.fetches[i].open;
    return n;
}

static unsigned
keys(void)
{
    struct jwks_status s;
    jwks_read(j, &s);
    return s.keys;
}

static void
start_with(const char *set)
{
    jwks_start(j, &settings);
    fake_fetch_answer(fake.n_fetches - 1, 200, set);
    assert_int_equal(keys(), 1);
}

static void
test_fetches_at_start_and_after_most_of_the_ttl(void **state)
{
    jwks_start(j, &settings);
    assert_int_equal(fake.n_fetches, 1);
    assert_string_equal(fake.fetches[0].url, URL);
    fake_advance(2 * FAKE_SECOND);
    assert_int_equal(fake.n_fetches, 1); /* single flight */
    fake_fetch_answer(0, 200, set_a);
    assert_int_equal(keys(), 1);
    assert_int_equal(atomic_load(&j->version), 1);
    fake_advance(400 * FAKE_SECOND);
    assert_int_equal(fake.n_fetches, 1);
    fake_advance(81 * FAKE_SECOND); /* 80 % of ten minutes, less some jitter */
    assert_int_equal(fake.n_fetches, 2);
    fake_fetch_answer(1, 200, set_a);
    assert_int_equal(atomic_load(&j->version), 1); /* the same text: nothing has changed */
    fake_advance(481 * FAKE_SECOND);
    fake_fetch_answer(2, 200, set_b);
    assert_int_equal(atomic_load(&j->version), 2);
    assert_true(fake_metric("weir_jwks_fetches_total{" URL ",ok}") == 3);
}

static void
test_old_keys_serve_while_the_provider_is_away(void **state)
{
    start_with(set_a);
    fake_advance(481 * FAKE_SECOND);
    static const struct {
        int status;
        const char *body;
    } bad[] = {
        { 0, "connection refused" }, { 500, "oops" }, { 200, "<html>" }, { 200, "{\"keys\":[]}" }, { 404, "" }
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(open_fetches(), 1);
        fake_fetch_answer(fake.n_fetches - 1, bad[i].status, bad[i].body);
        assert_int_equal(keys(), 1);
        fake_advance(31 * FAKE_SECOND); /* the longest pause between tries */
    }
    struct jwks_status s;
    jwks_read(j, &s);
    assert_int_equal(s.failures, 5);
    assert_string_equal(s.error, "status 404");
    assert_true(s.age_ns > 600 * FAKE_SECOND);
    assert_true(fake_metric("weir_jwks_age_seconds{" URL "}") > 600);
    assert_true(fake_metric("weir_jwks_fetches_total{" URL ",error}") == 5);
    fake_fetch_answer(fake.n_fetches - 1, 200, set_a);
    jwks_read(j, &s);
    assert_int_equal(s.failures, 0);
}

static void
test_keys_are_dropped_after_a_day(void **state)
{
    start_with(set_a);
    for (int hour = 0; hour < 26 && keys(); hour++) {
        fake_advance(3600 * FAKE_SECOND - FAKE_SECOND);
        if (hour == 22)
            assert_int_equal(keys(), 1);
        fake_advance(FAKE_SECOND);
        if (open_fetches())
            fake_fetch_answer(fake.n_fetches - 1, 0, "timeout");
        if (fake.n_fetches > FAKE_MAX - 4)
            fake.n_fetches = 0;
    }
    assert_int_equal(keys(), 0);
    assert_true(fake.now - j->fetched_at > 24 * 3600 * FAKE_SECOND);
    assert_int_equal(atomic_load(&j->version), 2);
}

static void
test_failures_back_off(void **state)
{
    jwks_start(j, &settings);
    int64_t began = fake.now;
    unsigned tries = 0;
    while (fake.now < began + 120 * FAKE_SECOND) {
        if (open_fetches()) {
            fake_fetch_answer(fake.n_fetches - 1, 0, "refused");
            tries++;
        }
        fake_advance(FAKE_SECOND / 2);
    }
    assert_in_range(tries, 6, 12); /* 1 2 4 8 16 30 30 30 seconds, less jitter */
    assert_in_range(jwks_retry_after(j), 1, 30);
}

static struct weir_exchange *
want(struct jwks_waiter *w, enum jwks_wanted expected)
{
    struct weir_exchange *x = fake_exchange();
    memset(w, 0, sizeof(*w));
    assert_int_equal(jwks_want(j, atomic_load(&j->version), w, x), expected);
    return x;
}

static void
test_an_unknown_key_fetches_once_for_all(void **state)
{
    struct jwks_waiter w[4];
    struct weir_exchange *x[4];
    start_with(set_a);
    fake_advance(9 * FAKE_SECOND);
    x[0] = want(&w[0], JWKS_NOT); /* the last fetch is younger than refetch */
    fake_exchange_free(x[0]);
    fake_advance(2 * FAKE_SECOND);
    for (unsigned i = 0; i < 4; i++) {
        fake.worker = i % 2 + 1;
        x[i] = want(&w[i], JWKS_WAITING);
    }
    fake.worker = 0;
    fake_run_posts();
    assert_int_equal(open_fetches(), 1);
    fake_fetch_answer(fake.n_fetches - 1, 200, set_b);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(x[i]->resumed, 1);
        assert_null(w[i].jwks);
        assert_null(w[i].timer);
        fake_exchange_free(x[i]);
    }
    fake_advance(2 * FAKE_SECOND);
    x[0] = want(&w[0], JWKS_NOT); /* still unknown: not again so soon */
    fake_exchange_free(x[0]);
}

static void
test_patience_and_leaving(void **state)
{
    struct jwks_waiter w[2];
    start_with(set_a);
    fake_advance(11 * FAKE_SECOND);
    fake.worker = 1;
    struct weir_exchange *stays = want(&w[0], JWKS_WAITING), *leaves = want(&w[1], JWKS_WAITING);
    fake_run_posts();
    jwks_leave(&w[1]); /* its client has gone */
    fake_exchange_free(leaves);
    fake.worker = 0;
    fake_advance(FAKE_SECOND - 1);
    assert_int_equal(stays->resumed, 0);
    fake_advance(1);
    assert_int_equal(stays->resumed, 1);
    fake_fetch_answer(fake.n_fetches - 1, 200, set_b);
    assert_int_equal(stays->resumed, 1);
    fake_exchange_free(stays);
}

static void
test_what_came_meanwhile_is_fresh(void **state)
{
    struct jwks_waiter w = { 0 };
    start_with(set_a);
    struct weir_exchange *x = fake_exchange();
    assert_int_equal(jwks_want(j, 0, &w, x), JWKS_FRESH);
    fake_exchange_free(x);
}

static void
test_first_requests_wait_but_not_for_a_dead_provider(void **state)
{
    struct jwks_waiter w;
    /* Even before the generation is started: the first request asks. */
    struct weir_exchange *x = want(&w, JWKS_WAITING);
    fake_run_posts();
    assert_int_equal(open_fetches(), 1);
    jwks_start(j, &settings);
    assert_int_equal(open_fetches(), 1);
    fake_fetch_answer(0, 0, "refused");
    assert_int_equal(x->resumed, 1);
    fake_exchange_free(x);
    x = want(&w, JWKS_NOT);
    fake_exchange_free(x);
    fake_advance(2 * FAKE_SECOND);
    assert_int_equal(open_fetches(), 1);
    x = want(&w, JWKS_NOT); /* under way, but it has failed before */
    fake_exchange_free(x);
}

static void
test_generations_share_one_set(void **state)
{
    struct jwks *other;
    struct weir_state *s = jwks_get(URL, &other);
    assert_ptr_equal(other, j);
    start_with(set_a);
    jwks_start(other, &settings);
    assert_int_equal(fake.n_fetches, 1);
    jwks_stop(j);
    fake_run_posts();
    fake_advance(481 * FAKE_SECOND);
    assert_int_equal(fake.n_fetches, 2);
    fake_fetch_answer(1, 200, set_a);
    fake_table.state_put(s);
    /* The last one out stops the clock. */
    jwks_stop(other);
    fake_run_posts();
    fake_advance(3600 * FAKE_SECOND);
    assert_int_equal(fake.n_fetches, 2);
    assert_int_equal(keys(), 1);
}

static void
test_a_fetch_that_cannot_start_is_a_failure(void **state)
{
    fake.refuse_calls = true;
    jwks_start(j, &settings);
    struct jwks_status s;
    jwks_read(j, &s);
    assert_int_equal(s.failures, 1);
    fake.refuse_calls = false;
    fake_advance(2 * FAKE_SECOND);
    fake_fetch_answer(0, 200, set_a);
    assert_int_equal(keys(), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fetches_at_start_and_after_most_of_the_ttl, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_keys_serve_while_the_provider_is_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_are_dropped_after_a_day, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures_back_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_unknown_key_fetches_once_for_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_patience_and_leaving, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_came_meanwhile_is_fresh, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_requests_wait_but_not_for_a_dead_provider, setup, teardown),
        cmocka_unit_test_setup_teardown(test_generations_share_one_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_fetch_that_cannot_start_is_a_failure, setup, teardown),
    };
    return cmocka_run_group_tests(tests, make_sets, free_sets);
}
