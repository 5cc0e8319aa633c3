#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "breaker.h"

#include <pthread.h>

#define S INT64_C(1000000000)

static const struct breaker_rules rules = {
    .window_ns = 10 * S, .min_requests = 4, .failure_rate = 50, .open_ns = 5 * S, .open_max_ns = 15 * S, .probes = 3
};

/* One call from admission to result. */
static bool
call(struct breaker *b, const struct breaker_rules *r, int64_t now, enum breaker_result result, int64_t took)
{
    struct breaker_verdict v = breaker_admit(b, r, now);
    if (v.admitted)
        breaker_record(b, r, now, v.ticket, result, took);
    return v.admitted;
}

static void
calls(struct breaker *b, const struct breaker_rules *r, int64_t now, enum breaker_result result, unsigned n)
{
    while (n--)
        assert_true(call(b, r, now, result, 0));
}

static int64_t
open_it(struct breaker *b, int64_t now)
{
    calls(b, &rules, now, BREAKER_FAILED, 4);
    assert_int_equal(breaker_state(b), BREAKER_OPEN);
    return now;
}

static void
test_opens_at_the_rate_and_not_below_the_minimum(void **state)
{
    struct breaker b;
    breaker_init(&b);
    calls(&b, &rules, 100 * S, BREAKER_FAILED, 3);
    assert_int_equal(breaker_state(&b), BREAKER_CLOSED);
    calls(&b, &rules, 100 * S, BREAKER_OK, 1); /* the fourth call: 75 % of 4 */
    assert_int_equal(breaker_state(&b), BREAKER_OPEN);
    struct breaker_verdict v = breaker_admit(&b, &rules, 102 * S);
    assert_false(v.admitted);
    assert_int_equal(v.retry_after_ns, 3 * S);
    assert_int_equal(v.ticket, 0);

    breaker_init(&b);
    calls(&b, &rules, 100 * S, BREAKER_OK, 6);
    calls(&b, &rules, 100 * S, BREAKER_FAILED, 5); /* 5 of 11 */
    assert_int_equal(breaker_state(&b), BREAKER_CLOSED);
    calls(&b, &rules, 100 * S, BREAKER_FAILED, 1); /* 6 of 12 */
    assert_int_equal(breaker_state(&b), BREAKER_OPEN);
}

static void
test_forgets_what_left_the_window(void **state)
{
    struct breaker b;
    breaker_init(&b);
    calls(&b, &rules, 100 * S, BREAKER_FAILED, 3);
    struct breaker_view v = breaker_read(&b, &rules, 105 * S);
    assert_int_equal(v.total.calls, 3);
    v = breaker_read(&b, &rules, 111 * S);
    assert_int_equal(v.total.calls, 0);
    calls(&b, &rules, 111 * S, BREAKER_FAILED, 1);
    assert_int_equal(breaker_state(&b), BREAKER_CLOSED);

    /* Bucket by bucket: what is 9 s old counts, what is 10 s old does not. */
    breaker_init(&b);
    for (int i = 0; i < 30; i++)
        calls(&b, &rules, (100 + i) * S, BREAKER_OK, 1);
    v = breaker_read(&b, &rules, 129 * S);
    assert_int_equal(v.total.calls, 10);
}

static void
test_another_window_length_starts_anew(void **state)
{
    struct breaker b;
    struct breaker_rules other = rules;
    other.window_ns = 60 * S;
    breaker_init(&b);
    calls(&b, &rules, 100 * S, BREAKER_FAILED, 3);
    calls(&b, &other, 100 * S, BREAKER_FAILED, 1);
    assert_int_equal(breaker_state(&b), BREAKER_CLOSED);
    assert_int_equal(breaker_read(&b, &other, 100 * S).total.calls, 1);
}

