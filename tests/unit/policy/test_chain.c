#include "fixture.h"

#include "../../../src/base/log.h"
#include "../../../src/policy/module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUTE_OF(text)                                                                                                 \
    struct fixture *f = *state;                                                                                        \
    fixture_route(f, text)

static void
request_phases_run_in_order_and_are_recorded(void **state)
{
    ROUTE_OF("probe_a { name a; } probe_b { name b; note hello; }");
    uint64_t before = fixture_counter("/r", "probe_a", "pass", "enforce");

    assert_int_equal(chain_request(&f->x), CHAIN_PASS);
    assert_calls(f, "a.request b.request");
    assert_row(f, 0, "policy probe_a pass - enforce");
    assert_row(f, 1, "policy probe_b pass noted enforce");
    assert_true(slice_eq(f->x.log.rows[1].detail, SLICE("hello")));
    assert_has(f->x.log.rows[0].at, "test.conf:2");
    assert_int_equal(fixture_counter("/r", "probe_a", "pass", "enforce"), before + 1);
}

static void
a_refusal_ends_the_chain(void **state)
{
    ROUTE_OF("probe_a { name a; request refuse; } probe_b { name b; }");

    assert_int_equal(chain_request(&f->x), CHAIN_REFUSED);
    assert_calls(f, "a.request");
    assert_row(f, 0, "policy probe_a refuse probe_refused enforce");
    assert_int_equal(f->x.log.n, 1);
    assert_int_equal(f->x.refusal.reason->status, 418);
    assert_true(slice_eq(f->x.refusal.detail, SLICE("because 42")));
    assert_true(slice_eq(f->x.refusal.policy, SLICE("probe_a")));
    assert_has(f->x.refusal.at, "test.conf:2");
    fixture_respond(f, 418);
    chain_response(&f->x);
    assert_non_null(fields_find_name(&f->res.fields, SLICE("x-refused")));
}

static void
shadow_records_and_counts_but_changes_nothing(void **state)
{
    ROUTE_OF("probe_a { name a; mode shadow; request refuse; header X-A 1; target orders; } probe_b { name b; }");
    uint64_t before = fixture_counter("/r", "probe_a", "refuse", "shadow");
    uint64_t enforced = fixture_counter("/r", "probe_a", "refuse", "enforce");

    assert_int_equal(chain_request(&f->x), CHAIN_PASS);
    assert_int_equal(chain_target(&f->x), CHAIN_PASS);
    assert_calls(f, "a.request b.request a.target");
    assert_row(f, 0, "policy probe_a refuse probe_refused shadow");
    assert_row(f, 1, "policy probe_b pass - enforce");
    assert_null(f->x.refusal.reason);
    assert_int_equal(f->x.target.n, 0);
    assert_null(fields_find_name(&f->req.fields, SLICE("x-a")));
    fixture_respond(f, 200);
    chain_response(&f->x);
    assert_int_equal(f->res.fields.n, 0);
    assert_int_equal(fixture_counter("/r", "probe_a", "refuse", "shadow"), before + 1);
    assert_int_equal(fixture_counter("/r", "probe_a", "refuse", "enforce"), enforced);
}

static void
off_runs_nothing(void **state)
{
    ROUTE_OF("probe_a { name a; mode off; request refuse; } probe_b { name b; }");

    assert_int_equal(chain_request(&f->x), CHAIN_PASS);
    chain_attempt(&f->x, NULL);
    chain_response(&f->x);
    chain_finish(&f->x);
    assert_null(strstr(f->log->text, "a."));
}

static void
a_target_policy_names_the_upstream(void **state)
{
    ROUTE_OF("probe_a { name a; target orders; }");

    assert_int_equal(chain_target(&f->x), CHAIN_PASS);
    assert_true(slice_eq(f->x.target, SLICE("orders")));
    assert_row(f, 0, "target probe_a pass - enforce");
    assert_true(slice_eq(f->x.log.rows[0].detail, SLICE("orders")));
}

static void
the_default_target_holds_where_the_policy_does_not(void **state)
{
    static const char *const how[] = { "mode off;", "mode shadow;", "percent 0%;" };

    for (int i = 0; i < 3; i++) {
        char text[128];
        struct fixture *f;

        fixture_setup((void **)&f);
        snprintf(text, sizeof(text), "probe_a { name a; target default; %s }", how[i]);
        fixture_route(f, text);
        assert_int_equal(chain_target(&f->x), CHAIN_PASS);
        assert_true(slice_eq(f->x.target, SLICE("fallback")));
        fixture_teardown((void **)&f);
    }
}

