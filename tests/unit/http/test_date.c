#include "http_test.h"
#include "../../../src/base/clock.h"
#include "../../../src/http/date.h"

#include <time.h>

static void
test_known_dates(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        { 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
        { 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" }, /* RFC 9110 5.6.7 */
        { 951827696, "Tue, 29 Feb 2000 12:34:56 GMT" },
        { 4102444799, "Thu, 31 Dec 2099 23:59:59 GMT" },
        { 253402300799, "Fri, 31 Dec 9999 23:59:59 GMT" },
        { 253402300800, "Thu, 01 Jan 1970 00:00:00 GMT" }, /* five-digit years do not fit */
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char out[29];

        http_date_format(rows[i].seconds, out);
        slice_is(slice_of(out, sizeof(out)), rows[i].text, "date");
    }
}

static void
test_now_follows_the_loop_clock(void **state)
{
    char want[29];
    struct slice now;

    clock_update();
    http_date_format(clock_wall() / NSEC_PER_SEC, want);
    now = http_date_now();
    assert_int_equal(now.n, 29);
    assert_memory_equal(now.p, want, 29);
    assert_ptr_equal(http_date_now().p, now.p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_dates),
        cmocka_unit_test(test_now_follows_the_loop_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
