#include "fixture.h"

#include "../../../src/policy/module.h"

#include <stdio.h>
#include <string.h>

/* The policies of a block as "name@scope name@scope". */
static const char *
policies(struct fixture *f, const char *directive, const char *arg)
{
    static char text[512];
    struct policy_use uses[POLICY_MAX];
    unsigned n = policy_collect(fixture_block(f, directive, arg), slice_str(arg), uses);
    size_t len = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s@%.*s", i ? " " : "", conf_name(uses[i].line),
                                SLICE_FMT(uses[i].scope));
    return text;
}

static void
policies_apply_outermost_first(void **state)
{
    struct fixture *f = *state;

    fixture_load(f, "probe_a { } host h.example { probe_b { } route /r { probe_c { } } } route /s { probe_c { } }");
    assert_string_equal(policies(f, "route", "/r"), "probe_a@top probe_b@h.example probe_c@/r");
    assert_string_equal(policies(f, "route", "/s"), "probe_a@top probe_c@/s");
}

static void
naming_one_again_replaces_it_in_its_place(void **state)
{
    struct fixture *f = *state;

    fixture_load(f, "probe_a { } host h { probe_b { } probe_c { } route /r { probe_b { } probe_a { } } }");
    assert_string_equal(policies(f, "route", "/r"), "probe_a@/r probe_b@/r probe_c@h");
}

static void
off_drops_it(void **state)
{
    struct fixture *f = *state;

    fixture_load(f, "probe_a { } host h { probe_b { } probe_c off; route /r { probe_a off; } route /s { probe_b off; "
                    "probe_c { } } }");
    assert_string_equal(policies(f, "route", "/r"), "probe_b@h");
    assert_string_equal(policies(f, "route", "/s"), "probe_a@top probe_c@/s");
}

static void
bundles_expand_where_they_are_applied(void **state)
{
    struct fixture *f = *state;

    fixture_load(f, "policy p { probe_b { } probe_c { } } probe_c { }"
                    "route /r { probe_a { } apply p; } route /s { apply p; probe_b off; }");
    assert_string_equal(policies(f, "route", "/r"), "probe_c@p probe_a@/r probe_b@p");
    assert_string_equal(policies(f, "route", "/s"), "probe_c@p");
}

static void
an_unknown_bundle_is_an_error(void **state)
{
    struct fixture *f = *state;

    assert_false(fixture_parse(f, "policy strict { probe_a { } }\nroute /r { apply strickt; }"));
    assert_has(fixture_errors(f), "no `policy strickt { ... }` in this file");
    assert_has(fixture_errors(f), "did you mean `strict`?");
}

static void
an_upstream_has_its_own_only(void **state)
{
    struct fixture *f = *state;

    fixture_load(f, "probe_a { } upstream u { probe_b { } }");
    assert_string_equal(policies(f, "upstream", "u"), "probe_b@u");
}

static void
one_line_is_one_policy_for_all_its_routes(void **state)
{
    struct fixture *f = *state;
    struct chain *r, *s;

    fixture_load(
        f, "policy p { probe_b { } } host h { probe_a { } route /r { apply p; } route /s { apply p; probe_c { } } }");
    r = fixture_chain(f, "route", "/r");
    s = fixture_chain(f, "route", "/s");
    assert_int_equal(chain_count(r), 2);
    assert_int_equal(chain_count(s), 3);
    assert_ptr_equal(chain_get(r, 0), chain_get(s, 0));
    assert_ptr_equal(chain_get(r, 1), chain_get(s, 1));
    assert_int_equal(f->log->configured, 3);
    assert_string_equal(f->log->scope, "/s");
    policy_scope_start(&f->scope);
    policy_scope_start(&f->scope);
    assert_int_equal(f->log->started, 3);
    policy_scope_release(&f->scope);
    assert_int_equal(f->log->released, 3);
}

/* What a build remembers of the block around one route is not taken for that around another. */
static void
each_route_has_the_policies_around_it(void **state)
{
    static const struct {
        const char *route;
        unsigned n;
        const char *names[3];
    } rows[] = { { "/1", 2, { "probe_a", "probe_b" } },
                 { "/2", 2, { "probe_a", "probe_c" } },
                 { "/3", 1, { "probe_a" } },
                 { "/4", 3, { "probe_a", "probe_b", "probe_c" } },
                 { "/5", 1, { "probe_c" } },
                 { "/6", 1, { "probe_a" } } };
    struct fixture *f = *state;

    fixture_load(f, "host h1 { probe_b { } route /1 { } route /4 { probe_c { } } } host h2 { probe_c { } route /2 { } "
                    "route /5 { probe_a off; } } host h3 { route /6 { } } route /3 { } probe_a { }");
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct chain *c = fixture_chain(f, "route", rows[i].route);

            assert_int_equal(chain_count(c), rows[i].n);
            for (unsigned k = 0; k < rows[i].n; k++)
                assert_string_equal(policy_name(chain_get(c, k)), rows[i].names[k]);
        }
    }
}

