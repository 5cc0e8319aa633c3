#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base64url.h"
#include "keys.h"
#include "signer.h"
#include "verify.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static EVP_PKEY *rsa, *weak, *p256, *p384, *p521, *ed25519, *ed448;

static int
make_keys(void **state)
{
    rsa = EVP_RSA_gen(2048);
    weak = EVP_RSA_gen(1024);
    p256 = EVP_EC_gen("P-256");
    p384 = EVP_EC_gen("P-384");
    p521 = EVP_EC_gen("P-521");
    ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    ed448 = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
    return verify_load();
}

static int
free_keys(void **state)
{
    EVP_PKEY *all[] = { rsa, weak, p256, p384, p521, ed25519, ed448 };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        EVP_PKEY_free(all[i]);
    return 0;
}

/* A set of this one key, from its JWK. */
static struct keyset *
set_of(EVP_PKEY *key, const char *kid, const char *alg, const char *more)
{
    const char *error;
    char *jwk = signer_jwk(key, kid, alg, more), text[9000];
    snprintf(text, sizeof(text), "{\"keys\":[%s]}", jwk);
    free(jwk);
    return keyset_parse(text, strlen(text), false, &error);
}

static bool
verify(const struct keyset *s, const char *text)
{
    struct token t;
    const char *why;
    const struct key *keys[8];
    unsigned n = 0;
    bool good = false;
    assert_int_equal(token_decode(&t, (struct weir_str){ text, strlen(text) }, &why), 0);
    if (keyset_match(s, t.alg, t.kid, keys, 8, &n) == KEYS_FOUND) {
        for (unsigned i = 0; i < n; i++)
            good |= verify_signature(keys[i], &t);
    }
    token_fini(&t);
    return good;
}

/* The token is good, and no change of one bit of its signature, nor of its payload, leaves it so. */
static void
check_token(const struct keyset *s, char *text)
{
    assert_true(verify(s, text));
    char *sig = strrchr(text, '.') + 1, *payload = strchr(text, '.') + 1;
    for (size_t i = 0; i + 1 < strlen(sig); i += 7) { /* not the last character: its low bits must be 0 */
        char keep = sig[i];
        sig[i] = keep == 'A' ? 'B' : 'A';
        assert_false(verify(s, text));
        sig[i] = keep;
    }
    char keep = payload[40];
    payload[40] = keep == 'a' ? 'b' : 'a'; /* inside a string of the payload */
    assert_false(verify(s, text));
    payload[40] = keep;
    assert_true(verify(s, text));
    free(text);
}

#define PAYLOAD "{\"sub\":\"a-long-subject-that-is-text\",\"exp\":1}"

static void
test_tokens_of_another_library(void **state)
{
    static const struct {
        EVP_PKEY **key;
        const char *alg;
    } rows[] = { { &rsa, "RS256" },  { &rsa, "RS384" },  { &rsa, "RS512" },
                 { &p256, "ES256" }, { &p384, "ES384" }, { &p521, "ES512" } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct keyset *s = set_of(*rows[i].key, "k1", rows[i].alg, NULL);
        char *pem = signer_pem(*rows[i].key, 1);
        assert_non_null(s);
        check_token(s, signer_libjwt(rows[i].alg, pem, "k1", PAYLOAD));
        keyset_put(s);
        free(pem);
    }
    static const char secret[] = "a secret of more than thirty-two bytes, for all three of them: 64";
    static const char *const hmac[] = { "HS256", "HS384", "HS512" };
    for (size_t i = 0; i < 3; i++) {
        const char *error;
        struct keyset *s = keyset_new();
        assert_int_equal(keyset_add_secret(s, secret, strlen(secret), 0, NULL, &error), 0);
        check_token(s, signer_libjwt(hmac[i], secret, NULL, PAYLOAD));
        keyset_put(s);
    }
}

static void
test_pss_and_eddsa(void **state)
{
    static const struct {
        EVP_PKEY **key;
        const char *alg;
    } rows[] = { { &rsa, "PS256" }, { &rsa, "PS384" }, { &rsa, "PS512" }, { &ed25519, "EdDSA" }, { &ed448, "EdDSA" } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char header[64];
        struct keyset *s = set_of(*rows[i].key, NULL, NULL, NULL);
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", rows[i].alg);
        check_token(s, signer_evp(*rows[i].key, NULL, rows[i].alg, header, PAYLOAD));
        keyset_put(s);
    }
    /* PKCS#1 signatures are not PSS ones. */
    struct keyset *s = set_of(rsa, NULL, NULL, NULL);
    char *text = signer_evp(rsa, NULL, "RS256", "{\"alg\":\"PS256\"}", PAYLOAD);
    assert_false(verify(s, text));
    free(text);
    keyset_put(s);
}

