#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "alg.h"
#include "base64url.h"
#include "token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
encode(const char *in, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0, have = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | (unsigned char)in[i];
        for (have += 8; have >= 6; have -= 6)
            *out++ = digits[bits >> (have - 6) & 63];
    }
    if (have)
        *out++ = digits[bits << (6 - have) & 63];
    *out = '\0';
}

/* A token of these parts; the signature is "sig". NULL: it was taken; else why not. */
static const char *
decode(const char *header, const char *payload, struct token *t)
{
    static char text[8300];
    char h[4096], p[4096];
    const char *why;
    encode(header, strlen(header), h);
    encode(payload, strlen(payload), p);
    snprintf(text, sizeof(text), "%s.%s.c2ln", h, p);
    return token_decode(t, (struct weir_str){ text, strlen(text) }, &why) == 0 ? NULL : why;
}

#define H "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}"

static void
test_base64url(void **state)
{
    unsigned char out[64];
    assert_int_equal(base64url_decode("", 0, out), 0);
    assert_int_equal(base64url_decode("Zg", 2, out), 1);
    assert_int_equal(base64url_decode("Zm8", 3, out), 2);
    assert_int_equal(base64url_decode("Zm9v", 4, out), 3);
    assert_memory_equal(out, "foo", 3);
    assert_int_equal(base64url_decode("-_-_", 4, out), 3);
    assert_memory_equal(out, "\xfb\xff\xbf", 3);
    static const char *const bad[] = {
        "Z", "Zm9vZ", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm v", "Zm9v\n", "Zm\xc3\xa9"
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(base64url_decode(bad[i], strlen(bad[i]), out), -1);
}

static void
test_takes_a_token_apart(void **state)
{
    struct token t;
    assert_null(decode(H, "{\"sub\":\"u\",\"exp\":12,\"aud\":[\"a\",\"b\"]}", &t));
    assert_string_equal(algs[t.alg].name, "RS256");
    assert_string_equal(t.kid, "k1");
    assert_int_equal(t.signature_n, 3);
    assert_memory_equal(t.signature, "sig", 3);
    assert_int_equal(t.input.p[t.input.n], '.');
    assert_string_equal(json_string_value(json_object_get(t.payload, "sub")), "u");
    token_fini(&t);
    assert_null(decode("{\"alg\":\"ES256\"}", "{}", &t));
    assert_null(t.kid);
    token_fini(&t);
}

static void
test_none_is_no_algorithm(void **state)
{
    static const char *const names[] = { "none", "None", "NONE", "", "rs256", "RS256 ", "HS1", "ES256K", "dir" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char header[64];
        struct token t;
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[i]);
        assert_null(decode(header, "{}", &t));
        assert_int_equal(t.alg, -1);
        token_fini(&t);
    }
}

static void
test_malformed_headers(void **state)
{
    static const char *const bad[] = { "",
                                       "x",
                                       "[]",
                                       "\"a\"",
                                       "{}",
                                       "{\"alg\":1}",
                                       "{\"alg\":null}",
                                       "{\"alg\":[\"RS256\"]}",
                                       "{\"alg\":\"RS256\",\"alg\":\"HS256\"}",
                                       "{\"alg\":\"RS256\",\"kid\":1}",
                                       "{\"alg\":\"RS256\",\"typ\":1}",
                                       "{\"alg\":\"RS256\",\"crit\":[]}",
                                       "{\"alg\":\"RS256\",\"crit\":[\"exp\"],\"exp\":1}",
                                       "{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}",
                                       "{\"alg\":\"RS256\"} x",
                                       "{\"alg\":\"RS256\",}",
                                       "{\"alg\":\"RS256\",\"kid\":\"a\\u0000b\"}" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct token t;
        assert_non_null(decode(bad[i], "{}", &t));
        token_fini(&t);
    }
}