static void
percent_decides_once_per_exchange(void **state)
{
    struct fixture *f = *state;
    unsigned chosen = 0, both = 0;

    fixture_route(f, "probe_a { name a; percent 30%; } probe_b { name b; percent 30%; }");
    for (unsigned i = 0; i < 2000; i++) {
        char id[32];
        bool a, b;

        f->x.run = NULL;
        f->x.id = slice_of(id, (size_t)snprintf(id, sizeof(id), "request-%u", i));
        chain_begin(&f->x, fixture_chain(f, "route", "/r"));
        memset(f->log, 0, sizeof(*f->log));
        decision_init(&f->x.log, &f->x_arena);
        assert_int_equal(chain_request(&f->x), CHAIN_PASS);
        fixture_respond(f, 200);
        chain_response(&f->x);
        chain_finish(&f->x);
        a = strstr(f->log->text, "a.request") != NULL;
        b = strstr(f->log->text, "b.request") != NULL;
        assert_int_equal(a, strstr(f->log->text, "a.response") != NULL); /* all its phases agree */
        assert_int_equal(a, strstr(f->log->text, "a.finish") != NULL);
        if (!a)
            assert_row(f, 0, "policy probe_a skip percent enforce");
        chosen += a;
        both += a && b;
        assert_int_equal(f->x.log.n, 2);
    }
    assert_in_range(chosen, 500, 700); /* 600 +- 5 sigma */
    assert_in_range(both, 110, 250);   /* independent of each other: 180 */
}

static void
failures_are_closed(void **state)
{
    static const char *const what[] = { "fail", "refuse_silently", "refuse_unknown", "reply_bad" };

    for (int i = 0; i < 4; i++) {
        char text[128];
        struct fixture *f;

        fixture_setup((void **)&f);
        log_set_level((enum log_level) - 1); /* it says so in the operator's log */
        snprintf(text, sizeof(text), "probe_a { name a; request %s; } probe_b;", what[i]);
        fixture_route(f, text);
        assert_int_equal(chain_request(&f->x), CHAIN_REFUSED);
        assert_string_equal(f->x.refusal.reason->code, "policy_error");
        assert_int_equal(f->x.refusal.reason->status, 500);
        assert_int_equal(f->x.refusal.detail.n, 0);
        log_set_level(LOG_LVL_ERROR);
        fixture_teardown((void **)&f);
    }
}

static void
a_failure_in_shadow_is_recorded(void **state)
{
    ROUTE_OF("probe_a { name a; mode shadow; request fail; }");

    assert_int_equal(chain_request(&f->x), CHAIN_PASS);
    assert_row(f, 0, "policy probe_a error policy_error shadow");
}

static void
a_refusal_holds_whatever_is_returned(void **state)
{
    ROUTE_OF("probe_a { name a; request refuse_and_continue; }");

    assert_int_equal(chain_request(&f->x), CHAIN_REFUSED);
    assert_int_equal(f->x.log.n, 1);
}

static void
a_reply_is_an_answer_without_a_reason(void **state)
{
    ROUTE_OF("probe_a { name a; request reply; }");

    assert_int_equal(chain_request(&f->x), CHAIN_REFUSED);
    assert_null(f->x.refusal.reason);
    assert_int_equal(f->x.refusal.status, 302);
    assert_true(slice_eq(f->x.refusal.body, SLICE("go there")));
    assert_row(f, 0, "policy probe_a pass reply enforce");
}

static void
a_suspended_chain_goes_on_where_it_was(void **state)
{
    ROUTE_OF("probe_a { name a; } probe_b { name b; request suspend; } probe_c { name c; }");

    assert_int_equal(chain_request(&f->x), CHAIN_SUSPENDED);
    assert_calls(f, "a.request b.request");
    assert_int_equal(f->x.log.n, 1);
    fixture_turn(f);
    assert_int_equal(f->resumed, 0);
    host_table()->resume(f->log->parked);
    host_table()->resume(f->log->parked); /* twice is once */
    assert_int_equal(f->resumed, 0);      /* at the end of the turn, not inside */
    fixture_turn(f);
    assert_int_equal(f->resumed, 1);
    assert_int_equal(chain_request(&f->x), CHAIN_PASS);
    assert_calls(f, "a.request b.request b.request c.request");
    assert_row(f, 1, "policy probe_b pass - enforce");
    assert_row(f, 2, "policy probe_c pass - enforce");
    chain_finish(&f->x);
    assert_null(strstr(f->log->text, "cancel"));
}

static void
resuming_inside_the_phase_counts(void **state)
{
    ROUTE_OF("probe_a { name a; request suspend; }");

    f->log->resume_early = true;
    assert_int_equal(chain_request(&f->x), CHAIN_SUSPENDED);
    fixture_turn(f);
    assert_int_equal(f->resumed, 1);
    assert_int_equal(chain_request(&f->x), CHAIN_PASS);
}

