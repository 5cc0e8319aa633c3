#include "fixture.h"

#include "../../../src/base/hash.h"
#include "../../../src/upstream/balance.h"

static struct view view;
static struct endpoint_state *endpoints[32];
static unsigned n_endpoints;

static void
open_view(unsigned n, const unsigned *weights)
{
    struct endpoint_set *set = endpoint_set_new(n);
    struct addr a;
    unsigned i;

    for (i = 0; i < n; i++) {
        char text[32];

        snprintf(text, sizeof(text), "127.0.0.1:%u", 9000 + i);
        assert_int_equal(addr_parse(slice_str(text), &a, NULL), 0);
        assert_true(endpoint_set_add(set, "u", &a, NULL, weights ? weights[i] : 1));
        endpoints[i] = set->entries[i].e;
    }
    n_endpoints = n;
    view_init(&view, 0);
    view_set(&view, set);
}

static void
close_view(void)
{
    view_set(&view, NULL);
}

/* All but `without` as candidates (~0u: all of them). */
static unsigned
choose(enum balance b, uint64_t hash, unsigned without)
{
    unsigned i, n = 0;

    for (i = 0; i < n_endpoints; i++) {
        if (i != without)
            view.candidates[n++] = i;
    }
    return balance_choose(b, &view, n, hash);
}

static void
round_robin_interleaves_by_weight(void **state)
{
    static const unsigned weights[] = { 5, 1, 1 };
    static const unsigned expected[] = { 0, 0, 1, 0, 2, 0, 0 };
    unsigned i;

    open_view(3, weights);
    for (i = 0; i < 21; i++)
        assert_int_equal(choose(BALANCE_ROUND_ROBIN, 0, ~0u), expected[i % 7]);
    close_view();
}

static void
round_robin_is_exact_while_one_is_away(void **state)
{
    static const unsigned weights[] = { 2, 1, 1 };
    unsigned i, got[3] = { 0 };

    open_view(3, weights);
    for (i = 0; i < 30; i++)
        got[choose(BALANCE_ROUND_ROBIN, 0, 1)]++;
    assert_int_equal(got[0], 20);
    assert_int_equal(got[1], 0);
    assert_int_equal(got[2], 10);
    /* Back again, it gets its share and makes up for nothing. */
    memset(got, 0, sizeof(got));
    for (i = 0; i < 40; i++)
        got[choose(BALANCE_ROUND_ROBIN, 0, ~0u)]++;
    assert_in_range(got[1], 9, 11);
    close_view();
}

static void
least_request_takes_the_least_busy_for_its_weight(void **state)
{
    static const unsigned weights[] = { 1, 4, 1 };

    open_view(3, weights);
    endpoints[0]->active = 2; /* 2/1 */
    endpoints[1]->active = 7; /* 7/4 */
    endpoints[2]->active = 3; /* 3/1 */
    assert_int_equal(choose(BALANCE_LEAST_REQUEST, 0, ~0u), 1);
    endpoints[1]->active = 9; /* 9/4 */
    assert_int_equal(choose(BALANCE_LEAST_REQUEST, 0, ~0u), 0);
    assert_int_equal(choose(BALANCE_LEAST_REQUEST, 0, 0), 1);
    endpoints[0]->active = endpoints[1]->active = endpoints[2]->active = 0;
    close_view();
}

static void
least_request_rotates_among_equals(void **state)
{
    unsigned i, got[3] = { 0 };

    open_view(3, NULL);
    for (i = 0; i < 30; i++)
        got[choose(BALANCE_LEAST_REQUEST, 0, ~0u)]++;
    assert_int_equal(got[0], 10);
    assert_int_equal(got[1], 10);
    assert_int_equal(got[2], 10);
    close_view();
}

static void
least_request_shares_by_weight_among_equals(void **state)
{
    static const unsigned weights[] = { 2, 1, 1 };
    unsigned i, got[3] = { 0 };

    open_view(3, weights);
    for (i = 0; i < 40; i++)
        got[choose(BALANCE_LEAST_REQUEST, 0, ~0u)]++;
    assert_int_equal(got[0], 20);
    assert_int_equal(got[1], 10);
    assert_int_equal(got[2], 10);
    close_view();
}

static void
least_request_of_many_prefers_the_less_busy(void **state)
{
    unsigned i, busy = 0;

    open_view(20, NULL);
    for (i = 0; i < 10; i++)
        endpoints[i]->active = 100;
    for (i = 0; i < 4000; i++)
        busy += choose(BALANCE_LEAST_REQUEST, 0, ~0u) < 10;
    for (i = 0; i < 10; i++)
        endpoints[i]->active = 0;
    /* Both drawn must be busy ones: (10/20) * (9/19) = 0.237. */
    assert_in_range(busy, 4000 * 20 / 100, 4000 * 28 / 100);
    close_view();
}

static void
random_follows_weights(void **state)
{
    static const unsigned weights[] = { 1, 2, 0, 7 };
    unsigned i, got[4] = { 0 };

    open_view(4, weights);
    for (i = 0; i < 20000; i++)
        got[choose(BALANCE_RANDOM, 0, ~0u)]++;
    assert_in_range(got[0], 1700, 2300);
    assert_in_range(got[1], 3600, 4400);
    assert_int_equal(got[2], 0);
    assert_in_range(got[3], 13500, 14500);
    close_view();
}

static void
hash_keeps_keys_and_moves_only_those_of_the_lost(void **state)
{
    static const unsigned weights[] = { 1, 1, 2, 1, 1 };
    unsigned i, got[5] = { 0 }, moved_to[5] = { 0 };

    open_view(5, weights);
    for (i = 0; i < 12000; i++) {
        uint64_t key = hash_mix(i, 7);
        unsigned before = choose(BALANCE_HASH, key, ~0u), after = choose(BALANCE_HASH, key, 2);

        assert_int_equal(choose(BALANCE_HASH, key, ~0u), before);
        got[before]++;
        if (before != 2)
            assert_int_equal(after, before);
        else
            moved_to[after]++;
    }
    for (i = 0; i < 5; i++)
        assert_in_range(got[i], i == 2 ? 3700 : 1800, i == 2 ? 4300 : 2200);
    /* What the lost one had is spread over all others. */
    for (i = 0; i < 5; i++)
        assert_in_range(moved_to[i], i == 2 ? 0 : 800, i == 2 ? 0 : 1200);
    close_view();
}

static void
workers_begin_with_different_endpoints(void **state)
{
    struct view other;

    view_init(&view, 1);
    view_init(&other, 2);
    assert_int_not_equal(view.offset, other.offset);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_robin_interleaves_by_weight),
        cmocka_unit_test(round_robin_is_exact_while_one_is_away),
        cmocka_unit_test(least_request_takes_the_least_busy_for_its_weight),
        cmocka_unit_test(least_request_rotates_among_equals),
        cmocka_unit_test(least_request_shares_by_weight_among_equals),
        cmocka_unit_test(least_request_of_many_prefers_the_less_busy),
        cmocka_unit_test(random_follows_weights),
        cmocka_unit_test(hash_keeps_keys_and_moves_only_those_of_the_lost),
        cmocka_unit_test(workers_begin_with_different_endpoints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
