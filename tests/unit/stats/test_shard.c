#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/thread.h"
#include "../../../src/stats/stats.h"
#include "../../../src/stats/stats_impl.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define WORKERS 3u
#define ADDS 20000u

static stats_id counter, gauge, histogram;
static bool done;

static const double buckets[] = { 0.1, 1, 10 };

static void
open_all(void)
{
    stats_init(WORKERS);
    counter = stats_series(stats_family("c_total", STATS_COUNTER, "C.", NULL, 0, NULL, 0), NULL);
    gauge = stats_series(stats_family("g", STATS_GAUGE, "G.", NULL, 0, NULL, 0), NULL);
    histogram = stats_series(stats_family("h", STATS_HISTOGRAM, "H.", NULL, 0, buckets, 3), NULL);
}

static void *
add_all(void *arg)
{
    unsigned i;

    thread_number = (unsigned)(uintptr_t)arg;
    for (i = 0; i < ADDS; i++) {
        stats_add(counter, 2);
        stats_gauge_add(gauge, i % 2 ? -1 : 2);
        stats_observe(histogram, 0.5);
    }
    return NULL;
}

static void *
read_all(void *arg)
{
    uint64_t last = 0, now;
    struct strbuf out;

    strbuf_init(&out, 1 << 20);
    while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) {
        now = stats_counter_value(counter);
        assert_true(now >= last);
        last = now;
        strbuf_clear(&out);
        stats_expose(&out);
    }
    strbuf_fini(&out);
    return NULL;
}

/* Every worker, and two threads that are none, while somebody reads and series are made. */
static void
nothing_is_lost_between_threads(void **state)
{
    pthread_t t[WORKERS + 3], reader;
    const char *const labels[] = { "n" };
    struct stats_family *f;
    char text[32];
    unsigned i, n = 0;

    open_all();
    done = false;
    pthread_create(&reader, NULL, read_all, NULL);
    for (i = 0; i <= WORKERS; i++)
        pthread_create(&t[n++], NULL, add_all, (void *)(uintptr_t)i);
    for (i = 0; i < 2; i++)
        pthread_create(&t[n++], NULL, add_all, (void *)(uintptr_t)THREAD_NONE);
    f = stats_family("many_total", STATS_COUNTER, "M.", labels, 1, NULL, 0);
    for (i = 0; i < 3000; i++) { /* several pages of slots */
        stats_id id;

        snprintf(text, sizeof(text), "%u", i);
        id = stats_series(f, (struct slice[]){ slice_str(text) });
        stats_add(id, i);
        assert_int_equal(stats_counter_value(id), i);
    }
    for (i = 0; i < n; i++)
        pthread_join(t[i], NULL);
    __atomic_store_n(&done, true, __ATOMIC_RELAXED);
    pthread_join(reader, NULL);
    assert_int_equal(stats_counter_value(counter), 2 * ADDS * n);
    assert_int_equal(stats_gauge_value(gauge), ADDS / 2 * n);
    assert_int_equal(stats_counter_value(histogram), ADDS * n);
    assert_true(series_sum(series_of(histogram)) == 0.5 * ADDS * n);
    stats_fini();
}

static void
gauges_add_and_set(void **state)
{
    open_all();
    stats_gauge_add(gauge, 5);
    stats_gauge_add(gauge, -7);
    assert_int_equal(stats_gauge_value(gauge), -2);
    stats_gauge_set(gauge, 100);
    stats_gauge_set(gauge, 10);
    assert_int_equal(stats_gauge_value(gauge), 8);
    stats_fini();
}

static void
observations_find_their_bucket(void **state)
{
    static const double values[] = { -1, 0.1, 0.10001, 1, 5, 10, 10.5, 1e300 };
    static const uint64_t want[] = { 2, 2, 2, 2 };
    struct series *s;
    unsigned i;

    open_all();
    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        stats_observe(histogram, values[i]);
    s = series_of(histogram);
    for (i = 0; i < 4; i++)
        assert_int_equal(series_slot(s, i), want[i]);
    assert_int_equal(stats_counter_value(histogram), 8);
    stats_fini();
}

/* Old counts must not show up in the series that gets the place. */
static void
a_place_is_used_again_after_its_time(void **state)
{
    const char *const labels[] = { "n" };
    struct stats_family *f;
    nsec_t minute = shards_reuse_after;
    stats_id a, b, c;

    stats_init(WORKERS);
    f = stats_family("h", STATS_HISTOGRAM, "H.", labels, 1, buckets, 3);
    a = stats_series(f, (struct slice[]){ SLICE("a") });
    stats_observe(a, 5);
    stats_drop(f, SLICE("a"));
    b = stats_series(f, (struct slice[]){ SLICE("b") });
    assert_int_not_equal(a, b);
    shards_reuse_after = 0;
    c = stats_series(f, (struct slice[]){ SLICE("c") });
    shards_reuse_after = minute;
    assert_int_equal(c, a);
    assert_int_equal(stats_counter_value(c), 0);
    assert_true(series_sum(series_of(c)) == 0);
    stats_observe(c, 7);
    assert_int_equal(stats_counter_value(c), 1);
    assert_true(series_sum(series_of(c)) == 7);
    stats_fini();
}

static void
a_dropped_gauge_leaves_no_value_behind(void **state)
{
    const char *const labels[] = { "n" };
    struct stats_family *f;
    nsec_t minute = shards_reuse_after;
    stats_id a, b;

    stats_init(WORKERS);
    f = stats_family("g", STATS_GAUGE, "G.", labels, 1, NULL, 0);
    a = stats_series(f, (struct slice[]){ SLICE("a") });
    stats_gauge_set(a, 5);
    stats_gauge_add(a, 3);
    stats_drop(f, SLICE("a"));
    shards_reuse_after = 0;
    b = stats_series(f, (struct slice[]){ SLICE("b") });
    shards_reuse_after = minute;
    assert_int_equal(a, b);
    assert_int_equal(stats_gauge_value(b), 0);
    stats_fini();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_between_threads),
        cmocka_unit_test(gauges_add_and_set),
        cmocka_unit_test(observations_find_their_bucket),
        cmocka_unit_test(a_place_is_used_again_after_its_time),
        cmocka_unit_test(a_dropped_gauge_leaves_no_value_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
