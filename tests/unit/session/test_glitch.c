#include "../../../src/session/glitch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
a_burst_is_allowed_and_one_more_is_not(void **state)
{
    struct glitches g = { 0 };

    for (unsigned i = 0; i < glitch_burst(GLITCH_RESET); i++)
        assert_false(glitch_count(&g, GLITCH_RESET, NSEC_PER_SEC));
    assert_true(glitch_count(&g, GLITCH_RESET, NSEC_PER_SEC));
}

static void
kinds_are_counted_apart(void **state)
{
    struct glitches g = { 0 };

    for (unsigned i = 0; i < glitch_burst(GLITCH_SETTINGS); i++)
        glitch_count(&g, GLITCH_SETTINGS, 1);
    assert_false(glitch_count(&g, GLITCH_PING, 1));
    assert_true(glitch_count(&g, GLITCH_SETTINGS, 1));
}

static void
the_rate_goes_on_for_ever(void **state)
{
    struct glitches g = { 0 };
    nsec_t now = 1;

    for (unsigned i = 0; i < 20 * glitch_burst(GLITCH_PING); i++) {
        assert_false(glitch_count(&g, GLITCH_PING, now));
        now += NSEC_PER_SEC / glitch_rate(GLITCH_PING);
    }
}

static void
time_gives_back_no_more_than_the_burst(void **state)
{
    struct glitches g = { 0 };
    nsec_t now = 1;

    for (unsigned i = 0; i < glitch_burst(GLITCH_HEAD); i++)
        glitch_count(&g, GLITCH_HEAD, now);
    now += NSEC_PER_SEC;
    for (unsigned i = 0; i < glitch_rate(GLITCH_HEAD); i++)
        assert_false(glitch_count(&g, GLITCH_HEAD, now));
    assert_true(glitch_count(&g, GLITCH_HEAD, now));
    now += 3600 * NSEC_PER_SEC;
    for (unsigned i = 0; i < glitch_burst(GLITCH_HEAD); i++)
        assert_false(glitch_count(&g, GLITCH_HEAD, now));
    assert_true(glitch_count(&g, GLITCH_HEAD, now));
}

static void
every_kind_has_a_name_and_bounds(void **state)
{
    for (enum glitch_kind i = 0; i < GLITCHES; i++) {
        assert_true(glitch_name(i)[0] != '\0');
        assert_true(glitch_burst(i) >= glitch_rate(i) && glitch_rate(i) > 0);
        for (enum glitch_kind k = 0; k < i; k++)
            assert_string_not_equal(glitch_name(i), glitch_name(k));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_allowed_and_one_more_is_not),
        cmocka_unit_test(kinds_are_counted_apart),
        cmocka_unit_test(the_rate_goes_on_for_ever),
        cmocka_unit_test(time_gives_back_no_more_than_the_burst),
        cmocka_unit_test(every_kind_has_a_name_and_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