static void
test_slow_calls_open_it(void **state)
{
    struct breaker b;
    struct breaker_rules slow = rules;
    slow.slow_ns = 2 * S;
    slow.slow_rate = 75;
    breaker_init(&b);
    call(&b, &slow, 100 * S, BREAKER_OK, 2 * S - 1);
    call(&b, &slow, 100 * S, BREAKER_OK, 2 * S);
    call(&b, &slow, 100 * S, BREAKER_OK, 3 * S);
    call(&b, &slow, 100 * S, BREAKER_OK, 1);
    assert_int_equal(breaker_state(&b), BREAKER_CLOSED);
    for (int i = 0; i < 4; i++)
        call(&b, &slow, 100 * S, BREAKER_OK, 3 * S); /* 6 of 8 */
    assert_int_equal(breaker_state(&b), BREAKER_OPEN);
    struct breaker_view v = breaker_read(&b, &slow, 101 * S);
    assert_true(v.slow_rate == 75.0);
    assert_true(v.failure_rate == 0.0);
    assert_int_equal(v.retry_after_ns, 4 * S);
}

static void
test_abandoned_calls_say_nothing(void **state)
{
    struct breaker b;
    breaker_init(&b);
    calls(&b, &rules, 100 * S, BREAKER_ABANDONED, 100);
    calls(&b, &rules, 100 * S, BREAKER_UNSENT, 100);
    assert_int_equal(breaker_read(&b, &rules, 100 * S).total.calls, 0);
}

static void
test_half_open_admits_exactly_the_probes(void **state)
{
    struct breaker b;
    breaker_init(&b);
    int64_t t = open_it(&b, 100 * S);
    assert_false(breaker_admit(&b, &rules, t + 5 * S - 1).admitted);
    uint64_t tickets[3];
    for (int i = 0; i < 3; i++) {
        struct breaker_verdict v = breaker_admit(&b, &rules, t + 5 * S);
        assert_true(v.admitted);
        assert_int_equal(v.changed, i == 0);
        tickets[i] = v.ticket;
    }
    assert_int_equal(breaker_state(&b), BREAKER_HALF_OPEN);
    struct breaker_verdict v = breaker_admit(&b, &rules, t + 5 * S);
    assert_false(v.admitted);
    assert_int_equal(v.name, BREAKER_HALF_OPEN);

    /* One that was never sent gives its place to another; one that is back does not. */
    breaker_record(&b, &rules, t + 6 * S, tickets[0], BREAKER_UNSENT, 0);
    v = breaker_admit(&b, &rules, t + 6 * S);
    assert_true(v.admitted);
    assert_false(breaker_record(&b, &rules, t + 6 * S, v.ticket, BREAKER_OK, 0));
    assert_false(breaker_admit(&b, &rules, t + 6 * S).admitted);
    assert_false(breaker_record(&b, &rules, t + 6 * S, tickets[1], BREAKER_FAILED, 0)); /* 1 of 3: below 50 % */
    assert_true(breaker_record(&b, &rules, t + 6 * S, tickets[2], BREAKER_OK, 0));
    assert_int_equal(breaker_state(&b), BREAKER_CLOSED);
    assert_int_equal(breaker_read(&b, &rules, t + 6 * S).total.calls, 0);
}

/* However many leave, the origin gets no more than `probes` of them in a second. */
static void
test_abandoned_probes_keep_their_places_for_a_while(void **state)
{
    struct breaker b;
    breaker_init(&b);
    int64_t t = open_it(&b, 100 * S) + 5 * S;
    int admitted = 0;
    for (int i = 0; i < 50; i++) {
        struct breaker_verdict v = breaker_admit(&b, &rules, t + i);
        admitted += v.admitted;
        if (v.admitted)
            breaker_record(&b, &rules, t + i, v.ticket, BREAKER_ABANDONED, 0);
    }
    assert_int_equal(admitted, 3);
    assert_false(breaker_admit(&b, &rules, t + BREAKER_HOLD_NS - 1).admitted);
    for (int i = 0; i < 3; i++) {
        struct breaker_verdict v = breaker_admit(&b, &rules, t + BREAKER_HOLD_NS);
        assert_true(v.admitted);
        breaker_record(&b, &rules, t + BREAKER_HOLD_NS, v.ticket, BREAKER_OK, 0);
    }
    assert_int_equal(breaker_state(&b), BREAKER_CLOSED);
}

