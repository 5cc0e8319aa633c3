/* What the unit tests of src/http share: cmocka, the limits of a listener, and comparison of slices. */
#ifndef TEST_HTTP_TEST_H
#define TEST_HTTP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../../src/base/arena.h"
#include "../../../src/base/slice.h"
#include "../../../src/http/h1.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct h1_limits test_limits = { .request_line = 8192, .field = 8192, .head = 32768, .fields = 100 };

static inline void
slice_is(struct slice got, const char *want, const char *what)
{
    if (!slice_eq(got, slice_str(want)))
        fail_msg("%s: \"%.*s\" where \"%s\" was expected", what, SLICE_FMT(got), want);
}

/* A copy on the heap without a byte to spare, so that ASan sees a read behind the end. */
static inline char *
exact_copy(const char *p, size_t n)
{
    char *copy = malloc(n ? n : 1);

    assert_non_null(copy);
    memcpy(copy, p, n);
    return copy;
}

static inline int
arena_setup(void **state)
{
    struct arena *a = malloc(sizeof(*a));

    assert_non_null(a);
    arena_init(a);
    *state = a;
    return 0;
}

static inline int
arena_teardown(void **state)
{
    arena_fini(*state);
    free(*state);
    arena_thread_fini();
    return 0;
}

/* A test that gets an arena as its *state. */
#define arena_test(f) cmocka_unit_test_setup_teardown(f, arena_setup, arena_teardown)

#endif
