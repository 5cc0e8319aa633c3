#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../testing/fakehost.h"

#include <string.h>

extern const struct weir_module weir_module;

static int
setup(void **state)
{
    fake_begin(&weir_module);
    return 0;
}

static int
teardown(void **state)
{
    fake_end();
    return 0;
}

static enum weir_verdict
ask(void *config, const char *value)
{
    struct weir_exchange *x = fake_exchange();
    if (value)
        fake_request_header(x, "x-api-version", value);
    fake_variable(x, "request.host", "v2");
    enum weir_verdict v = weir_module.request(x, config);
    if (v == WEIR_REFUSED)
        assert_string_equal(x->reason, "header_required");
    fake_exchange_free(x);
    return v;
}

static void
test_any_value(void **state)
{
    void *c = fake_configure("require_header X-Api-Version;");
    assert_int_equal(ask(c, NULL), WEIR_REFUSED);
    assert_int_equal(ask(c, "1"), WEIR_CONTINUE);
    assert_int_equal(ask(c, ""), WEIR_CONTINUE);
}

static void
test_one_value(void **state)
{
    void *c = fake_configure("require_header X-Api-Version { value 2; }");
    assert_int_equal(ask(c, NULL), WEIR_REFUSED);
    assert_int_equal(ask(c, "1"), WEIR_REFUSED);
    assert_int_equal(ask(c, "22"), WEIR_REFUSED);
    assert_int_equal(ask(c, "2"), WEIR_CONTINUE);
    c = fake_configure("require_header X-Api-Version { value ${request.host}; }");
    assert_int_equal(ask(c, "v2"), WEIR_CONTINUE);
    assert_int_equal(ask(c, "v1"), WEIR_REFUSED);
}

static void
test_configuration(void **state)
{
    assert_null(fake_configure("require_header \"\";"));
    assert_non_null(strstr(fake.errors, "name"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_any_value, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_value, setup, teardown),
        cmocka_unit_test_setup_teardown(test_configuration, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
