#include "fixture.h"

static void
what_is_the_endpoints_fault(void **state)
{
    assert_true(outlier_is_failure(WEIR_RESULT_CONNECT_FAILED, 0));
    assert_true(outlier_is_failure(WEIR_RESULT_CONNECT_TIMEOUT, 0));
    assert_true(outlier_is_failure(WEIR_RESULT_RESET, 0));
    assert_true(outlier_is_failure(WEIR_RESULT_TIMEOUT, 0));
    assert_true(outlier_is_failure(WEIR_RESULT_BAD_RESPONSE, 0));
    assert_true(outlier_is_failure(WEIR_RESULT_ERROR_STATUS, 500));
    assert_false(outlier_is_failure(WEIR_RESULT_ERROR_STATUS, 404));
    assert_false(outlier_is_failure(WEIR_RESULT_OK, 200));
    assert_false(outlier_is_failure(WEIR_RESULT_CANCELLED, 0));
}

static void
ejections_grow_and_shrink(void **state)
{
    struct outlier_conf o = { .consecutive = 5, .interval = 10, .eject = 30, .max_ejected = 50 };
    unsigned n = 0;

    assert_int_equal(outlier_eject_time(&o, 1000, 0, &n), 30);
    assert_int_equal(n, 1);
    assert_int_equal(outlier_eject_time(&o, 1035, 1030, &n), 60); /* soon after it came back */
    assert_int_equal(n, 2);
    assert_int_equal(outlier_eject_time(&o, 1112, 1100, &n), 60); /* one interval in good standing: a step back */
    assert_int_equal(n, 2);
    assert_int_equal(outlier_eject_time(&o, 9999, 1200, &n), 30);
    assert_int_equal(n, 1);
}

static void
ejections_have_a_longest_time(void **state)
{
    struct outlier_conf o = { .consecutive = 5, .interval = NSEC_PER_SEC, .eject = 200 * NSEC_PER_SEC };
    unsigned n = 1;

    assert_int_equal(outlier_eject_time(&o, 1, 1, &n), 300 * NSEC_PER_SEC);
    o.eject = 1000 * NSEC_PER_SEC;
    n = 4;
    assert_int_equal(outlier_eject_time(&o, 1, 1, &n), 1000 * NSEC_PER_SEC);
}

static struct endpoint_state *
at(struct cluster *c, unsigned i)
{
    return c->priv->views[0].set->entries[i].e;
}

static bool
ejected(struct cluster *c, unsigned i)
{
    return atomic_load(&at(c, i)->ejected_until) > clock_now();
}

static void
attempts_fail(struct cluster *c, unsigned i, unsigned times)
{
    while (times--)
        cluster_report(c, at(c, i), WEIR_RESULT_RESET, 0);
}

static void
only_failures_in_a_row_eject(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, "endpoint 127.0.0.1:1; endpoint 127.0.0.1:2; outlier { consecutive 3; }");

    attempts_fail(c, 0, 2);
    cluster_report(c, at(c, 0), WEIR_RESULT_CANCELLED, 0); /* says nothing */
    assert_int_equal(atomic_load(&at(c, 0)->consecutive), 2);
    cluster_report(c, at(c, 0), WEIR_RESULT_ERROR_STATUS, 404); /* the client's fault: the endpoint works */
    attempts_fail(c, 0, 2);
    assert_false(ejected(c, 0));
    cluster_report(c, at(c, 0), WEIR_RESULT_ERROR_STATUS, 503);
    assert_true(ejected(c, 0));
    assert_string_equal(endpoint_state_name(at(c, 0), clock_now()), "ejected");
    fixture_close(&f);
}

static void
without_the_block_nothing_is_ejected(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, "endpoint 127.0.0.1:1; endpoint 127.0.0.1:2;");

    attempts_fail(c, 0, 100);
    assert_false(ejected(c, 0));
    fixture_close(&f);
}

static void
the_last_endpoint_stays(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, "endpoint 127.0.0.1:1; outlier { consecutive 1; max_ejected 100%; }");

    attempts_fail(c, 0, 10);
    assert_false(ejected(c, 0));
    fixture_close(&f);

    c = fixture_cluster(&f, "endpoint 127.0.0.1:1; endpoint 127.0.0.1:2; outlier { consecutive 1; max_ejected 100%; }");
    attempts_fail(c, 0, 1);
    attempts_fail(c, 1, 10);
    assert_true(ejected(c, 0));
    assert_false(ejected(c, 1));
    fixture_close(&f);

    /* The other one does not count when it is of no use. */
    c = fixture_cluster(&f, "endpoint 127.0.0.1:1; endpoint 127.0.0.1:2; outlier { consecutive 1; max_ejected 100%; }");
    atomic_store(&at(c, 0)->healthy, false);
    attempts_fail(c, 1, 10);
    assert_false(ejected(c, 1));
    fixture_close(&f);
}

static unsigned
ejected_of_four(const char *max_ejected)
{
    struct fixture f;
    struct cluster *c;
    char body[400];
    unsigned i, n = 0;

    snprintf(body, sizeof(body),
             "endpoint 127.0.0.1:1; endpoint 127.0.0.1:2; endpoint 127.0.0.1:3; endpoint 127.0.0.1:4;"
             "outlier { consecutive 2; max_ejected %s; }",
             max_ejected);
    c = fixture_cluster(&f, body);
    for (i = 0; i < 4; i++)
        attempts_fail(c, i, 6);
    for (i = 0; i < 4; i++)
        n += ejected(c, i);
    fixture_close(&f);
    return n;
}

static void
at_most_the_share_is_out(void **state)
{
    assert_int_equal(ejected_of_four("50%"), 2);
    assert_int_equal(ejected_of_four("100%"), 3);
    assert_int_equal(ejected_of_four("10%"), 1); /* one may be */
    assert_int_equal(ejected_of_four("0%"), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_the_endpoints_fault),
        cmocka_unit_test(ejections_grow_and_shrink),
        cmocka_unit_test(ejections_have_a_longest_time),
        cmocka_unit_test(only_failures_in_a_row_eject),
        cmocka_unit_test(without_the_block_nothing_is_ejected),
        cmocka_unit_test(the_last_endpoint_stays),
        cmocka_unit_test(at_most_the_share_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