static void
test_open_time_doubles_up_to_max_and_resets(void **state)
{
    struct breaker b;
    breaker_init(&b);
    int64_t t = open_it(&b, 100 * S);
    static const int64_t lengths[] = { 5 * S, 10 * S, 15 * S, 15 * S };
    for (unsigned i = 0; i < 4; i++) {
        struct breaker_verdict v = breaker_admit(&b, &rules, t);
        assert_false(v.admitted);
        assert_int_equal(v.retry_after_ns, lengths[i]);
        t += lengths[i];
        /* Two of three failed: certain before the third is back. */
        calls(&b, &rules, t, BREAKER_FAILED, 2);
        assert_int_equal(breaker_state(&b), BREAKER_OPEN);
    }
    t += 15 * S;
    calls(&b, &rules, t, BREAKER_OK, 3);
    assert_int_equal(breaker_state(&b), BREAKER_CLOSED);
    open_it(&b, t);
    assert_int_equal(breaker_admit(&b, &rules, t).retry_after_ns, 5 * S);
}

static void
test_half_open_ends_after_ten_seconds(void **state)
{
    struct breaker b;
    breaker_init(&b);
    int64_t t = open_it(&b, 100 * S) + 5 * S;
    uint64_t lost = breaker_admit(&b, &rules, t).ticket;
    assert_int_not_equal(lost, 0);
    breaker_admit(&b, &rules, t);
    breaker_admit(&b, &rules, t);
    assert_false(breaker_admit(&b, &rules, t + 10 * S - 1).admitted);
    struct breaker_verdict v = breaker_admit(&b, &rules, t + 10 * S); /* no probe is back: open again, doubled */
    assert_false(v.admitted);
    assert_true(v.changed);
    assert_int_equal(v.retry_after_ns, 10 * S);
    assert_false(breaker_record(&b, &rules, t + 11 * S, lost, BREAKER_OK, 0)); /* stale */
    assert_int_equal(breaker_state(&b), BREAKER_OPEN);

    /* Little traffic: one good probe within the ten seconds is enough to close. */
    t += 20 * S;
    assert_true(call(&b, &rules, t, BREAKER_OK, 0));
    assert_int_equal(breaker_state(&b), BREAKER_HALF_OPEN);
    assert_true(breaker_admit(&b, &rules, t + 10 * S).admitted);
    assert_int_equal(breaker_state(&b), BREAKER_CLOSED);
}

static void
test_results_of_another_state_are_stale(void **state)
{
    struct breaker b;
    breaker_init(&b);
    uint64_t early = breaker_admit(&b, &rules, 100 * S).ticket;
    int64_t t = open_it(&b, 100 * S);
    assert_false(breaker_record(&b, &rules, t + S, early, BREAKER_FAILED, 0));
    calls(&b, &rules, t + 5 * S, BREAKER_OK, 3);
    assert_int_equal(breaker_state(&b), BREAKER_CLOSED);
    breaker_record(&b, &rules, t + 5 * S, early, BREAKER_FAILED, 0);
    assert_int_equal(breaker_read(&b, &rules, t + 5 * S).total.calls, 0);
}

