#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/stats/stats.h"

#include <stdio.h>

static const char *const labels[] = { "route", "code" };

static struct stats_family *
requests(void)
{
    return stats_family("weir_requests_total", STATS_COUNTER, "Requests.", labels, 2, NULL, 0);
}

static stats_id
series(const char *route, const char *code)
{
    return stats_series(requests(), (struct slice[]){ slice_str(route), slice_str(code) });
}

static void
the_same_values_give_the_same_series(void **state)
{
    stats_id a, b;

    stats_init(0);
    a = series("r", "200");
    assert_true(a != 0);
    assert_int_equal(series("r", "200"), a);
    b = series("r", "404");
    assert_int_not_equal(a, b);
    stats_add(a, 3);
    stats_add(a, 4);
    assert_int_equal(stats_counter_value(a), 7);
    assert_int_equal(stats_counter_value(b), 0);
    stats_fini();
}

static void
values_do_not_run_into_each_other(void **state)
{
    stats_init(0);
    assert_int_not_equal(series("ab", "c"), series("a", "bc"));
    assert_int_not_equal(series("", "x"), series("x", ""));
    stats_fini();
}

static void
a_family_is_made_once(void **state)
{
    stats_init(0);
    assert_ptr_equal(requests(), requests());
    assert_ptr_not_equal(requests(), stats_family("weir_x_total", STATS_COUNTER, "X.", NULL, 0, NULL, 0));
    stats_fini();
}

static void
a_declaration_that_does_not_fit_is_refused(void **state)
{
    const char *const bad_label[] = { "a-b" };
    const char *const many[] = { "a", "b", "c", "d", "e", "f", "g" };
    static const char *const bad[] = { "", "1a", "a b", "a-b", "a\n", "a{" };
    unsigned i;

    stats_init(0);
    requests();
    assert_null(stats_family("weir_requests_total", STATS_GAUGE, "R.", labels, 2, NULL, 0));
    assert_null(stats_family("weir_requests_total", STATS_COUNTER, "R.", labels, 1, NULL, 0));
    assert_null(stats_family("weir_l", STATS_COUNTER, "L.", bad_label, 1, NULL, 0));
    assert_null(stats_family("weir_l", STATS_COUNTER, "L.", many, 7, NULL, 0));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_null(stats_family(bad[i], STATS_COUNTER, "B.", NULL, 0, NULL, 0));
    assert_int_equal(stats_series(NULL, NULL), 0);
    stats_drop(NULL, SLICE("x"));
    stats_fini();
}

static void
label_names_and_values_are_copied(void **state)
{
    char name[] = "route", value[] = "one";
    const char *const names[] = { name };
    struct stats_family *f;
    struct strbuf out;

    stats_init(0);
    f = stats_family("weir_y_total", STATS_COUNTER, "Y.", names, 1, NULL, 0);
    stats_series(f, (struct slice[]){ slice_str(value) });
    name[0] = value[0] = '!';
    strbuf_init(&out, 1000);
    stats_expose(&out);
    assert_non_null(strstr(out.p, "weir_y_total{route=\"one\"} 0\n"));
    strbuf_fini(&out);
    stats_fini();
}

static void
past_the_cap_all_fold_into_other(void **state)
{
    stats_id first, other;
    struct strbuf out;
    char name[16];
    unsigned i;

    stats_init(0);
    stats_set_cap(3);
    first = series("a", "200");
    series("b", "200");
    series("c", "200");
    other = series("d", "200");
    assert_true(other != 0);
    for (i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "r%u", i);
        assert_int_equal(series(name, "500"), other);
    }
    assert_int_equal(series("a", "200"), first);
    stats_add(other, 9);
    strbuf_init(&out, 10000);
    stats_expose(&out);
    assert_non_null(strstr(out.p, "weir_requests_total{route=\"other\",code=\"other\"} 9\n"));
    assert_null(strstr(out.p, "\"d\""));
    strbuf_fini(&out);
    /* A family that comes later gets its own, and one without labels has nothing to fold. */
    assert_int_not_equal(stats_series(stats_family("weir_z", STATS_GAUGE, "Z.", labels, 1, NULL, 0),
                                      (struct slice[]){ SLICE("q") }), other);
    assert_int_not_equal(stats_series(stats_family("weir_0", STATS_GAUGE, "0.", NULL, 0, NULL, 0), NULL), 0);
    stats_fini();
}

static void
dropping_makes_room_under_the_cap(void **state)
{
    stats_id other, again;
    struct strbuf out;

    stats_init(0);
    stats_set_cap(2);
    series("a", "200");
    series("a", "404");
    other = series("b", "200");
    stats_add(other, 1);
    stats_drop(requests(), SLICE("a"));
    stats_drop(requests(), SLICE("other")); /* stays: it is nobody's */
    again = series("c", "200");
    assert_int_not_equal(again, other);
    strbuf_init(&out, 10000);
    stats_expose(&out);
    assert_null(strstr(out.p, "\"a\""));
    assert_non_null(strstr(out.p, "{route=\"c\",code=\"200\"} 0\n"));
    assert_non_null(strstr(out.p, "{route=\"other\",code=\"other\"} 1\n"));
    strbuf_fini(&out);
    stats_fini();
}

static void
dropping_one_series(void **state)
{
    stats_id kept, gone;

    stats_init(0);
    kept = series("a", "200");
    gone = series("a", "404");
    stats_add(kept, 1);
    stats_add(gone, 1);
    stats_drop_series(gone);
    stats_drop_series(0); /* the sink is nobody's */
    assert_int_equal(stats_counter_value(gone), 0);
    assert_int_equal(series("a", "200"), kept);
    assert_int_equal(stats_counter_value(kept), 1);
    assert_int_equal(stats_counter_value(series("a", "404")), 0); /* begins anew */
    stats_fini();
}

static void
the_sink_and_the_time_before_init_are_harmless(void **state)
{
    stats_add(5, 1);
    stats_gauge_add(5, 1);
    stats_gauge_set(5, 1);
    stats_observe(5, 1);
    assert_int_equal(series("a", "200"), 0);
    assert_int_equal(stats_counter_value(3), 0);
    assert_int_equal(stats_gauge_value(3), 0);
    stats_fini();
    stats_init(0);
    stats_add(0, 1);
    stats_gauge_set(0, 1);
    stats_observe(0, 1);
    assert_int_equal(stats_counter_value(0), 0);
    assert_int_equal(stats_counter_value(123456789), 0);
    stats_fini();
    stats_fini();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_values_give_the_same_series),
        cmocka_unit_test(values_do_not_run_into_each_other),
        cmocka_unit_test(a_family_is_made_once),
        cmocka_unit_test(a_declaration_that_does_not_fit_is_refused),
        cmocka_unit_test(label_names_and_values_are_copied),
        cmocka_unit_test(past_the_cap_all_fold_into_other),
        cmocka_unit_test(dropping_makes_room_under_the_cap),
        cmocka_unit_test(dropping_one_series),
        cmocka_unit_test(the_sink_and_the_time_before_init_are_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