static void
what_is_shown_of_a_policy(void **state)
{
    struct fixture *f = *state;
    struct weir_policy *p;

    fixture_load(f, "route /r {\n probe_a { mode shadow; target default; } }");
    p = chain_get(fixture_chain(f, "route", "/r"), 0);
    assert_string_equal(policy_name(p), "probe_a");
    assert_string_equal(policy_mode(p), "shadow");
    assert_string_equal(policy_line(p), "test.conf:3");
    assert_true(policy_names_target(p));
    assert_true(slice_eq(policy_default_target(p), SLICE("fallback")));
    assert_string_equal(policy_module(p)->name, "probe");
    assert_non_null(policy_config(p));
    assert_null(chain_get(fixture_chain(f, "route", "/r"), 1));
}

static void
count(const struct weir_policy *p, void *arg)
{
    assert_string_equal(policy_name(p), "probe_a");
    ++*(unsigned *)arg;
}

static void
policies_are_warmed_until_they_are_ready(void **state)
{
    struct fixture *f = *state;
    unsigned cold = 0;

    fixture_load(f, "route /r { probe_a { } } route /s { probe_a { mode off; } }");
    fixture_chain(f, "route", "/r");
    fixture_chain(f, "route", "/s");
    f->log->cold = 2;
    assert_false(policy_scope_warm(&f->scope, count, &cold));
    assert_false(policy_scope_warm(&f->scope, NULL, NULL));
    assert_true(policy_scope_warm(&f->scope, count, &cold));
    assert_int_equal(cold, 1);
    assert_int_equal(f->log->warmed, 3); /* not the one that is off */
    policy_scope_start(&f->scope);
    assert_true(policy_scope_warm(&f->scope, count, &cold));
    assert_int_equal(f->log->warmed, 3); /* nor one that has started */
}

/* What of the run-time state a policy uses is known without its help. */
static void
states_are_noted_for_the_policy_that_asks_for_them(void **state)
{
    struct fixture *f = *state;
    const struct weir_policy *a, *b;

    fixture_load(f, "route /r { probe_a { } probe_b { } }");
    a = chain_get(fixture_chain(f, "route", "/r"), 0);
    b = chain_get(fixture_chain(f, "route", "/r"), 1);
    assert_ptr_equal(f->scope.holds->policy, a);
    assert_ptr_equal(f->scope.holds->next->policy, b);
    assert_ptr_equal(f->scope.holds->state, f->scope.holds->next->state); /* both write into one log */
    assert_null(f->scope.holds->next->next);
    assert_true(slice_eq(policy_scope_name(a), SLICE("/r")));
}

static void
errors_of_a_shared_policy_are_reported_once(void **state)
{
    struct fixture *f = *state;

    fixture_load(f, "host h { probe_a { target nowhere; } route /r { } route /s { } }");
    assert_null(chain_build(&f->scope, fixture_block(f, "route", "/r"), SLICE("/r")));
    assert_null(chain_build(&f->scope, fixture_block(f, "route", "/s"), SLICE("/s")));
    assert_int_equal(conf_errors(f->conf), 1);
    assert_has(fixture_errors(f), "there is no upstream nowhere");
    policy_scope_release(&f->scope);
    assert_int_equal(f->log->configured, f->log->released); /* what was configured is given back all the same */
}

static void
a_silent_refusal_of_a_block_is_still_an_error(void **state)
{
    struct fixture *f = *state;

    fixture_load(f, "route /r { probe_a { request unconfigurable; } }");
    assert_null(chain_build(&f->scope, fixture_block(f, "route", "/r"), SLICE("/r")));
    assert_has(fixture_errors(f), "module `probe` refused this block without saying why");
    policy_scope_release(&f->scope);
    assert_int_equal(f->log->released, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(policies_apply_outermost_first),
        T(naming_one_again_replaces_it_in_its_place),
        T(off_drops_it),
        T(bundles_expand_where_they_are_applied),
        T(an_unknown_bundle_is_an_error),
        T(an_upstream_has_its_own_only),
        T(one_line_is_one_policy_for_all_its_routes),
        T(each_route_has_the_policies_around_it),
        T(what_is_shown_of_a_policy),
        T(policies_are_warmed_until_they_are_ready),
        T(states_are_noted_for_the_policy_that_asks_for_them),
        T(errors_of_a_shared_policy_are_reported_once),
        T(a_silent_refusal_of_a_block_is_still_an_error),
    };

    return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
