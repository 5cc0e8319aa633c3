#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "frames.h"

#include <string.h>

static void
a_head_is_a_flag_and_a_length(void **state)
{
    char head[FRAME_HEAD];

    frame_head(head, FRAME_TRAILERS, 0x01020304);
    assert_memory_equal(head, "\x80\1\2\3\4", FRAME_HEAD);
}

/* An empty message, one of 3 bytes, one of 300 (more than a byte of length). */
static void
the_ends_are_known_however_it_is_cut(void **state)
{
    char body[5 + 8 + 305];
    const size_t ends[] = { 0, 5, 13, sizeof(body) };

    memset(body, 0xff, sizeof(body));
    frame_head(body, 0, 0);
    frame_head(body + 5, 1, 3);
    frame_head(body + 13, 0, 300);
    for (size_t a = 0; a <= sizeof(body); a++)
        for (size_t step = 1; step <= 7; step += 3) {
            struct frames f = { 0 };
            bool at_end = true, expected = false;

            for (size_t at = 0; at < a; at += step)
                at_end = frames_follow(&f, body + at, a - at < step ? a - at : step);
            for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
                expected |= a == ends[i];
            assert_int_equal(at_end, expected);
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_a_flag_and_a_length),
        cmocka_unit_test(the_ends_are_known_however_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
