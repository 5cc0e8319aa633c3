#include "fixture.h"

#include "../../../src/policy/module.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The table must not have holes: a module calls what its header shows. */
static void
every_function_is_there(void **state)
{
    const struct weir_host *h = host_table();
    void (*const *fn)(void) = (void (*const *)(void)) & h->conf_find;
    size_t n = (sizeof(*h) - offsetof(struct weir_host, conf_find)) / sizeof(*fn);

    assert_int_equal(h->size, sizeof(*h));
    assert_int_equal(h->abi_major, WEIR_ABI_MAJOR);
    for (size_t i = 0; i < n; i++)
        if (!fn[i])
            fail_msg("function %zu of the host table is missing", i);
}

static void
headers_are_set_towards_both_sides(void **state)
{
    struct fixture *f = *state;

    fixture_route(f, "probe_a { name a; header X-Who me; }");
    fields_add(&f->req.fields, SLICE("x-who"), SLICE("forged"));
    fields_add(&f->req.fields, SLICE("X-WHO"), SLICE("forged again"));
    assert_int_equal(chain_request(&f->x), CHAIN_PASS);
    assert_int_equal(f->req.fields.n, 1);
    assert_true(slice_eq(f->req.fields.v[0].value, SLICE("me")));
    fixture_respond(f, 200); /* kept until there is a response */
    fields_add(&f->res.fields, SLICE("x-who"), SLICE("origin"));
    chain_response(&f->x);
    assert_int_equal(f->res.fields.n, 1);
    assert_true(slice_eq(f->res.fields.v[0].value, SLICE("me")));
}

static void
headers_that_would_break_a_message_are_refused(void **state)
{
    static const char *const headers[] = { "X-Who unclean", "Content-Length 5", "transfer-encoding chunked",
                                           "'bad name' x", "Connection close" };

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct fixture *f;
        char text[128];

        fixture_setup((void **)&f);
        snprintf(text, sizeof(text), "probe_a { name a; header %s; }", headers[i]);
        fixture_route(f, text);
        assert_int_equal(chain_request(&f->x), CHAIN_PASS);
        assert_int_equal(f->req.fields.n, 0);
        assert_row(f, 0, "policy probe_a error header_refused enforce");
        assert_null(strstr(f->x.log.rows[0].detail.p, "evil")); /* a value may be a secret */
        fixture_respond(f, 200);
        chain_response(&f->x);
        assert_int_equal(f->res.fields.n, 0);
        fixture_teardown((void **)&f);
    }
}

static void
a_store_call_wakes_its_policy(void **state)
{
    struct fixture *f = *state;
    const int64_t one = 1;
    const struct weir_store_reply reply = { .ints = &one, .n = 1 };

    fixture_route(f, "probe_a { name a; } probe_b { name b; request store; }");
    assert_int_equal(chain_request(&f->x), CHAIN_SUSPENDED);
    assert_int_equal(f->n_calls, 1);
    f->calls[0].done(&reply, f->calls[0].arg);
    assert_int_equal(f->log->replies, 1);
    fixture_turn(f);
    assert_int_equal(f->resumed, 1);
    assert_int_equal(chain_request(&f->x), CHAIN_PASS);
    assert_calls(f, "a.request b.request b.reply b.request");
    chain_finish(&f->x);
    assert_false(f->calls[0].cancelled); /* it was over */
}

static void
store_calls_die_with_their_exchange(void **state)
{
    struct fixture *f = *state;

    fixture_route(f, "probe_a { name a; request store; }");
    assert_int_equal(chain_request(&f->x), CHAIN_SUSPENDED);
    chain_finish(&f->x);
    assert_true(f->calls[0].cancelled);
    assert_int_equal(f->log->replies, 0);
    assert_calls(f, "a.request a.cancel a.finish");
}

