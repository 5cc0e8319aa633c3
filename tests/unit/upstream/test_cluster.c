#include "fixture.h"

#define THREE "endpoint 127.0.0.1:1; endpoint 127.0.0.1:2; endpoint 127.0.0.1:3;"

static struct endpoint_state *
at(struct cluster *c, unsigned i)
{
    return c->priv->views[0].set->entries[i].e;
}

/* Which endpoint a fresh request gets; -1: none. */
static int
pick_with(struct cluster *c, struct pick *p)
{
    struct endpoint_state *e = cluster_pick(c, p);
    unsigned i;

    if (!e)
        return -1;
    endpoint_put(e);
    for (i = 0; i < c->priv->views[0].set->n; i++) {
        if (at(c, i) == e)
            return (int)i;
    }
    return -2;
}

static int
pick(struct cluster *c)
{
    struct pick p = { 0 };

    return pick_with(c, &p);
}

static void
weights_are_followed(void **state)
{
    struct fixture f;
    struct cluster *c =
        fixture_cluster(&f, "endpoint 127.0.0.1:1 weight=3; endpoint 127.0.0.1:2; endpoint 127.0.0.1:3 weight=0;");
    unsigned i, got[3] = { 0 };

    cluster_start(c, NULL);
    for (i = 0; i < 40; i++)
        got[pick(c)]++;
    assert_int_equal(got[0], 30);
    assert_int_equal(got[1], 10);
    assert_int_equal(got[2], 0);
    endpoint_order(at(c, 2), NULL, 4); /* by PATCH */
    memset(got, 0, sizeof(got));
    for (i = 0; i < 80; i++)
        got[pick(c)]++;
    assert_int_equal(got[2], 40);
    cluster_stop(c);
    fixture_close(&f);
}

static void
a_retry_avoids_the_endpoints_tried(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, THREE);
    struct pick p = { 0 };
    unsigned seen = 0, i;

    for (i = 0; i < 3; i++)
        seen |= 1u << pick_with(c, &p);
    assert_int_equal(seen, 7);
    assert_int_equal(p.n_tried, 3);
    assert_true(pick_with(c, &p) >= 0); /* all tried: any will do */
    assert_int_equal(p.n_tried, 3);
    atomic_store(&at(c, 0)->healthy, false);
    memset(&p, 0, sizeof(p));
    p.tried[0] = at(c, 1);
    p.n_tried = 1;
    for (i = 0; i < 5; i++) {
        assert_int_equal(pick_with(c, &p), 2);
        p.n_tried = 1;
    }
    fixture_close(&f);
}

static void
a_hash_goes_on_to_the_same_second_choice(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, THREE "balance hash ${client.ip};");
    struct pick p = { .hash = 12345 };
    int first, second;

    first = pick_with(c, &p);
    second = pick_with(c, &p);
    assert_int_not_equal(first, second);
    atomic_store(&at(c, (unsigned)first)->healthy, false);
    memset(&p, 0, sizeof(p));
    p.hash = 12345;
    assert_int_equal(pick_with(c, &p), second);
    fixture_close(&f);
}

static void
those_out_of_use_get_nothing(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, THREE);
    unsigned i;

    atomic_store(&at(c, 0)->healthy, false);
    endpoint_order(at(c, 1), "drain", -1);
    for (i = 0; i < 10; i++)
        assert_int_equal(pick(c), 2);
    assert_true(cluster_healthy(c));
    endpoint_order(at(c, 2), "down", -1);
    assert_int_equal(pick(c), -1);
    assert_false(cluster_healthy(c));
    fixture_close(&f);
}

static void
an_ejection_is_overruled_when_nobody_else_is_left(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, THREE);
    unsigned i;

    atomic_store(&at(c, 0)->ejected_until, clock_now() + 60 * NSEC_PER_SEC);
    for (i = 0; i < 10; i++)
        assert_int_not_equal(pick(c), 0);
    atomic_store(&at(c, 1)->healthy, false);
    atomic_store(&at(c, 2)->healthy, false);
    assert_true(cluster_healthy(c));
    assert_int_equal(pick(c), 0);
    fixture_close(&f);
}

static void
without_panic_all_unhealthy_is_nobody(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, THREE);
    unsigned i;

    for (i = 0; i < 3; i++)
        atomic_store(&at(c, i)->healthy, false);
    assert_int_equal(pick(c), -1);
    fixture_close(&f);
}

static void
panic_sends_to_all_below_its_share(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, THREE "panic 50%;");
    unsigned i, got[3] = { 0 };

    clock_update();
    atomic_store(&at(c, 0)->healthy, false);
    for (i = 0; i < 10; i++)
        assert_int_not_equal(pick(c), 0); /* 67 % are left */
    atomic_store(&at(c, 1)->healthy, false);
    clock_update();
    for (i = 0; i < 30; i++)
        got[pick(c)]++;
    assert_int_equal(got[0], 10);
    assert_int_equal(got[1], 10);
    endpoint_order(at(c, 0), "down", -1); /* an order holds even then */
    clock_update();
    for (i = 0; i < 10; i++)
        assert_int_not_equal(pick(c), 0);
    fixture_close(&f);
}

static void
requests_are_limited(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, "endpoint 127.0.0.1:1; limits requests=2;");

    assert_true(cluster_enter(c));
    assert_true(cluster_enter(c));
    assert_false(cluster_enter(c));
    assert_int_equal(cluster_active_requests(c), 2);
    cluster_leave(c);
    assert_true(cluster_enter(c));
    cluster_leave(c);
    cluster_leave(c);
    fixture_close(&f);
}