static void
test_malformed_payloads(void **state)
{
    static const char *const bad[] = { "",
                                       "x",
                                       "[]",
                                       "1",
                                       "{\"sub\":1}",
                                       "{\"iss\":[]}",
                                       "{\"jti\":1}",
                                       "{\"exp\":\"1\"}",
                                       "{\"nbf\":null}",
                                       "{\"iat\":true}",
                                       "{\"aud\":1}",
                                       "{\"aud\":[1]}",
                                       "{\"aud\":[\"a\",{}]}",
                                       "{\"aud\":{}}",
                                       "{\"sub\":\"a\",\"sub\":\"b\"}",
                                       "{\"x\":{\"y\":1,\"y\":2}}",
                                       "{\"exp\":1e999}",
                                       "{\"sub\":\"\xff\"}" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct token t;
        assert_non_null(decode(H, bad[i], &t));
        token_fini(&t);
    }
}

static void
test_malformed_shapes(void **state)
{
    static const char *const bad[] = { "",
                                       ".",
                                       "..",
                                       "...",
                                       "a",
                                       "a.b",
                                       "eyJhbGciOiJSUzI1NiJ9.e30",
                                       "eyJhbGciOiJSUzI1NiJ9.e30.a.b",
                                       "eyJhbGciOiJSUzI1NiJ9.e30.c2ln.",
                                       "eyJhbGciOiJSUzI1NiJ9.e30.c2ln=",
                                       "eyJhbGciOiJSUzI1NiJ9 .e30.c2ln",
                                       "eyJhbGciOiJSUzI1NiJ9.e30.c2l+",
                                       ".e30.c2ln",
                                       "eyJhbGciOiJSUzI1NiJ9..c2ln",
                                       "e30.k.l.m.n" };
    struct token t;
    const char *why;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(token_decode(&t, (struct weir_str){ bad[i], strlen(bad[i]) }, &why), -1);
        assert_non_null(why);
        token_fini(&t);
    }
    static const char good[] = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln";
    assert_int_equal(token_decode(&t, (struct weir_str){ good, strlen(good) }, &why), 0);
    token_fini(&t);
    assert_int_equal(token_decode(&t, (struct weir_str){ NULL, 0 }, &why), -1);
    token_fini(&t);
}

static void
test_sizes(void **state)
{
    struct token t;
    const char *why;
    char *text = malloc(TOKEN_MAX + 2);
    memset(text, 'A', TOKEN_MAX + 1);
    assert_int_equal(token_decode(&t, (struct weir_str){ text, TOKEN_MAX + 1 }, &why), -1);
    assert_non_null(strstr(why, "long"));
    token_fini(&t);
    memcpy(text, "eyJhbGciOiJSUzI1NiJ9.e30.", 25); /* a signature of 12 kB */
    assert_int_equal(token_decode(&t, (struct weir_str){ text, TOKEN_MAX }, &why), -1);
    token_fini(&t);
    /* Nesting as deep as it fits ends in a refusal, not in a broken stack. */
    char deep[4000];
    memset(deep, '[', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    memcpy(deep, "{\"a\":", 5);
    char header[64] = H;
    static char whole[8500], p[8192], h[128];
    encode(header, strlen(header), h);
    encode(deep, strlen(deep), p);
    snprintf(whole, sizeof(whole), "%s.%s.c2ln", h, p);
    assert_int_equal(token_decode(&t, (struct weir_str){ whole, strlen(whole) }, &why), -1);
    token_fini(&t);
    free(text);
}

static void
test_times(void **state)
{
    struct token t;
    assert_null(decode(H, "{\"exp\":12.9,\"nbf\":-1.5,\"iat\":1e300}", &t));
    assert_int_equal(token_time(t.payload, "exp", 0), 12);
    assert_int_equal(token_time(t.payload, "nbf", 0), -2);
    assert_int_equal(token_time(t.payload, "iat", 0), INT64_C(1000000000000));
    assert_int_equal(token_time(t.payload, "none", 77), 77);
    token_fini(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64url),         cmocka_unit_test(test_takes_a_token_apart),
        cmocka_unit_test(test_none_is_no_algorithm), cmocka_unit_test(test_malformed_headers),
        cmocka_unit_test(test_malformed_payloads), cmocka_unit_test(test_malformed_shapes),
        cmocka_unit_test(test_sizes),             cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
