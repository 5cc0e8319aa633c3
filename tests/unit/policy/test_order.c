#include "fixture.h"

#include <stdio.h>

/* Builds the routes /r and /s where they stand. */
static const char *
warnings(struct fixture *f, const char *text, unsigned count)
{
    char all[2048];

    snprintf(all, sizeof(all), "use giver late_giver; %s", text);
    fixture_load(f, all);
    fixture_chain(f, "route", "/r");
    fixture_chain(f, "route", "/s");
    assert_int_equal(conf_errors(f->conf), 0);
    if (conf_warnings(f->conf) != count)
        fail_msg("%u warnings: %s", conf_warnings(f->conf), fixture_errors(f));
    return fixture_errors(f);
}

static void
a_provider_that_ran_before_is_right(void **state)
{
    warnings(*state,
             "giver { } host h { probe_a { key ${giver.x}; } route /r { } }\n"
             "route /s { giver { } probe_b { key ${giver.x}-${giver.x}; } }",
             0);
}

static void
one_that_is_replaced_keeps_its_place(void **state)
{
    const char *text =
        warnings(*state, "probe_a { }\nroute /r {\nprobe_a { key a${giver.x}b; }\ngiver { }\n}\nroute /s { }", 1);

    assert_has(text,
               "test.conf:4:1: warning: `${giver.x}` has no value here: `giver` (test.conf:5), which provides it, "
               "runs after `probe_a` in `route /r` (test.conf:3)");
    assert_has(text, "write `giver` before the outermost `probe_a`");
}

static void
a_line_is_warned_of_once(void **state)
{
    const char *text = warnings(*state, "probe_a { key ${giver.x}; }\nroute /r { }\nroute /s { giver { } }", 1);

    assert_has(text, "test.conf:2:23: warning: `${giver.x}` has no value in `route /r` (test.conf:3): no policy of "
                     "module `giver`, which provides it, holds there");
    assert_has(text, "or write `probe_a off;` there");
}

static void
each_variable_and_each_line_counts(void **state)
{
    warnings(*state,
             "route /r { probe_a { key ${giver.x}${giver.y}; } }\n"
             "route /s { probe_a { key ${giver.x}; } giver off; }",
             3);
}

static void
one_that_is_off_provides_nothing(void **state)
{
    const char *text =
        warnings(*state, "giver { mode off; }\nroute /r { probe_a { key ${giver.x}; } }\nroute /s { }", 1);

    assert_has(text, "`${giver.x}` has no value here: `giver` (test.conf:2), which provides it, is off");
}

static void
one_that_is_off_needs_nothing(void **state)
{
    warnings(*state, "route /r { probe_a { key ${giver.x}; mode off; } }\nroute /s { probe_a off; }", 0);
}

static void
phases_go_before_places(void **state)
{
    const char *text =
        warnings(*state, "late_giver { }\nroute /r { probe_a { key ${late_giver.x}; } }\nroute /s { }", 1);

    assert_has(text, "which provides it, decides only after `probe_a` in `route /r` (test.conf:3)");
    assert_has(text, "no order of the lines changes that");
}

static void
a_variable_of_the_core_or_of_its_own_is_always_right(void **state)
{
    warnings(*state, "route /r { probe_a { key ${client.ip}${probe.name}; } }\nroute /s { }", 0);
}

static void
the_policies_of_an_upstream_follow_those_of_routes(void **state)
{
    struct fixture *f = *state;

    fixture_load(f, "use giver; upstream u { probe_a { key ${giver.x}; } }");
    fixture_chain(f, "upstream", "u");
    assert_int_equal(conf_warnings(f->conf), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_provider_that_ran_before_is_right),
        T(one_that_is_replaced_keeps_its_place),
        T(a_line_is_warned_of_once),
        T(each_variable_and_each_line_counts),
        T(one_that_is_off_provides_nothing),
        T(one_that_is_off_needs_nothing),
        T(phases_go_before_places),
        T(a_variable_of_the_core_or_of_its_own_is_always_right),
        T(the_policies_of_an_upstream_follow_those_of_routes),
    };

    return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
