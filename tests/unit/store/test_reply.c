#include "../../../src/store/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct reader *reader;
static bool bad;

static int
setup(void **state)
{
    reader = reader_new();
    return 0;
}

static int
teardown(void **state)
{
    reader_free(reader);
    return 0;
}

static const struct reply *
read_one(const char *text)
{
    const struct reply *r;

    assert_int_equal(reader_feed(reader, text, strlen(text)), 0);
    r = reader_next(reader, &bad);
    assert_false(bad);
    return r;
}

static void
test_kinds(void **state)
{
    const struct reply *r;

    r = read_one("*3\r\n:1\r\n:-2\r\n:9223372036854775807\r\n");
    assert_int_equal(r->kind, REPLY_INTS);
    assert_int_equal(r->n, 3);
    assert_int_equal(r->ints[1], -2);
    assert_true(r->ints[2] == INT64_MAX);
    r = read_one(":5\r\n");
    assert_int_equal(r->kind, REPLY_INTS);
    assert_int_equal(r->n, 1);
    r = read_one("+PONG\r\n");
    assert_int_equal(r->kind, REPLY_STATUS);
    assert_string_equal(r->text, "PONG");
    r = read_one("-ERR no\r\n");
    assert_int_equal(r->kind, REPLY_ERROR);
    assert_string_equal(r->text, "ERR no");
    assert_int_equal(read_one("$-1\r\n")->kind, REPLY_NIL);
    assert_int_equal(read_one("*-1\r\n")->kind, REPLY_NIL);
    assert_int_equal(read_one("$3\r\nabc\r\n")->kind, REPLY_STRING);
    r = read_one("*0\r\n");
    assert_int_equal(r->kind, REPLY_INTS);
    assert_int_equal(r->n, 0);
}

static void
test_mixed(void **state)
{
    const struct reply *r;

    assert_int_equal(read_one("*2\r\n:1\r\n$1\r\nx\r\n")->kind, REPLY_OTHER);
    assert_int_equal(read_one("*2\r\n*1\r\n:1\r\n:2\r\n")->kind, REPLY_OTHER);
    assert_int_equal(read_one("*1\r\n$-1\r\n")->kind, REPLY_OTHER);
    r = read_one("*3\r\n$6\r\nmaster\r\n:7\r\n*1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    assert_int_equal(r->kind, REPLY_OTHER);
    assert_string_equal(r->text, "master");
    r = read_one("*4\r\n:1\r\n$1\r\nx\r\n*1\r\n-ERR inside\r\n-ERR second\r\n");
    assert_int_equal(r->kind, REPLY_ERROR);
    assert_string_equal(r->text, "ERR inside");
    assert_int_equal(read_one(":6\r\n")->ints[0], 6); /* nothing of it is left */
}

static void
test_in_pieces(void **state)
{
    const char *text = "*2\r\n:12\r\n:34\r\n";
    const struct reply *r = NULL;

    for (size_t i = 0; text[i]; i++) {
        assert_null(r);
        reader_feed(reader, text + i, 1);
        r = reader_next(reader, &bad);
        assert_false(bad);
    }
    assert_non_null(r);
    assert_int_equal(r->ints[1], 34);
    assert_null(reader_next(reader, &bad));
    assert_false(bad);
}

static void
test_caps(void **state)
{
    char text[8192], *big;
    size_t n;

    n = (size_t)snprintf(text, sizeof(text), "*65\r\n");
    for (unsigned i = 0; i < 65; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, ":%u\r\n", i);
    assert_int_equal(read_one(text)->kind, REPLY_OTHER);
    memset(text, 'e', 1000);
    text[0] = '-';
    memcpy(text + 1000, "\r\n", 3);
    assert_int_equal(strlen(read_one(text)->text), REPLY_TEXT_MAX - 1);

    reader_feed(reader, "*5000\r\n", 7);
    assert_null(reader_next(reader, &bad));
    assert_true(bad);

    reader_free(reader);
    reader = reader_new();
    big = calloc(1, REPLY_PENDING_MAX + 1);
    reader_feed(reader, "$900000\r\n", 9);
    assert_null(reader_next(reader, &bad));
    assert_false(bad);
    reader_feed(reader, big, REPLY_PENDING_MAX + 1);
    assert_null(reader_next(reader, &bad));
    assert_true(bad);
    free(big);
}

static void
test_nonsense(void **state)
{
    static const char *const texts[] = { "HTTP/1.1 200 OK\r\n\r\n", "*99999999999999999999\r\n", "$-7\r\n", "*-7\r\n",
                                         "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n" };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        reader_free(reader);
        reader = reader_new();
        reader_feed(reader, texts[i], strlen(texts[i]));
        assert_null(reader_next(reader, &bad));
        assert_true(bad);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mixed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_caps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