static void
explaining_asks_no_store(void **state)
{
    struct fixture *f = *state;

    fixture_route(f, "probe_a { name a; request store; target orders; }");
    f->x.explaining = true;
    chain_request(&f->x);
    assert_int_equal(f->n_calls, 0);
    chain_target(&f->x);
    assert_non_null(f->x.variants);
    assert_true(slice_eq(f->x.variants->upstream, SLICE("orders")));
}

static void
a_file_is_read_whole(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/weir-host-XXXXXX", text[128];
    int fd = mkstemp(path);

    assert_int_equal(write(fd, "key\n", 4), 4);
    close(fd);
    snprintf(text, sizeof(text), "route /r { probe_a { file %s; } }", path);
    fixture_load(f, text);
    assert_non_null(fixture_chain(f, "route", "/r"));
    unlink(path);
}

static void
a_missing_or_huge_file_is_named(void **state)
{
    static const struct {
        const char *path, *says;
    } rows[] = { { "/nonexistent/key.pem", "cannot read `/nonexistent/key.pem`: No such file" },
                 { "/tmp", "cannot read `/tmp`: Is a directory" },
                 { "/dev/zero", "cannot read `/dev/zero`: File too large" } };

    for (size_t i = 0; i < 3; i++) {
        struct fixture *f;
        char text[128];

        fixture_setup((void **)&f);
        snprintf(text, sizeof(text), "route /r { probe_a { file %s; } }", rows[i].path);
        fixture_load(f, text);
        assert_null(chain_build(&f->scope, fixture_block(f, "route", "/r"), SLICE("/r")));
        assert_has(fixture_errors(f), rows[i].says);
        fixture_teardown((void **)&f);
    }
}

static void
metrics_of_modules_are_series(void **state)
{
    static const char *const labels[] = { "key" };
    struct weir_str value = { "v", 1 };
    struct weir_metric *m = host_table()->metric('c', "weir_probe_total", "Test.", labels, &value, 1);
    struct weir_metric *g = host_table()->metric('g', "weir_probe_level", "Test.", labels, &value, 1);
    struct strbuf b;

    assert_ptr_equal(host_table()->metric('c', "weir_probe_total", "Test.", labels, &value, 1), m);
    host_table()->metric_add(m, 3);
    host_table()->metric_add(m, -1); /* a counter does not go back */
    host_table()->metric_set(g, 2.5);
    strbuf_init(&b, 1 << 20);
    stats_expose(&b);
    assert_has(b.p, "weir_probe_total{key=\"v\"} 3\n");
    assert_has(b.p, "weir_probe_level{key=\"v\"} 2.5\n");
    strbuf_fini(&b);
}

static unsigned fired;

static void
on_timer(void *arg)
{
    fired += *(unsigned *)arg;
}

static void
check_timers(struct timer *t)
{
    static unsigned one = 1, ten = 10;
    struct weir_timer *never;

    host_table()->timer_after(0, on_timer, &one);
    never = host_table()->timer_after(1, on_timer, &ten);
    host_table()->timer_cancel(never);
    host_table()->timer_cancel(NULL);
}

static void
timers_fire_once_unless_cancelled(void **state)
{
    struct fixture *f = *state;
    struct timer t;

    fired = 0;
    timer_init(&t, f->x.loop, check_timers); /* inside the loop, as a module would */
    timer_after(&t, 0);
    for (int i = 0; i < 1000 && !fired; i++)
        fixture_turn(f);
    fixture_turn(f);
    assert_int_equal(fired, 1);
    timer_fini(&t);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_function_is_there),
        T(headers_are_set_towards_both_sides),
        cmocka_unit_test(headers_that_would_break_a_message_are_refused),
        T(a_store_call_wakes_its_policy),
        T(store_calls_die_with_their_exchange),
        T(explaining_asks_no_store),
        T(a_file_is_read_whole),
        cmocka_unit_test(a_missing_or_huge_file_is_named),
        T(metrics_of_modules_are_series),
        T(timers_fire_once_unless_cancelled),
    };

    return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
