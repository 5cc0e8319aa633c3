#include "fixture.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
#define TEAPOT "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define BROKEN "HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

static void
the_first_result_decides_alone(void **state)
{
    struct health_conf h = { .healthy = 2, .unhealthy = 3 };
    struct health_count n = { 0 };
    bool healthy = true;

    assert_true(health_feed(&n, &h, false, &healthy));
    assert_false(healthy);
    memset(&n, 0, sizeof(n));
    assert_true(health_feed(&n, &h, true, &healthy));
    assert_true(healthy);
}

static void
then_results_in_a_row_do(void **state)
{
    struct health_conf h = { .healthy = 2, .unhealthy = 3 };
    struct health_count n = { 0 };
    bool healthy = true;

    assert_false(health_feed(&n, &h, true, &healthy));
    assert_false(health_feed(&n, &h, false, &healthy));
    assert_false(health_feed(&n, &h, false, &healthy));
    assert_false(health_feed(&n, &h, true, &healthy)); /* begins anew */
    assert_false(health_feed(&n, &h, false, &healthy));
    assert_false(health_feed(&n, &h, false, &healthy));
    assert_true(health_feed(&n, &h, false, &healthy));
    assert_false(healthy);
    assert_false(health_feed(&n, &h, true, &healthy));
    assert_false(health_feed(&n, &h, false, &healthy));
    assert_false(health_feed(&n, &h, true, &healthy));
    assert_true(health_feed(&n, &h, true, &healthy));
    assert_true(healthy);
}

/* ---- probes against an origin ---- */

static struct endpoint_state *
only(struct cluster *c)
{
    return c->priv->views[0].set->entries[0].e;
}

static bool
is_warm(void *c)
{
    return cluster_warm(c);
}

static bool
is_healthy(void *c)
{
    return atomic_load(&only(c)->healthy);
}

static bool
is_unhealthy(void *c)
{
    return !is_healthy(c);
}

static struct cluster *
open_checked(struct fixture *f, const struct origin *o, const char *check)
{
    char body[600];

    snprintf(body, sizeof(body), "endpoint %s; health_check { %s }", o->text, check);
    return fixture_cluster(f, body);
}

static void
a_good_endpoint_is_asked_at_once_and_stays(void **state)
{
    struct fixture f;
    struct origin o;
    struct cluster *c;

    origin_open(&o, OK);
    c = open_checked(&f, &o, "path /up?x=1; interval 10s;");
    assert_false(cluster_warm(c));
    cluster_start(c, NULL);
    assert_false(cluster_warm(c));
    assert_true(cluster_healthy(c)); /* until its first result */
    assert_true(run_until(is_warm, c));
    assert_int_equal(o.requests, 1);
    assert_true(is_healthy(c));
    assert_ptr_equal(strstr(o.last, "GET /up?x=1 HTTP/1.1\r\n"), o.last);
    assert_non_null(strstr(o.last, o.text)); /* the Host */
    cluster_stop(c);
    fixture_close(&f);
    origin_close(&o);
}

static void
a_bad_first_result_takes_it_out(void **state)
{
    struct fixture f;
    struct origin o;
    struct cluster *c;

    origin_open(&o, BROKEN);
    c = open_checked(&f, &o, "unhealthy 3; interval 10s;");
    cluster_start(c, NULL);
    assert_true(run_until(is_warm, c));
    assert_true(is_unhealthy(c));
    assert_false(cluster_healthy(c));
    cluster_stop(c);
    fixture_close(&f);
    origin_close(&o);
}

static void
an_endpoint_comes_and_goes(void **state)
{
    struct fixture f;
    struct origin o;
    struct cluster *c;

    origin_open(&o, TEAPOT);
    c = open_checked(&f, &o, "expect 200 418; healthy 2; unhealthy 2; interval 100ms;");
    cluster_start(c, NULL);
    assert_true(run_until(is_warm, c));
    assert_true(is_healthy(c));
    o.answer = BROKEN;
    o.requests = 0;
    assert_true(run_until(is_unhealthy, c));
    assert_int_equal(o.requests, 2);
    o.answer = OK;
    o.requests = 0;
    assert_true(run_until(is_healthy, c));
    assert_int_equal(o.requests, 2);
    cluster_stop(c);
    fixture_close(&f);
    origin_close(&o);
}

static void
no_answer_in_time_is_a_failure(void **state)
{
    struct fixture f;
    struct origin o;
    struct cluster *c;

    origin_open(&o, NULL);
    c = open_checked(&f, &o, "timeout 20ms; interval 10s;");
    cluster_start(c, NULL);
    assert_true(run_until(is_warm, c));
    assert_true(is_unhealthy(c));
    cluster_stop(c);
    fixture_close(&f);
    origin_close(&o);
}

