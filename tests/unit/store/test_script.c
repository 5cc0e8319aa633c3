#include "../../../src/store/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void
test_name(void **state)
{
    struct script_table t = { 0 };
    char text[] = "return 1", same[] = "return 1";
    struct script *s = script_get(&t, text);

    assert_string_equal(s->sha, "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"); /* as SCRIPT LOAD says */
    assert_ptr_equal(script_get(&t, same), s);
    assert_int_equal(s->refs, 2);
    text[7] = '2'; /* another script where the first one was */
    assert_ptr_not_equal(script_get(&t, text), s);
    assert_string_equal(s->text, "return 1");
    script_table_fini(&t);
}

static void
test_full(void **state)
{
    struct script_table t = { 0 };
    struct script *held[SCRIPTS_MAX];
    char text[32], *big = malloc(SCRIPT_TEXT_MAX + 2);

    for (unsigned i = 0; i < SCRIPTS_MAX; i++) {
        snprintf(text, sizeof(text), "return %u", i);
        held[i] = script_get(&t, text);
        assert_non_null(held[i]);
    }
    assert_null(script_get(&t, "return 'new'"));
    script_put(held[7]);
    assert_non_null(script_get(&t, "return 'new'"));
    assert_null(script_get(&t, "return 'newer'"));
    assert_string_equal(held[8]->text, "return 8");
    memset(big, ' ', SCRIPT_TEXT_MAX + 1);
    big[SCRIPT_TEXT_MAX + 1] = '\0';
    assert_null(script_get(&t, big));
    free(big);
    script_table_fini(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
