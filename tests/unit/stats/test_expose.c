#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/stats/stats.h"

#include <math.h>

static struct strbuf out;

static const char *
page(void)
{
    strbuf_clear(&out);
    stats_expose(&out);
    return out.p ? out.p : "";
}

static void
open_all(void)
{
    stats_init(1);
    strbuf_init(&out, 1 << 16);
}

static void
close_all(void)
{
    strbuf_fini(&out);
    stats_fini();
}

static void
counters_and_gauges(void **state)
{
    const char *const labels[] = { "method", "code" };
    struct stats_family *f;
    stats_id id;

    open_all();
    assert_string_equal(page(), "");
    f = stats_family("weir_a_total", STATS_COUNTER, "All of it.", labels, 2, NULL, 0);
    assert_string_equal(page(), ""); /* no head without a series */
    stats_add(stats_series(f, (struct slice[]){ SLICE("GET"), SLICE("200") }), 1ULL << 60);
    id = stats_series(stats_family("weir_b", STATS_GAUGE, "B.", NULL, 0, NULL, 0), NULL);
    stats_gauge_set(id, 0.25);
    assert_string_equal(page(), "# HELP weir_a_total All of it.\n"
                                "# TYPE weir_a_total counter\n"
                                "weir_a_total{method=\"GET\",code=\"200\"} 1152921504606846976\n"
                                "# HELP weir_b B.\n"
                                "# TYPE weir_b gauge\n"
                                "weir_b 0.25\n");
    close_all();
}

static void
histograms_are_cumulative(void **state)
{
    static const double buckets[] = { 0.005, 1 };
    const char *const labels[] = { "r" };
    struct stats_family *f;
    stats_id id;

    open_all();
    f = stats_family("weir_d_seconds", STATS_HISTOGRAM, "D.", labels, 1, buckets, 2);
    id = stats_series(f, (struct slice[]){ SLICE("x") });
    stats_observe(id, 0.001);
    stats_observe(id, 0.5);
    stats_observe(id, 0.25);
    stats_observe(id, 8);
    assert_string_equal(page(), "# HELP weir_d_seconds D.\n"
                                "# TYPE weir_d_seconds histogram\n"
                                "weir_d_seconds_bucket{r=\"x\",le=\"0.005\"} 1\n"
                                "weir_d_seconds_bucket{r=\"x\",le=\"1\"} 3\n"
                                "weir_d_seconds_bucket{r=\"x\",le=\"+Inf\"} 4\n"
                                "weir_d_seconds_sum{r=\"x\"} 8.751\n"
                                "weir_d_seconds_count{r=\"x\"} 4\n");
    close_all();
}

static void
label_values_are_escaped(void **state)
{
    const char *const labels[] = { "v" };
    struct stats_family *f;

    open_all();
    f = stats_family("weir_e", STATS_COUNTER, "back\\slash\nand \"quote\"", labels, 1, NULL, 0);
    stats_series(f, (struct slice[]){ SLICE("a\"b\\c\nd\xff\x01\xc3\xbc") });
    assert_string_equal(page(), "# HELP weir_e back\\\\slash\\nand \"quote\"\n"
                                "# TYPE weir_e counter\n"
                                "weir_e{v=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\xef\xbf\xbd\xc3\xbc\"} 0\n");
    close_all();
}

static double now_value;

static void
collect(struct strbuf *to, void *arg)
{
    const char *const labels[] = { "l" };

    stats_expose_head(to, arg, "gauge", "Computed.");
    stats_expose_value(to, arg, labels, (struct slice[]){ SLICE("x") }, 1, now_value);
    /* A collector may use the registry. */
    stats_family("weir_from_collector", STATS_GAUGE, "F.", NULL, 0, NULL, 0);
}

static void
collectors_compute_on_read(void **state)
{
    char name[] = "weir_c";

    open_all();
    stats_add_collector(collect, name);
    now_value = 1e21;
    assert_string_equal(page(), "# HELP weir_c Computed.\n# TYPE weir_c gauge\nweir_c{l=\"x\"} 1e+21\n");
    now_value = 0.1;
    assert_non_null(strstr(page(), "} 0.1\n"));
    now_value = 1.0 / 3;
    assert_non_null(strstr(page(), "} 0.33333333333333331\n"));
    now_value = (double)NAN;
    assert_non_null(strstr(page(), "} NaN\n"));
    now_value = -(double)INFINITY;
    assert_non_null(strstr(page(), "} -Inf\n"));
    stats_del_collector(collect, name);
    assert_string_equal(page(), "");
    close_all();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges),
        cmocka_unit_test(histograms_are_cumulative),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(collectors_compute_on_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