static bool
was_asked(void *o)
{
    return ((struct origin *)o)->requests > 0;
}

static void
a_reload_keeps_what_is_known(void **state)
{
    struct fixture f, g;
    struct origin o;
    struct cluster *old, *new;

    origin_open(&o, BROKEN);
    old = open_checked(&f, &o, "interval 10s;");
    cluster_start(old, NULL);
    assert_true(run_until(is_warm, old));
    new = open_checked(&g, &o, "interval 10s;");
    assert_false(cluster_healthy(new));
    cluster_start(new, NULL);
    assert_true(cluster_warm(new)); /* nothing to wait for */
    cluster_stop(old);
    fixture_close(&f);
    run_for(20 * MS);
    assert_int_equal(o.requests, 1); /* the probe went on */
    assert_true(is_unhealthy(new));
    cluster_stop(new);
    fixture_close(&g);
    origin_close(&o);
}

static void
another_check_asks_again_and_none_forgets(void **state)
{
    struct fixture f, g, h;
    struct origin o;
    struct cluster *first, *second, *third;
    char body[200];

    origin_open(&o, BROKEN);
    first = open_checked(&f, &o, "interval 10s;");
    cluster_start(first, NULL);
    assert_true(run_until(is_warm, first));
    o.requests = 0;
    second = open_checked(&g, &o, "interval 10s; path /other;");
    cluster_start(second, NULL);
    cluster_stop(first);
    fixture_close(&f);
    assert_false(cluster_warm(second));
    assert_true(is_unhealthy(second)); /* what was known holds until then */
    assert_true(run_until(was_asked, &o));
    assert_ptr_equal(strstr(o.last, "GET /other "), o.last);
    snprintf(body, sizeof(body), "endpoint %s;", o.text);
    third = fixture_cluster(&h, body);
    cluster_start(third, NULL);
    cluster_stop(second);
    fixture_close(&g);
    assert_true(is_healthy(third)); /* without checks it counts as healthy */
    cluster_stop(third);
    fixture_close(&h);
    origin_close(&o);
}

static void
a_stopped_upstream_asks_no_more(void **state)
{
    struct fixture f;
    struct origin o;
    struct cluster *c;

    origin_open(&o, OK);
    c = open_checked(&f, &o, "interval 100ms;");
    cluster_start(c, NULL);
    assert_true(run_until(is_warm, c));
    cluster_stop(c);
    o.requests = 0;
    run_for(150 * MS);
    assert_int_equal(o.requests, 0);
    fixture_close(&f);
    origin_close(&o);
}

static void
the_gauge_shows_it(void **state)
{
    struct fixture f;
    struct origin o;
    struct cluster *c;
    struct strbuf out;
    char line[300];

    assert_int_equal(stats_init(1), 0);
    origin_open(&o, BROKEN);
    c = open_checked(&f, &o, "interval 10s;");
    cluster_start(c, NULL);
    assert_true(run_until(is_warm, c));
    strbuf_init(&out, 1u << 16);
    stats_expose(&out);
    snprintf(line, sizeof(line), "weir_endpoint_healthy{upstream=\"u\",endpoint=\"%s\"} 0\n", o.text);
    assert_non_null(strstr(out.p, line));
    atomic_store(&only(c)->healthy, true);
    strbuf_clear(&out);
    stats_expose(&out);
    snprintf(line, sizeof(line), "weir_endpoint_healthy{upstream=\"u\",endpoint=\"%s\"} 1\n", o.text);
    assert_non_null(strstr(out.p, line));
    strbuf_fini(&out);
    cluster_stop(c);
    fixture_close(&f);
    origin_close(&o);
    stats_fini();
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
        cmocka_unit_test(the_first_result_decides_alone),
        cmocka_unit_test(then_results_in_a_row_do),
        cmocka_unit_test(a_good_endpoint_is_asked_at_once_and_stays),
        cmocka_unit_test(a_bad_first_result_takes_it_out),
        cmocka_unit_test(an_endpoint_comes_and_goes),
        cmocka_unit_test(no_answer_in_time_is_a_failure),
        cmocka_unit_test(a_reload_keeps_what_is_known),
        cmocka_unit_test(another_check_asks_again_and_none_forgets),
        cmocka_unit_test(a_stopped_upstream_asks_no_more),
        cmocka_unit_test(the_gauge_shows_it),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
