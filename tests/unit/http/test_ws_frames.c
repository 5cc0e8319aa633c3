#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/http/ws_frames.h"

#include <stdlib.h>
#include <string.h>

/* An empty ping, masked text of 5, binary of 200 (two bytes of length), masked of 70,000 (eight), a close. */
static const struct {
    const char *head;
    size_t n;
    size_t payload;
} frames[] = {
    { "\x89\x00", 2, 0 },           { "\x81\x85mask", 6, 5 },
    { "\x02\x7e\x00\xc8", 4, 200 }, { "\x80\xff\0\0\0\0\0\x01\x11\x70mask", 14, 70000 },
    { "\x88\x02", 2, 2 },
};
#define N (sizeof(frames) / sizeof(*frames))

static char *
stream(size_t *n, size_t ends[N])
{
    char *all = malloc(80000);

    *n = 0;
    for (size_t i = 0; i < N; i++) {
        memcpy(all + *n, frames[i].head, frames[i].n);
        memset(all + *n + frames[i].n, 0x88, frames[i].payload);
        *n += frames[i].n + frames[i].payload;
        ends[i] = *n;
    }
    return all;
}

static bool
is_end(const size_t ends[N], size_t at)
{
    for (size_t i = 0; i < N; i++)
        if (ends[i] == at)
            return true;
    return at == 0;
}

static void
the_ends_are_known_however_it_is_cut(void **state)
{
    static const size_t steps[] = { 1, 2, 3, 7, 1000, 80000 };
    size_t n, ends[N];
    char *all = stream(&n, ends);

    for (size_t k = 0; k < sizeof(steps) / sizeof(*steps); k++) {
        struct ws_frames f = { 0 };

        for (size_t at = 0; at < n; at += steps[k]) {
            size_t part = n - at < steps[k] ? n - at : steps[k];

            assert_int_equal(ws_frames_between(&f), is_end(ends, at));
            assert_false(f.closed);
            ws_frames_follow(&f, all + at, part);
        }
        assert_true(ws_frames_between(&f));
        assert_true(f.closed);
    }
    free(all);
}

/* Taking only what belongs to the frame for certain stops at each end. */
static void
no_end_is_passed(void **state)
{
    size_t n, ends[N], seen = 0;
    char *all = stream(&n, ends);
    struct ws_frames f = { 0 };

    for (size_t at = 0; at < n;) {
        uint64_t rest = ws_frames_rest(&f);

        assert_true(rest >= 1 && rest <= n - at);
        ws_frames_follow(&f, all + at, (size_t)rest);
        at += (size_t)rest;
        if (ws_frames_between(&f))
            assert_int_equal(at, ends[seen++]);
    }
    assert_int_equal(seen, N);
    free(all);
}

static void
a_length_that_nothing_has_is_no_harm(void **state)
{
    struct ws_frames f = { 0 };

    ws_frames_follow(&f, "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10);
    assert_false(ws_frames_between(&f));
    ws_frames_follow(&f, "abc", 3);
    assert_true(ws_frames_rest(&f) == UINT64_MAX - 3);
}

static void
a_close_frame_is_one(void **state)
{
    char out[WS_CLOSE_MAX];
    struct ws_frames f = { 0 };

    assert_int_equal(ws_close_write(out, WS_GOING_AWAY, NULL), 4);
    assert_memory_equal(out, "\x88\x02\x03\xe9", 4);
    assert_int_equal(ws_close_write(out, WS_GOING_AWAY, (const unsigned char *)"\x01\x02\x03\x04"), 8);
    assert_memory_equal(out, "\x88\x82\x01\x02\x03\x04\x02\xeb", 8);
    ws_frames_follow(&f, out, 8);
    assert_true(f.closed && ws_frames_between(&f));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ends_are_known_however_it_is_cut),
        cmocka_unit_test(no_end_is_passed),
        cmocka_unit_test(a_length_that_nothing_has_is_no_harm),
        cmocka_unit_test(a_close_frame_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