static void
a_suspended_exchange_that_ends_is_cancelled_once(void **state)
{
    ROUTE_OF("probe_a { name a; } probe_b { name b; request suspend; } probe_c { name c; }");

    assert_int_equal(chain_request(&f->x), CHAIN_SUSPENDED);
    host_table()->resume(f->log->parked);
    chain_finish(&f->x);
    chain_finish(&f->x);
    fixture_turn(f);
    assert_int_equal(f->resumed, 0);
    assert_calls(f, "a.request b.request b.cancel a.finish b.finish c.finish");
}

static void
a_cancelled_phase_never_goes_on(void **state)
{
    ROUTE_OF("probe_a { name a; respond a; } probe_b { name b; request suspend; } probe_c { name c; }");

    assert_int_equal(chain_request(&f->x), CHAIN_SUSPENDED);
    host_table()->resume(f->log->parked);
    chain_cancel(&f->x);
    chain_cancel(&f->x);
    chain_response(&f->x);
    fixture_turn(f);
    assert_int_equal(f->resumed, 0);
    chain_finish(&f->x);
    assert_calls(f, "a.request b.request b.cancel c.response a.response a.finish b.finish c.finish");
}

static void
nothing_can_resume_an_explanation(void **state)
{
    ROUTE_OF("probe_a { name a; request suspend; }");

    f->x.explaining = true;
    assert_int_equal(chain_request(&f->x), CHAIN_REFUSED);
    assert_row(f, 0, "policy probe_a error policy_error enforce");
}

static void
attempts_and_outcomes_come_in_pairs(void **state)
{
    struct fixture *f = *state;
    const struct weir_outcome o = { .size = sizeof(o), .result = WEIR_RESULT_OK };
    struct chain *up;

    fixture_load(f, "upstream u { probe_b { name b; } } route /r { probe_a { name a; } }");
    up = fixture_chain(f, "upstream", "u");
    chain_begin(&f->x, fixture_chain(f, "route", "/r"));
    chain_outcome(&f->x, up, &o); /* nothing was attempted */
    assert_calls(f, "");
    assert_int_equal(chain_attempt(&f->x, up), CHAIN_PASS);
    chain_outcome(&f->x, up, &o);
    chain_outcome(&f->x, up, &o);
    assert_calls(f, "a.attempt b.attempt a.outcome b.outcome");
    assert_int_equal(chain_attempt(&f->x, up), CHAIN_PASS);
    chain_finish(&f->x); /* no outcome came */
    assert_calls(f,
                 "a.attempt b.attempt a.outcome b.outcome a.attempt b.attempt a.outcome_cancelled b.outcome_cancelled "
                 "a.finish b.finish");
}

static void
an_upstream_chain_needs_no_route_chain(void **state)
{
    struct fixture *f = *state;
    struct chain *up;

    fixture_load(f, "upstream u { probe_b { name b; } } route /r { }");
    up = fixture_chain(f, "upstream", "u");
    chain_begin(&f->x, fixture_chain(f, "route", "/r"));
    assert_null(f->x.run); /* nothing to do costs nothing */
    assert_int_equal(chain_request(&f->x), CHAIN_PASS);
    assert_int_equal(chain_target(&f->x), CHAIN_PASS);
    assert_int_equal(chain_attempt(&f->x, up), CHAIN_PASS);
    fixture_respond(f, 200);
    chain_response(&f->x);
    chain_finish(&f->x);
    assert_calls(f, "b.attempt b.response b.outcome_cancelled b.finish");
}

static void
a_refused_attempt_is_undone_for_those_that_admitted_it(void **state)
{
    struct fixture *f = *state;
    struct chain *up;

    fixture_load(f, "upstream u { probe_a { name u1; } probe_b { name u2; attempt refuse; } probe_c { name u3; } }"
                    "route /r { probe_a { name r1; } }");
    up = fixture_chain(f, "upstream", "u");
    chain_begin(&f->x, fixture_chain(f, "route", "/r"));
    assert_int_equal(chain_attempt(&f->x, up), CHAIN_REFUSED);
    assert_calls(f, "r1.attempt u1.attempt u2.attempt r1.outcome_cancelled u1.outcome_cancelled");
    chain_finish(&f->x);
    assert_calls(f, "r1.attempt u1.attempt u2.attempt r1.outcome_cancelled u1.outcome_cancelled r1.finish u1.finish "
                    "u2.finish u3.finish");
}

