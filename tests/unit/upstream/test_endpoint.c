#include "fixture.h"

static struct addr
addr_of(const char *text)
{
    struct addr a;

    assert_int_equal(addr_parse(slice_str(text), &a, NULL), 0);
    return a;
}

static void
the_same_identity_is_the_same_endpoint(void **state)
{
    struct addr a = addr_of("127.0.0.1:9001"), b = addr_of("127.0.0.1:9002");
    struct endpoint_state *e = endpoint_get("u", &a), *same = endpoint_get("u", &a), *other;

    assert_ptr_equal(e, same);
    assert_string_equal(e->address, "127.0.0.1:9001");
    assert_string_equal(e->upstream, "u");
    assert_true(atomic_load(&e->healthy));
    other = endpoint_get("v", &a);
    assert_ptr_not_equal(other, e);
    endpoint_put(other);
    other = endpoint_get("u", &b);
    assert_ptr_not_equal(other, e);
    endpoint_put(other);
    endpoint_put(same);
    endpoint_put(e);
}

static void
state_lives_as_long_as_somebody_holds_it(void **state)
{
    struct addr a = addr_of("127.0.0.1:9001");
    struct endpoint_state *e = endpoint_get("u", &a);

    atomic_store(&e->healthy, false);
    endpoint_hold(e);
    endpoint_put(e);
    assert_ptr_equal(endpoint_get("u", &a), e);
    assert_false(atomic_load(&e->healthy));
    endpoint_put(e);
    endpoint_put(e);
    e = endpoint_get("u", &a);
    assert_true(atomic_load(&e->healthy)); /* a new one */
    endpoint_put(e);
}

static void
names_as_written_are_kept(void **state)
{
    struct addr a = addr_of("10.0.0.1:9001"), un = addr_of("unix:/run/x.sock");
    struct endpoint_state *e = endpoint_get_as("u", &a, "orders.internal:9001");

    assert_string_equal(e->authority, "orders.internal:9001");
    assert_string_equal(e->host, "orders.internal");
    assert_string_equal(e->address, "10.0.0.1:9001");
    endpoint_put(e);
    e = endpoint_get("u", &a);
    assert_string_equal(e->authority, "10.0.0.1:9001");
    assert_string_equal(e->host, "");
    endpoint_put(e);
    e = endpoint_get("u", &un);
    assert_string_equal(e->authority, "localhost");
    assert_string_equal(e->address, "unix:/run/x.sock");
    endpoint_put(e);
}

static void
orders_and_words(void **state)
{
    struct addr a = addr_of("127.0.0.1:9001");
    struct endpoint_state *e = endpoint_get("u", &a);
    nsec_t now = 1000;

    assert_string_equal(endpoint_state_name(e, now), "up");
    assert_true(endpoint_usable(e, now));
    assert_int_equal(endpoint_order(e, "drain", -1), 0);
    assert_string_equal(endpoint_state_name(e, now), "drain");
    assert_false(endpoint_usable(e, now));
    assert_int_equal(endpoint_order(e, "sideways", 3), -1);
    assert_int_equal(atomic_load(&e->weight), 1); /* nothing of a bad order is done */
    assert_int_equal(endpoint_order(e, "down", ENDPOINT_WEIGHT_MAX + 1), -1);
    assert_string_equal(endpoint_state_name(e, now), "drain");
    assert_int_equal(endpoint_order(e, "down", -1), 0);
    assert_string_equal(endpoint_state_name(e, now), "down");
    atomic_store(&e->ejected_until, now + 1);
    assert_int_equal(endpoint_order(e, "up", -1), 0);
    assert_string_equal(endpoint_state_name(e, now), "up"); /* the order ends an ejection */
    atomic_store(&e->ejected_until, now + 1);
    assert_string_equal(endpoint_state_name(e, now), "ejected");
    assert_false(endpoint_usable(e, now));
    assert_true(endpoint_usable(e, now + 1));
    atomic_store(&e->ejected_until, 0);
    atomic_store(&e->healthy, false);
    assert_string_equal(endpoint_state_name(e, now), "down");
    assert_false(endpoint_usable(e, now));
    endpoint_put(e);
}

static void
an_override_lasts_until_the_file_changes(void **state)
{
    struct addr a = addr_of("127.0.0.1:9001");
    struct endpoint_state *e = endpoint_get("u", &a);

    endpoint_file_weight(e, 2);
    assert_int_equal(atomic_load(&e->weight), 2);
    assert_int_equal(endpoint_order(e, NULL, 7), 0);
    assert_int_equal(atomic_load(&e->weight), 7);
    endpoint_file_weight(e, 2); /* a reload that says the same */
    assert_int_equal(atomic_load(&e->weight), 7);
    endpoint_file_weight(e, 3);
    assert_int_equal(atomic_load(&e->weight), 3);
    assert_int_equal(endpoint_order(e, NULL, 0), 0);
    assert_false(endpoint_usable(e, 1)); /* weight 0: no requests */
    endpoint_put(e);
}

static uint64_t
counted(const char *upstream, const char *address, const char *outcome)
{
    static const char *const labels[] = { "upstream", "endpoint", "outcome" };
    struct stats_family *f = stats_family("weir_upstream_requests_total", STATS_COUNTER, "", labels, 3, NULL, 0);
    struct slice values[] = { slice_str(upstream), slice_str(address), slice_str(outcome) };

    return stats_counter_value(stats_series(f, values));
}

static void
attempts_are_counted_by_outcome(void **state)
{
    static const char *const words[] = { "ok",    "error_status", "connect_failed", "connect_timeout",
                                         "reset", "timeout",      "bad_response",   "cancelled" };
    struct addr a = addr_of("127.0.0.1:9001");
    struct endpoint_state *e;
    unsigned i, k;

    assert_int_equal(stats_init(1), 0);
    e = endpoint_get("u", &a);
    for (i = 0; i < 8; i++) {
        assert_string_equal(result_name((enum weir_result)i), words[i]);
        for (k = 0; k <= i; k++)
            endpoint_count(e, (enum weir_result)i);
    }
    for (i = 0; i < 8; i++)
        assert_int_equal(counted("u", e->address, words[i]), i + 1);
    assert_int_equal(atomic_load(&e->requests_total), 36);
    /* After its series were dropped it counts into new ones. */
    endpoint_drop_series("u");
    endpoint_count(e, WEIR_RESULT_OK);
    assert_int_equal(counted("u", e->address, "ok"), 1);
    endpoint_put(e);
    stats_fini();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_identity_is_the_same_endpoint),
        cmocka_unit_test(state_lives_as_long_as_somebody_holds_it),
        cmocka_unit_test(names_as_written_are_kept),
        cmocka_unit_test(orders_and_words),
        cmocka_unit_test(an_override_lasts_until_the_file_changes),
        cmocka_unit_test(attempts_are_counted_by_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
