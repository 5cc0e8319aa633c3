#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base64.h"

#include <string.h>

/* Decodes in two pieces cut at `cut`; the bytes are in out. -1: refused, or not complete at the end. */
static ssize_t
decode(const char *text, size_t cut, char *out)
{
    struct base64_decoder d = { 0 };
    ssize_t a = base64_decode(&d, text, cut, out), b;

    if (a < 0)
        return -1;
    b = base64_decode(&d, text + cut, strlen(text) - cut, out + a);
    return b < 0 || !base64_complete(&d) ? -1 : a + b;
}

static void
decoded_however_it_is_cut(void **state)
{
    static const struct {
        const char *text, *bytes;
        size_t n;
    } rows[] = {
        { "", "", 0 },
        { "Zg==", "f", 1 },
        { "Zm8=", "fo", 2 },
        { "Zm9v", "foo", 3 },
        { "Zm9vYmFy", "foobar", 6 },
        { "Zg==Zm8=Zm9v", "ffofoo", 6 }, /* padded by whoever flushed */
        { "AAECAw==/+7d", "\0\1\2\3\377\356\335", 7 },
        { "+/+/", "\373\377\277", 3 },
    };
    char out[64];

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t cut = 0; cut <= strlen(rows[i].text); cut++) {
            assert_int_equal(decode(rows[i].text, cut, out), rows[i].n);
            assert_memory_equal(out, rows[i].bytes, rows[i].n);
        }
}

static void
refused_however_it_is_cut(void **state)
{
    static const char *const rows[] = { "Z",    "Zg",   "Zg=",  "=",    "Z===",  "Zg=v",   "Zm9v=",
                                        "Zm 9", "Zm9-", "Zm_v", "====", "Zg==Z", "Zm9v\n", "Zm9\x80" };
    char out[64];

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t cut = 0; cut <= strlen(rows[i]); cut++)
            assert_int_equal(decode(rows[i], cut, out), -1);
}

static void
encoded_in_pieces_is_the_same(void **state)
{
    static const char bytes[] = "any carnal pleas\0\xff\xfe", text[] = "YW55IGNhcm5hbCBwbGVhcwD//g==";
    const size_t len = sizeof(bytes) - 1;

    for (size_t a = 0; a <= len; a++)
        for (size_t b = a; b <= len; b++) {
            struct base64_encoder e = { 0 };
            char out[64];
            size_t n = base64_encode(&e, bytes, a, out);

            n += base64_encode(&e, bytes + a, b - a, out + n);
            n += base64_encode(&e, bytes + b, len - b, out + n);
            n += base64_flush(&e, out + n);
            assert_int_equal(n, sizeof(text) - 1);
            assert_memory_equal(out, text, n);
        }
}

static void
a_flush_says_all_there_is(void **state)
{
    struct base64_encoder e = { 0 };
    char out[16];

    assert_int_equal(base64_flush(&e, out), 0);
    assert_int_equal(base64_encode(&e, "f", 1, out), 0);
    assert_int_equal(base64_flush(&e, out), 4);
    assert_memory_equal(out, "Zg==", 4);
    assert_int_equal(base64_encode(&e, "fo", 2, out), 0);
    assert_int_equal(base64_flush(&e, out), 4);
    assert_memory_equal(out, "Zm8=", 4);
    assert_int_equal(base64_flush(&e, out), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoded_however_it_is_cut),
        cmocka_unit_test(refused_however_it_is_cut),
        cmocka_unit_test(encoded_in_pieces_is_the_same),
        cmocka_unit_test(a_flush_says_all_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
