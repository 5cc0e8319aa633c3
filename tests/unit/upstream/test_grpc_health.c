#include "../../../src/upstream/grpc_health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
requests(void **state)
{
    char out[GRPC_HEALTH_REQUEST_MAX], name[GRPC_HEALTH_SERVICE_MAX];

    assert_int_equal(grpc_health_request(out, SLICE("")), 5);
    assert_memory_equal(out, "\0\0\0\0\0", 5);
    assert_int_equal(grpc_health_request(out, SLICE("orders")), 13);
    assert_memory_equal(out, "\0\0\0\0\x08\x0a\x06orders", 13);
    memset(name, 's', sizeof(name));
    assert_int_equal(grpc_health_request(out, slice_of(name, sizeof(name))), sizeof(out));
}

#define BODY(text) slice_of(text, sizeof(text) - 1)

static void
responses(void **state)
{
    assert_int_equal(grpc_health_response(BODY("\0\0\0\0\x02\x08\x01")), GRPC_SERVING);
    assert_int_equal(grpc_health_response(BODY("\0\0\0\0\x02\x08\x02")), GRPC_NOT_SERVING);
    assert_int_equal(grpc_health_response(BODY("\0\0\0\0\x02\x08\x03")), GRPC_SERVICE_UNKNOWN);
    assert_int_equal(grpc_health_response(BODY("\0\0\0\0\0")), GRPC_SERVING_UNKNOWN);
    assert_int_equal(grpc_health_response(BODY("\0\0\0\0\x03\x08\x81\x01")), GRPC_SERVING_UNKNOWN);
    /* Fields that are not known, of each kind, are passed over. */
    assert_int_equal(grpc_health_response(BODY("\0\0\0\0\x0d\x10\x05\x1a\x02hi\x25xxxx\x08\x01")), GRPC_SERVING);
    assert_int_equal(grpc_health_response(BODY("\0\0\0\0\x0b\x11xxxxxxxx\x08\x01")), GRPC_SERVING);
}

static void
what_is_no_response(void **state)
{
    const struct slice all = BODY("\0\0\0\0\x0d\x10\x05\x1a\x02hi\x25xxxx\x08\x01");

    for (size_t n = 0; n < 5; n++)
        assert_int_equal(grpc_health_response(slice_of(all.p, n)), -1);
    assert_int_equal(grpc_health_response(BODY("\x01\0\0\0\x02\x08\x01")), -1); /* compressed, which was not offered */
    assert_int_equal(grpc_health_response(BODY("\0\0\0\0\x03\x08\x01")), -1); /* more of it was to come */
    assert_int_equal(grpc_health_response(BODY("\0\0\0\0\x02\x08\x01\0\0\0\0\0")), -1); /* two */
    assert_int_equal(grpc_health_response(BODY("\0\0\0\0\x01\x08")), -1);
    assert_int_equal(grpc_health_response(BODY("\0\0\0\0\x02\x1a\x05")), -1);
    assert_int_equal(grpc_health_response(BODY("\0\0\0\0\x01\x0b")), -1);
    assert_int_equal(grpc_health_response(BODY("\0\0\0\0\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")), -1);
}

static void
names(void **state)
{
    assert_string_equal(grpc_serving_name(GRPC_NOT_SERVING), "NOT_SERVING");
    assert_string_equal(grpc_serving_name(-1), "no health answer");
    assert_string_equal(grpc_serving_name(4), "no health answer");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(responses),
        cmocka_unit_test(what_is_no_response),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
