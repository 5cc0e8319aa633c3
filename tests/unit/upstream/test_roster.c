/* Picking from large sets, through the cluster that keeps the roster. */
#include "fixture.h"

#include "../../../src/base/hash.h"

#define N 50

static struct fixture f;
static struct cluster *c;
static unsigned got[N];

/* N endpoints, every fifth with weight 3. */
static void
open_cluster(const char *balance)
{
    static char text[N * 48];
    size_t at = (size_t)snprintf(text, sizeof(text), "balance %s;", balance);

    for (unsigned i = 0; i < N; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "endpoint 127.0.0.1:%u weight=%d;", i + 1, i % 5 ? 1 : 3);
    c = fixture_cluster(&f, text);
    cluster_start(c, NULL);
    for (unsigned i = 0; i < N; i++) { /* messages to workers may have kept some of the last test */
        struct endpoint_state *e = c->priv->views[0].set->entries[i].e;
        atomic_store(&e->weight, i % 5 ? 1 : 3);
        atomic_store(&e->healthy, true);
        atomic_store(&e->ejected_until, 0);
        atomic_store(&e->admin, ENDPOINT_UP);
    }
    endpoint_changed();
}

static void
close_cluster(void)
{
    cluster_stop(c);
    fixture_close(&f);
}

static struct endpoint_state *
at(unsigned i)
{
    return c->priv->views[0].set->entries[i].e;
}

static unsigned
pick_with(struct pick *p)
{
    struct endpoint_state *e = cluster_pick(c, p);
    unsigned i;

    assert_non_null(e);
    endpoint_put(e);
    for (i = 0; at(i) != e; i++)
        ;
    return i;
}

static unsigned
pick(uint64_t hash)
{
    return pick_with(&(struct pick){ .hash = hash });
}

static void
pick_many(unsigned times)
{
    memset(got, 0, sizeof(got));
    for (unsigned i = 0; i < times; i++)
        got[pick(hash_mix(i, 1))]++;
}

static void
round_robin_is_exact(void **state)
{
    open_cluster("round_robin");
    pick_many(70 * 10);
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(got[i], i % 5 ? 10 : 30);
    /* No two in a row for the same one. */
    unsigned last = N;
    for (unsigned i = 0; i < 200; i++) {
        unsigned now = pick(0);
        assert_int_not_equal(now, last);
        last = now;
    }
    close_cluster();
}

static void
changes_are_seen_at_once(void **state)
{
    open_cluster("round_robin");
    pick_many(70);
    endpoint_order(at(7), "down", -1);
    pick_many(69 * 4);
    assert_int_equal(got[7], 0);
    assert_in_range(got[8], 3, 5);
    endpoint_order(at(7), "up", -1);
    pick_many(70 * 4);
    assert_in_range(got[7], 3, 5); /* back again, it makes up for nothing */
    endpoint_order(at(8), NULL, 10);
    pick_many(79 * 4);
    assert_in_range(got[8], 38, 42);
    atomic_store(&at(9)->healthy, false);
    endpoint_changed();
    pick_many(200);
    assert_int_equal(got[9], 0);
    close_cluster();
}

static void
an_ejection_ends_by_itself(void **state)
{
    open_cluster("round_robin");
    atomic_store(&at(3)->ejected_until, clock_now() + 20 * NSEC_PER_MSEC);
    endpoint_changed();
    pick_many(140);
    assert_int_equal(got[3], 0);
    while (clock_now() < at(3)->ejected_until)
        clock_update();
    pick_many(140);
    assert_in_range(got[3], 1, 3);
    close_cluster();
}

static void
with_nobody_left_there_is_nobody(void **state)
{
    open_cluster("least_request");
    for (unsigned i = 0; i < N; i++)
        atomic_store(&at(i)->healthy, false);
    endpoint_changed();
    assert_null(cluster_pick(c, &(struct pick){ 0 }));
    assert_false(cluster_healthy(c));
    endpoint_order(at(0), "up", -1);
    atomic_store(&at(4)->healthy, true);
    endpoint_changed();
    assert_true(cluster_healthy(c));
    assert_int_equal(pick(0), 4);
    close_cluster();
}

static void
random_and_least_request_follow_weights(void **state)
{
    static const char *const kinds[] = { "random", "least_request" };

    for (int k = 0; k < 2; k++) {
        unsigned heavy = 0;
        open_cluster(kinds[k]);
        pick_many(7000);
        for (unsigned i = 0; i < N; i += 5)
            heavy += got[i];
        assert_in_range(heavy, 2700, 3300); /* 30 of 70 */
        close_cluster();
    }
}

static void
least_request_prefers_the_less_busy(void **state)
{
    unsigned busy = 0;

    open_cluster("least_request");
    for (unsigned i = 0; i < N / 2; i++)
        atomic_store(&at(i)->active, 100);
    pick_many(4000);
    for (unsigned i = 0; i < N / 2; i++)
        busy += got[i];
    for (unsigned i = 0; i < N / 2; i++)
        atomic_store(&at(i)->active, 0);
    assert_in_range(busy, 4000 * 19 / 100, 4000 * 31 / 100); /* both drawn: a quarter */
    close_cluster();
}

static void
hash_moves_only_the_keys_of_the_lost(void **state)
{
    enum { KEYS = 4000 };
    static unsigned before[KEYS];
    unsigned moved = 0;

    open_cluster("hash ${client.ip}");
    for (unsigned i = 0; i < KEYS; i++)
        before[i] = pick(hash_mix(i, 7));
    for (unsigned i = 0; i < KEYS; i++)
        assert_int_equal(pick(hash_mix(i, 7)), before[i]);
    endpoint_order(at(10), "down", -1);
    for (unsigned i = 0; i < KEYS; i++) {
        unsigned now = pick(hash_mix(i, 7));
        if (before[i] != 10)
            assert_int_equal(now, before[i]);
        moved += now != before[i];
    }
    assert_in_range(moved, KEYS * 3 / 70 * 7 / 10, KEYS * 3 / 70 * 13 / 10);
    endpoint_order(at(10), "up", -1);
    for (unsigned i = 0; i < KEYS; i++)
        assert_int_equal(pick(hash_mix(i, 7)), before[i]);
    close_cluster();
}

static void
a_retry_avoids_those_tried(void **state)
{
    static const char *const kinds[] = { "round_robin", "random", "least_request", "hash ${client.ip}" };

    for (int k = 0; k < 4; k++) {
        open_cluster(kinds[k]);
        for (unsigned round = 0; round < 50; round++) {
            struct pick p = { .hash = hash_mix(round, 3) };
            unsigned one = pick_with(&p), two = pick_with(&p), three = pick_with(&p);
            assert_int_not_equal(one, two);
            assert_int_not_equal(two, three);
            assert_int_not_equal(one, three);
        }
        close_cluster();
    }
}

static int
setup(void **state)
{
    return workers_init(1);
}

static int
teardown(void **state)
{
    workers_fini();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_robin_is_exact),
        cmocka_unit_test(changes_are_seen_at_once),
        cmocka_unit_test(an_ejection_ends_by_itself),
        cmocka_unit_test(with_nobody_left_there_is_nobody),
        cmocka_unit_test(random_and_least_request_follow_weights),
        cmocka_unit_test(least_request_prefers_the_less_busy),
        cmocka_unit_test(hash_moves_only_the_keys_of_the_lost),
        cmocka_unit_test(a_retry_avoids_those_tried),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