static void
counts_outlive_a_reload(void **state)
{
    struct fixture f, g;
    struct cluster *old = fixture_cluster(&f, "endpoint 127.0.0.1:1; limits requests=2;"), *new;

    assert_true(cluster_enter(old));
    new = fixture_cluster(&g, "endpoint 127.0.0.1:1; limits requests=2;");
    assert_true(cluster_enter(new));
    assert_false(cluster_enter(new));
    cluster_leave(old);
    fixture_close(&f);
    assert_true(cluster_enter(new));
    cluster_leave(new);
    cluster_leave(new);
    fixture_close(&g);
}

static void
retries_keep_to_their_budget(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, "endpoint 127.0.0.1:1; retry { budget 20%; }");
    unsigned i;

    for (i = 0; i < 3; i++)
        assert_true(cluster_retry_admit(c)); /* always */
    assert_false(cluster_retry_admit(c));
    for (i = 0; i < 25; i++)
        assert_true(cluster_enter(c));
    assert_true(cluster_retry_admit(c));
    assert_true(cluster_retry_admit(c));
    assert_false(cluster_retry_admit(c)); /* 5 of 25 */
    cluster_retry_done(c);
    assert_true(cluster_retry_admit(c));
    for (i = 0; i < 5; i++)
        cluster_retry_done(c);
    for (i = 0; i < 25; i++)
        cluster_leave(c);
    fixture_close(&f);
}

static void
state_survives_a_reload_and_a_failed_one_changes_nothing(void **state)
{
    struct fixture f, g, h;
    struct cluster *old = fixture_cluster(&f, "endpoint 127.0.0.1:1 weight=2; endpoint 127.0.0.1:2;"), *new;
    struct endpoint_state *kept = at(old, 0), *gone = at(old, 1);

    cluster_start(old, NULL);
    endpoint_order(kept, "drain", 5);
    fixture_cluster(&g, "endpoint 127.0.0.1:1 weight=9;"); /* built, and thrown away */
    fixture_close(&g);
    assert_int_equal(atomic_load(&kept->weight), 5);

    new = fixture_cluster(&h, "endpoint 127.0.0.1:3; endpoint 127.0.0.1:1 weight=2;");
    assert_ptr_equal(at(new, 1), kept);
    assert_int_equal(atomic_load(&kept->weight), 5);
    endpoint_hold(gone);
    cluster_start(new, NULL);
    assert_true(atomic_load(&gone->retired));
    assert_false(atomic_load(&kept->retired));
    cluster_stop(old);
    fixture_close(&f);
    assert_int_equal(atomic_load(&kept->weight), 5); /* the file says 2 as before: the order stands */
    assert_int_equal(atomic_load(&kept->admin), ENDPOINT_DRAIN);
    assert_int_equal(pick(new), 0);
    cluster_stop(new);
    assert_true(atomic_load(&kept->retired));
    fixture_close(&h);
    endpoint_put(gone);
}

static void
visit(struct endpoint_state *e, void *arg)
{
    strcat(arg, e->address);
    strcat(arg, " ");
}

static void
views(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, "endpoint 127.0.0.1:1; endpoint [::1]:2;");
    char all[100] = "";

    cluster_endpoints(c, visit, all);
    assert_string_equal(all, "127.0.0.1:1 [::1]:2 ");
    assert_ptr_equal(cluster_endpoint(c, SLICE("[::1]:2")), at(c, 1));
    assert_null(cluster_endpoint(c, SLICE("127.0.0.1:2")));
    assert_string_equal(balance_name(c->balance), "round_robin");
    fixture_close(&f);
}

static void
the_name_for_tls(void **state)
{
    struct fixture f;
    struct addr a;
    struct endpoint_state *e;
    struct cluster *c = fixture_cluster(&f, "endpoint a.example:443; tls { }");

    assert_int_equal(addr_parse(SLICE("192.0.2.1:443"), &a, NULL), 0);
    e = endpoint_get_as("u", &a, "a.example:443");
    assert_true(slice_eq(cluster_server_name(c, e), SLICE("a.example")));
    fixture_close(&f);
    c = fixture_cluster(&f, "endpoint a.example:443; tls { server_name b.example; }");
    assert_true(slice_eq(cluster_server_name(c, e), SLICE("b.example")));
    endpoint_put(e);
    fixture_close(&f);
}

static int
setup(void **state)
{
    return workers_init(0);
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
        cmocka_unit_test(weights_are_followed),
        cmocka_unit_test(a_retry_avoids_the_endpoints_tried),
        cmocka_unit_test(a_hash_goes_on_to_the_same_second_choice),
        cmocka_unit_test(those_out_of_use_get_nothing),
        cmocka_unit_test(an_ejection_is_overruled_when_nobody_else_is_left),
        cmocka_unit_test(without_panic_all_unhealthy_is_nobody),
        cmocka_unit_test(panic_sends_to_all_below_its_share),
        cmocka_unit_test(requests_are_limited),
        cmocka_unit_test(counts_outlive_a_reload),
        cmocka_unit_test(retries_keep_to_their_budget),
        cmocka_unit_test(state_survives_a_reload_and_a_failed_one_changes_nothing),
        cmocka_unit_test(views),
        cmocka_unit_test(the_name_for_tls),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