static void
test_orders(void **state)
{
    struct breaker b;
    breaker_init(&b);
    breaker_force(&b, BREAKER_FORCE_OPEN);
    assert_int_equal(breaker_state(&b), BREAKER_FORCED_OPEN);
    struct breaker_verdict v = breaker_admit(&b, &rules, 100 * S);
    assert_false(v.admitted);
    assert_int_equal(v.retry_after_ns, 0);
    /* Sends no probes, however long it takes. */
    assert_false(breaker_admit(&b, &rules, 100000 * S).admitted);
    /* Keeps counting what is sent all the same. */
    breaker_record(&b, &rules, 100000 * S, v.ticket, BREAKER_FAILED, 0);
    assert_int_equal(breaker_read(&b, &rules, 100000 * S).total.failures, 1);

    breaker_force(&b, BREAKER_FORCE_CLOSED);
    calls(&b, &rules, 100001 * S, BREAKER_FAILED, 50);
    assert_int_equal(breaker_state(&b), BREAKER_FORCED_CLOSED);
    struct breaker_view view = breaker_read(&b, &rules, 100001 * S);
    assert_int_equal(view.total.calls, 51);
    assert_true(view.failure_rate == 100.0);

    /* Back to itself: closed, and what was counted decides at the next call. */
    breaker_force(&b, BREAKER_AUTO);
    assert_int_equal(breaker_state(&b), BREAKER_CLOSED);
    calls(&b, &rules, 100001 * S, BREAKER_FAILED, 1);
    assert_int_equal(breaker_state(&b), BREAKER_OPEN);

    /* Out of open by order: results under way then are stale. */
    breaker_force(&b, BREAKER_FORCE_CLOSED);
    assert_int_equal(breaker_read(&b, &rules, 100002 * S).total.calls, 0);
    breaker_force(&b, BREAKER_AUTO);
    assert_true(breaker_admit(&b, &rules, 100002 * S).admitted);
}

static unsigned changes;

static void
on_change(struct breaker *b)
{
    changes++;
}

static void
test_tells_of_each_change(void **state)
{
    struct breaker b;
    breaker_init(&b);
    b.changed = on_change;
    changes = 0;
    int64_t t = open_it(&b, 100 * S);
    assert_int_equal(changes, 1);
    calls(&b, &rules, t + 5 * S, BREAKER_OK, 3);
    assert_int_equal(changes, 3); /* half-open, closed */
    breaker_force(&b, BREAKER_AUTO);
    assert_int_equal(changes, 3);
    breaker_force(&b, BREAKER_FORCE_OPEN);
    assert_int_equal(changes, 4);
}

static struct breaker shared;
static _Atomic unsigned probes_now, probes_most, probes_total;

static void *
hammer(void *arg)
{
    for (int i = 0; i < 20000; i++) {
        struct breaker_verdict v = breaker_admit(&shared, &rules, 200 * S);
        if (!v.admitted)
            continue;
        unsigned now = atomic_fetch_add(&probes_now, 1) + 1, most = atomic_load(&probes_most);
        while (now > most && !atomic_compare_exchange_weak(&probes_most, &most, now))
            ;
        atomic_fetch_add(&probes_total, 1);
        atomic_fetch_sub(&probes_now, 1);
        breaker_record(&shared, &rules, 200 * S, v.ticket, BREAKER_UNSENT, 0);
    }
    return NULL;
}

/* Probes come and go, but never more than three at once. */
static void
test_threads_share_the_probes(void **state)
{
    pthread_t threads[4];
    breaker_init(&shared);
    open_it(&shared, 100 * S);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, hammer, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(atomic_load(&probes_most) <= 3);
    assert_true(atomic_load(&probes_total) > 0);
    assert_int_equal(shared.probes_out, 0);
    assert_int_equal(breaker_state(&shared), BREAKER_HALF_OPEN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens_at_the_rate_and_not_below_the_minimum),
        cmocka_unit_test(test_forgets_what_left_the_window),
        cmocka_unit_test(test_another_window_length_starts_anew),
        cmocka_unit_test(test_slow_calls_open_it),
        cmocka_unit_test(test_abandoned_calls_say_nothing),
        cmocka_unit_test(test_half_open_admits_exactly_the_probes),
        cmocka_unit_test(test_abandoned_probes_keep_their_places_for_a_while),
        cmocka_unit_test(test_open_time_doubles_up_to_max_and_resets),
        cmocka_unit_test(test_half_open_ends_after_ten_seconds),
        cmocka_unit_test(test_results_of_another_state_are_stale),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_tells_of_each_change),
        cmocka_unit_test(test_threads_share_the_probes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