static void
a_refused_attempt_needs_no_route_chain(void **state)
{
    struct fixture *f = *state;
    struct chain *up;

    fixture_load(f, "upstream u { probe_a { name u1; } probe_b { name u2; attempt refuse; } } route /r { }");
    up = fixture_chain(f, "upstream", "u");
    chain_begin(&f->x, fixture_chain(f, "route", "/r"));
    assert_int_equal(chain_attempt(&f->x, up), CHAIN_REFUSED);
    assert_calls(f, "u1.attempt u2.attempt u1.outcome_cancelled");
}

static void
an_attempt_cannot_suspend(void **state)
{
    ROUTE_OF("probe_a { name a; attempt suspend; request suspend; }");

    assert_int_equal(chain_attempt(&f->x, NULL), CHAIN_REFUSED);
    assert_string_equal(f->x.refusal.reason->code, "policy_error");
}

static void
a_shadow_refusal_of_an_attempt_still_has_its_outcome(void **state)
{
    ROUTE_OF("probe_a { name a; mode shadow; attempt refuse; }");
    const struct weir_outcome o = { .size = sizeof(o), .result = WEIR_RESULT_OK };

    assert_int_equal(chain_attempt(&f->x, NULL), CHAIN_PASS);
    chain_outcome(&f->x, NULL, &o);
    assert_calls(f, "a.attempt a.outcome");
    assert_row(f, 0, "policy probe_a refuse probe_refused shadow");
}

static void
response_phases_run_inside_out(void **state)
{
    ROUTE_OF("probe_a { name a; respond 1; } probe_b { name b; respond 2; }");
    const struct field *seen;

    fixture_respond(f, 200);
    fields_add(&f->res.fields, SLICE("X-Seen"), SLICE("0"));
    chain_response(&f->x);
    assert_calls(f, "b.response a.response");
    seen = fields_find_name(&f->res.fields, SLICE("x-seen"));
    assert_true(slice_eq(seen->value, SLICE("0")));
    seen = fields_next(&f->res.fields, seen);
    assert_true(slice_eq(seen->value, SLICE("2")));
    seen = fields_next(&f->res.fields, seen);
    assert_true(slice_eq(seen->value, SLICE("1")));
}

static void
a_refusal_of_a_response_comes_too_late(void **state)
{
    ROUTE_OF("probe_a { name a; respond late_refusal; }");

    fixture_respond(f, 200);
    chain_response(&f->x);
    assert_null(f->x.refusal.reason);
    assert_row(f, 0, "policy probe_a error policy_error enforce");
}

static void
finish_is_safe_without_a_beginning(void **state)
{
    struct fixture *f = *state;

    chain_response(&f->x);
    chain_finish(&f->x);
    assert_int_equal(f->x.log.n, 0);
}

static void
a_slow_call_is_said_in_the_log(void **state)
{
    ROUTE_OF("probe_a { name a; request slow; }");
    char text[1024];
    ssize_t n;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    log_set_fd(fds[1]);
    log_set_level(LOG_LVL_WARNING);
    assert_int_equal(chain_request(&f->x), CHAIN_PASS);
    log_set_level(LOG_LVL_ERROR);
    log_set_fd(2);
    close(fds[1]);
    n = read(fds[0], text, sizeof(text) - 1);
    close(fds[0]);
    text[n < 0 ? 0 : n] = '\0';
    assert_has(text, "[probe] phase request took about");
    assert_has(text, "test.conf:2");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(request_phases_run_in_order_and_are_recorded),
        T(a_refusal_ends_the_chain),
        T(shadow_records_and_counts_but_changes_nothing),
        T(off_runs_nothing),
        T(a_target_policy_names_the_upstream),
        cmocka_unit_test(the_default_target_holds_where_the_policy_does_not),
        T(percent_decides_once_per_exchange),
        cmocka_unit_test(failures_are_closed),
        T(a_failure_in_shadow_is_recorded),
        T(a_refusal_holds_whatever_is_returned),
        T(a_reply_is_an_answer_without_a_reason),
        T(a_suspended_chain_goes_on_where_it_was),
        T(resuming_inside_the_phase_counts),
        T(a_suspended_exchange_that_ends_is_cancelled_once),
        T(a_cancelled_phase_never_goes_on),
        T(nothing_can_resume_an_explanation),
        T(attempts_and_outcomes_come_in_pairs),
        T(an_upstream_chain_needs_no_route_chain),
        T(a_refused_attempt_is_undone_for_those_that_admitted_it),
        T(a_refused_attempt_needs_no_route_chain),
        T(an_attempt_cannot_suspend),
        T(a_shadow_refusal_of_an_attempt_still_has_its_outcome),
        T(response_phases_run_inside_out),
        T(a_refusal_of_a_response_comes_too_late),
        T(finish_is_safe_without_a_beginning),
        T(a_slow_call_is_said_in_the_log),
    };

    return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