/* RFC 7515 A.1 and A.3, RFC 8037 A.4. */
static void
test_vectors(void **state)
{
    static const char keys[] =
        "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\","
        "\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"},"
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
#define RFC_PAYLOAD "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    const char *error;
    struct keyset *s = keyset_parse(keys, strlen(keys), true, &error);
    assert_non_null(s);
    assert_int_equal(s->n, 3);
    assert_true(verify(s, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC_PAYLOAD
                          ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    assert_true(verify(s, "eyJhbGciOiJFUzI1NiJ9." RFC_PAYLOAD
                          ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"));
    static const char input[] = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    static const char sig[] = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    struct token t = { .alg = alg_find("EdDSA", 5), .input = { input, strlen(input) } };
    t.signature_n = (size_t)base64url_decode(sig, strlen(sig), t.signature);
    assert_true(verify_signature(s->keys[2], &t));
    t.signature[0] ^= 1;
    assert_false(verify_signature(s->keys[2], &t));
    keyset_put(s);
}

/* The classic confusions: a key only verifies what it is for. */
static void
test_keys_are_bound_to_algorithms(void **state)
{
    char *pem = signer_pem(rsa, 0);
    const char *error;
    struct keyset *s = keyset_new();
    assert_int_equal(keyset_add_pem(s, pem, strlen(pem), 0, NULL, &error), 0);
    char *text = signer_evp(NULL, pem, "HS256", "{\"alg\":\"HS256\"}", PAYLOAD); /* the public key as an HMAC secret */
    assert_false(verify(s, text));
    free(text);
    keyset_put(s);

    s = keyset_new();
    assert_int_equal(keyset_add_pem(s, pem, strlen(pem), ALG_BIT(alg_find("RS256", 5)), NULL, &error), 0);
    text = signer_evp(rsa, NULL, "RS512", "{\"alg\":\"RS512\"}", PAYLOAD);
    assert_false(verify(s, text));
    free(text);
    assert_int_equal(keyset_add_pem(s, pem, strlen(pem), ALG_BIT(alg_find("ES256", 5)), NULL, &error), -1);
    assert_int_equal(keyset_add_pem(s, pem, strlen(pem), ALG_BIT(alg_find("HS256", 5)), NULL, &error), -1);
    keyset_put(s);
    free(pem);

    s = set_of(p384, NULL, NULL, NULL); /* RFC 7518 3.4: ES256 is P-256 and no other curve */
    assert_int_equal(s->keys[0]->algs, ALG_BIT(alg_find("ES384", 5)));
    keyset_put(s);
    s = set_of(rsa, NULL, "PS256", NULL);
    assert_int_equal(s->keys[0]->algs, ALG_BIT(alg_find("PS256", 5)));
    keyset_put(s);
    assert_null(set_of(rsa, NULL, "ES256", NULL));
    assert_null(set_of(rsa, NULL, "RSA-OAEP", NULL));
    assert_null(set_of(p256, NULL, "ES384", NULL));
}

static void
test_ecdsa_signatures_of_wrong_shape(void **state)
{
    struct keyset *s = set_of(p256, NULL, NULL, NULL);
    char *text = signer_evp(p256, NULL, "ES256", "{\"alg\":\"ES256\"}", PAYLOAD);
    char *sig = strrchr(text, '.') + 1;
    static const size_t lengths[] = { 0, 4, 84 };
    assert_true(verify(s, text));
    memset(sig, 'A', strlen(sig)); /* r = s = 0 (CVE-2022-21449) */
    assert_false(verify(s, text));
    for (size_t i = 0; i < 3; i++) {
        sig[lengths[i]] = '\0';
        assert_false(verify(s, text));
        sig[lengths[i]] = 'A';
    }
    free(text);
    keyset_put(s);
}

static void
test_pem_forms(void **state)
{
    const char *error = NULL;
    struct keyset *s = keyset_new();
    char *pem = signer_pem(rsa, 1), *small = signer_pem(weak, 0), *ed = signer_pem(ed25519, 0);
    assert_int_equal(keyset_add_pem(s, pem, strlen(pem), 0, NULL, &error), -1); /* a private key has no business here */
    assert_int_equal(keyset_add_pem(s, small, strlen(small), 0, NULL, &error), -1);
    assert_non_null(strstr(error, "2048"));
    assert_int_equal(keyset_add_pem(s, "rubbish", 7, 0, NULL, &error), -1);
    assert_int_equal(keyset_add_pem(s, "", 0, 0, NULL, &error), -1);
    assert_int_equal(keyset_add_pem(s, ed, strlen(ed), 0, "k", &error), 0);
    assert_int_equal(keyset_add_secret(s, "", 0, 0, NULL, &error), -1);
    assert_int_equal(keyset_add_secret(s, "x", 1, ALG_BIT(alg_find("RS256", 5)), NULL, &error), -1);
    assert_int_equal(s->n, 1);
    keyset_put(s);
    free(pem);
    free(small);
    free(ed);
}

static void
test_sets_are_read_with_care(void **state)
{
    static const char *const
        bad[] = { "",
                  "x",
                  "[]",
                  "{}",
                  "{\"keys\":{}}",
                  "{\"keys\":[]}",
                  "{\"keys\":[1,null,\"a\",[]]}",
                  "{\"keys\":[{\"kty\":\"RSA\"}]}",
                  "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}",
                  "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
                  "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}", /* not on the curve */
                  "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}]}",
                  "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAA\"}]}",
                  "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}" /* a secret from a network */ };
    const char *error;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        error = NULL;
        assert_null(keyset_parse(bad[i], strlen(bad[i]), false, &error));
        assert_non_null(error);
    }
    assert_null(set_of(rsa, "k", NULL, ",\"use\":\"enc\""));
    assert_null(set_of(rsa, "k", NULL, ",\"key_ops\":[\"encrypt\"]"));
    assert_null(set_of(rsa, "k", NULL, ",\"kid\":\"again\"")); /* repeated member */
    assert_null(set_of(weak, "k", NULL, NULL));
    struct keyset *s = set_of(rsa, "k", NULL, ",\"use\":\"sig\",\"key_ops\":[\"verify\"]");
    assert_int_equal(s->n, 1);
    keyset_put(s);
}

static void
test_one_bad_key_does_not_hide_the_others(void **state)
{
    char *good = signer_jwk(p256, "good", NULL, NULL), text[4096];
    const char *error;
    snprintf(text, sizeof(text), "{\"keys\":[{\"kty\":\"new\"},%s,{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQ\"}]}", good);
    struct keyset *s = keyset_parse(text, strlen(text), false, &error);
    assert_int_equal(s->n, 1);
    assert_int_equal(s->skipped, 2);
    keyset_put(s);
    s = keyset_parse(good, strlen(good), false, &error); /* a JWK alone */
    assert_int_equal(s->n, 1);
    keyset_put(s);

    size_t n = strlen(good);
    char *many = malloc(n * 101 + 400), *p = many + sprintf(many, "{\"keys\":[");
    for (int i = 0; i < 101; i++)
        p += sprintf(p, "%s%s", i ? "," : "", good);
    strcpy(p, "]}");
    assert_null(keyset_parse(many, strlen(many), false, &error));
    assert_non_null(strstr(error, "100"));
    free(many);
    many = calloc(1, KEYS_TEXT_MAX + 2);
    assert_null(keyset_parse(many, KEYS_TEXT_MAX + 1, false, &error));
    assert_non_null(strstr(error, "1 MiB"));
    free(many);
    free(good);
}

static void
test_match(void **state)
{
    char *a = signer_jwk(p256, "a", NULL, NULL), *b = signer_jwk(rsa, "b", NULL, NULL),
         *c = signer_jwk(p384, NULL, NULL, NULL), text[8192];
    const char *error;
    const struct key *out[8];
    unsigned n;
    int es256 = alg_find("ES256", 5), es384 = alg_find("ES384", 5), rs256 = alg_find("RS256", 5),
        hs256 = alg_find("HS256", 5);
    snprintf(text, sizeof(text), "{\"keys\":[%s,%s,%s]}", a, b, c);
    struct keyset *s = keyset_parse(text, strlen(text), false, &error);
    assert_int_equal(keyset_match(s, es256, "a", out, 8, &n), KEYS_FOUND);
    assert_int_equal(n, 1);
    assert_int_equal(keyset_match(s, rs256, "a", out, 8, &n), KEYS_OTHER_ALG);
    assert_int_equal(keyset_match(s, rs256, "c", out, 8, &n), KEYS_UNKNOWN);
    assert_int_equal(keyset_match(s, es384, "c", out, 8, &n), KEYS_FOUND); /* the key without a name */
    assert_int_equal(keyset_match(s, rs256, NULL, out, 8, &n), KEYS_FOUND);
    assert_int_equal(n, 1);
    assert_int_equal(keyset_match(s, hs256, NULL, out, 8, &n), KEYS_OTHER_ALG);
    assert_int_equal(keyset_match(s, rs256, NULL, out, 0, &n), KEYS_FOUND);
    assert_int_equal(n, 0);
    keyset_put(s);
    free(a);
    free(b);
    free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_of_another_library),
        cmocka_unit_test(test_pss_and_eddsa),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_keys_are_bound_to_algorithms),
        cmocka_unit_test(test_ecdsa_signatures_of_wrong_shape),
        cmocka_unit_test(test_pem_forms),
        cmocka_unit_test(test_sets_are_read_with_care),
        cmocka_unit_test(test_one_bad_key_does_not_hide_the_others),
        cmocka_unit_test(test_match),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
