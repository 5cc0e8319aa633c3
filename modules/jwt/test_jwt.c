#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../testing/fakehost.h"
#include "policy.h"
#include "signer.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct weir_module weir_module;

#define SECRET "a secret of thirty-two bytes: ok"
#define HS "{\"alg\":\"HS256\"}"
#define NOW 1700000000

static EVP_PKEY *rsa, *p256;
static char *rsa_pem, *rsa_set, *ec_set;

static char *
set_of(EVP_PKEY *key, const char *kid)
{
    char *jwk = signer_jwk(key, kid, NULL, NULL), *text = malloc(strlen(jwk) + 20);
    sprintf(text, "{\"keys\":[%s]}", jwk);
    free(jwk);
    return text;
}

static int
make_keys(void **state)
{
    rsa = EVP_RSA_gen(2048);
    p256 = EVP_EC_gen("P-256");
    rsa_pem = signer_pem(rsa, 0);
    rsa_set = set_of(rsa, "r1");
    ec_set = set_of(p256, "e1");
    return 0;
}

static int
free_keys(void **state)
{
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);
    free(rsa_pem);
    free(rsa_set);
    free(ec_set);
    return 0;
}

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

static struct weir_exchange *
bearer(const char *token)
{
    struct weir_exchange *x = fake_exchange();
    char *value = malloc(strlen(token) + 8);
    sprintf(value, "Bearer %s", token);
    fake_request_header(x, "authorization", value);
    free(value);
    return x;
}

/* What comes of a request with this Authorization (NULL: none): the reason, "" when it passes. */
static const char *
ask_raw(void *config, const char *authorization)
{
    static char reason[64];
    struct weir_exchange *x = fake_exchange();
    if (authorization)
        fake_request_header(x, "Authorization", authorization);
    enum weir_verdict v = weir_module.request(x, config);
    assert_int_equal(v, x->reason[0] ? WEIR_REFUSED : WEIR_CONTINUE);
    const char *challenge = fake_header(&x->response, "WWW-Authenticate");
    if (strcmp(x->reason, "jwt_missing") == 0)
        assert_string_equal(challenge, "Bearer");
    else if (strcmp(x->reason, "jwt_claim_refused") == 0)
        assert_string_equal(challenge, "Bearer error=\"insufficient_scope\"");
    else if (x->reason[0] && strcmp(x->reason, "jwt_keys_unavailable") != 0)
        assert_string_equal(challenge, "Bearer error=\"invalid_token\"");
    else
        assert_null(challenge);
    strcpy(reason, x->reason);
    fake_exchange_free(x);
    return reason;
}

/* The same for a token of this header and payload under SECRET. */
static const char *
ask(void *config, const char *header, const char *payload)
{
    char *token = signer_evp(NULL, SECRET, "HS256", header, payload), *value = malloc(strlen(token) + 8);
    sprintf(value, "Bearer %s", token);
    const char *reason = ask_raw(config, value);
    free(token);
    free(value);
    return reason;
}

#define BASE "jwt { key \"secret:" SECRET "\" alg=HS256; issuer https://idp/; audience orders; "
#define GOOD "\"iss\":\"https://idp/\",\"aud\":\"orders\",\"exp\":1700000100"

static void
test_reasons(void **state)
{
    void *c = fake_configure(BASE "require scope orders:read; }");
    static const struct {
        const char *want, *payload;
    } rows[] = {
        { "", "{" GOOD ",\"scope\":\"x orders:read\"}" },
        { "jwt_claim_refused", "{" GOOD ",\"scope\":\"orders:write\"}" },
        { "jwt_claim_refused", "{" GOOD "}" },
        { "jwt_expired", "{\"iss\":\"https://idp/\",\"aud\":\"orders\",\"exp\":1699999940}" },
        { "", "{\"iss\":\"https://idp/\",\"aud\":\"orders\",\"exp\":1699999941,\"scope\":\"orders:read\"}" },
        { "jwt_not_yet_valid", "{" GOOD ",\"nbf\":1700000061}" },
        { "jwt_malformed", "{\"iss\":\"https://idp/\",\"aud\":\"orders\"}" },
        { "jwt_malformed", "{" GOOD ",\"nbf\":\"soon\"}" },
        { "jwt_bad_issuer", "{\"iss\":\"https://evil/\",\"aud\":\"orders\",\"exp\":1700000100}" },
        { "jwt_bad_audience", "{\"iss\":\"https://idp/\",\"aud\":[\"a\",\"b\"],\"exp\":1700000100}" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(ask(c, HS, rows[i].payload), rows[i].want);
    assert_string_equal(ask(c, "{\"alg\":\"none\"}", "{" GOOD "}"), "jwt_alg_refused");
    assert_string_equal(ask(c, "{\"alg\":\"HS384\"}", "{" GOOD "}"), "jwt_alg_refused");
    assert_string_equal(ask(c, "{\"alg\":\"HS256\",\"crit\":[\"x\"],\"x\":1}", "{" GOOD "}"), "jwt_malformed");
    assert_string_equal(ask(c, "{\"alg\":\"HS256\",\"alg\":\"HS256\"}", "{" GOOD "}"), "jwt_malformed");
}

static void
test_authorization_header(void **state)
{
    void *c = fake_configure(BASE "}");
    assert_string_equal(ask_raw(c, NULL), "jwt_missing");
    assert_string_equal(ask_raw(c, ""), "jwt_missing");
    assert_string_equal(ask_raw(c, "Basic dXNlcjpwYXNz"), "jwt_missing");
    assert_string_equal(ask_raw(c, "BearerX abc"), "jwt_missing");
    assert_string_equal(ask_raw(c, "Bearer"), "jwt_malformed");
    assert_string_equal(ask_raw(c, "Bearer   "), "jwt_malformed");
    assert_string_equal(ask_raw(c, "Bearer a.b"), "jwt_malformed");
    assert_string_equal(ask_raw(c, "Bearer a.b.c d"), "jwt_malformed");
    char *token = signer_evp(NULL, SECRET, "HS256", HS, "{" GOOD "}"), *value = malloc(strlen(token) + 20);
    sprintf(value, "bEARER   %s  ", token);
    assert_string_equal(ask_raw(c, value), "");
    token[strlen(token) - 5] ^= 1;
    sprintf(value, "Bearer %s", token);
    assert_string_equal(ask_raw(c, value), "jwt_bad_signature");

    struct weir_exchange *x = bearer(token);
    fake_request_header(x, "Authorization", "Bearer a.b.c");
    assert_int_equal(weir_module.request(x, c), WEIR_REFUSED);
    assert_string_equal(x->reason, "bad_request");
    fake_exchange_free(x);
    free(token);
    free(value);
}

static void
test_configuration(void **state)
{
    fake.file_name = "idp.pem";
    fake.file = (struct weir_str){ rsa_pem, strlen(rsa_pem) };
    static const struct {
        const char *text, *error;
    } bad[] = {
        { "jwt { audience a; }", "nothing to verify" },
        { "jwt { audience a; jwks ftp://x/; }", "https://" },
        { "jwt { audience a; jwks http://idp.example.com/jwks; }", "insecure on" },
        { "jwt { audience a; jwks http://127.evil.com/; }", "insecure on" },
        { "jwt { audience a; jwks http://localhost.evil.com/; }", "insecure on" },
        { "jwt { audience a; jwks http://127.0.0.1@evil.com/; }", "insecure on" },
        { "jwt { audience a; jwks file:none.json; }", "no such file" },
        { "jwt { audience a; jwks file:idp.pem; }", "not JSON" },
        { "jwt { audience a; key secret:x; }", "alg=" },
        { "jwt { audience a; key plain alg=HS256; }", "file:PATH or secret:TEXT" },
        { "jwt { audience a; key file:idp.pem alg=HS256; }", "another kind" },
        { "jwt { audience a; key file:idp.pem alg=ES256; }", "another kind" },
        { "jwt { audience a any; key file:idp.pem; }", "alone" },
        { "jwt { audience a; key file:idp.pem; require scope; }", "at least one value" },
        { "jwt { audience a; key file:idp.pem; require any scope; }", "at least one value" },
        { "jwt { audience a; key file:idp.pem; forward sub as \"X User\"; }", "header name" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(fake_configure(bad[i].text));
        assert_non_null(strstr(fake.errors, bad[i].error));
    }
    static const char *const good[] = { "jwt { audience a; jwks http://127.0.0.1:8000/jwks; }",
                                        "jwt { audience a; jwks http://localhost/jwks; }",
                                        "jwt { audience a; jwks http://[::1]:80/jwks; }",
                                        "jwt { audience a; jwks http://idp.example.com/jwks; insecure on; }",
                                        "jwt { audience any; key file:idp.pem alg=RS256 kid=k1; cache 0; }" };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_non_null(fake_configure(good[i]));
    assert_non_null(fake_configure("jwt { audience a; key secret:short alg=HS256; }"));
    assert_non_null(strstr(fake.warnings, "32 bytes"));
    assert_null(strstr(fake.warnings, "short "));
}

static void
test_forward_and_variables(void **state)
{
    void *c = fake_configure(
        BASE "forward sub as X-User-Id; forward realm.roles as X-Roles; forward nothing as X-Nothing; }");
    char *token =
        signer_evp(NULL, SECRET, "HS256", HS, "{" GOOD ",\"sub\":\"u1\",\"n\":7,\"realm\":{\"roles\":[\"a\",\"b\"]}}");
    for (int i = 0; i < 2; i++) { /* the second time out of the cache */
        struct weir_exchange *x = bearer(token);
        fake_request_header(x, "x-user-id", "root");
        fake_request_header(x, "X-Nothing", "something");
        assert_int_equal(weir_module.request(x, c), WEIR_CONTINUE);
        assert_int_equal(fake_header_count(&x->request, "X-User-Id"), 1);
        assert_string_equal(fake_header(&x->request, "X-User-Id"), "u1");
        assert_string_equal(fake_header(&x->request, "X-Roles"), "a b");
        assert_null(fake_header(&x->request, "X-Nothing"));
        struct weir_str sub = fake_table.variable(x, "jwt.sub"), roles = fake_table.variable(x, "jwt.realm.roles");
        assert_int_equal(sub.n, 2);
        assert_memory_equal(sub.p, "u1", 2);
        assert_int_equal(roles.n, 3);
        assert_memory_equal(fake_table.variable(x, "jwt.n").p, "7", 1);
        assert_null(fake_table.variable(x, "jwt.none").p);
        weir_module.finish(x, c);
        assert_memory_equal(sub.p, "u1", 2); /* lives as long as the exchange */
        assert_null(fake_table.variable(x, "jwt.sub").p);
        fake_exchange_free(x);
    }
    free(token);
    /* A refused request does not speak in a claim's name either (in shadow it goes on). */
    struct weir_exchange *x = fake_exchange();
    x->shadow = true;
    fake_request_header(x, "X-User-Id", "root");
    assert_int_equal(weir_module.request(x, c), WEIR_CONTINUE);
    assert_null(fake_header(&x->request, "X-User-Id"));
    assert_null(fake_header(&x->response, "WWW-Authenticate"));
    assert_null(fake_table.variable(x, "jwt.sub").p);
    fake_exchange_free(x);
    /* A value that cannot stand in a header is not sent. */
    token = signer_evp(NULL, SECRET, "HS256", HS, "{" GOOD ",\"sub\":\"a\\r\\nX-Evil: 1\"}");
    x = bearer(token);
    assert_int_equal(weir_module.request(x, c), WEIR_CONTINUE);
    assert_null(fake_header(&x->request, "X-User-Id"));
    fake_exchange_free(x);
    free(token);
}

static void
test_cache_honours_expiry(void **state)
{
    void *c = fake_configure(BASE "leeway 10s; }");
    char *token = signer_evp(NULL, SECRET, "HS256", HS, "{" GOOD "}"), *value = malloc(strlen(token) + 8);
    sprintf(value, "Bearer %s", token);
    assert_string_equal(ask_raw(c, value), "");
    assert_string_equal(ask_raw(c, value), "");
    assert_true(fake_metric("weir_jwt_cache_total{hit}") == 1);
    assert_true(fake_metric("weir_jwt_cache_total{miss}") == 1);
    fake_advance(109 * FAKE_SECOND);
    assert_string_equal(ask_raw(c, value), "");
    fake_advance(FAKE_SECOND);
    assert_string_equal(ask_raw(c, value), "jwt_expired");
    /* Only good tokens are remembered. */
    assert_string_equal(ask_raw(c, value), "jwt_expired");
    assert_true(fake_metric("weir_jwt_cache_total{hit}") == 2);
    free(token);
    free(value);
}

static void
test_algorithms_restrict(void **state)
{
    fake.file_name = "keys.json";
    fake.file = (struct weir_str){ rsa_set, strlen(rsa_set) };
    void *c = fake_configure("jwt { audience any; require_exp off; jwks file:keys.json; algorithms RS256 ES256; }");
    char *rs256 = signer_evp(rsa, NULL, "RS256", "{\"alg\":\"RS256\",\"kid\":\"r1\"}", "{}");
    char *ps256 = signer_evp(rsa, NULL, "PS256", "{\"alg\":\"PS256\",\"kid\":\"r1\"}", "{}");
    char *other = signer_evp(rsa, NULL, "RS256", "{\"alg\":\"RS256\",\"kid\":\"r2\"}", "{}");
    char *es256 = signer_evp(p256, NULL, "ES256", "{\"alg\":\"ES256\",\"kid\":\"r1\"}", "{}");
    char value[2048];
    static const char *const want[] = { "", "jwt_alg_refused", "jwt_unknown_key", "jwt_alg_refused" };
    char *tokens[] = { rs256, ps256, other, es256 };
    for (int i = 0; i < 4; i++) {
        snprintf(value, sizeof(value), "Bearer %s", tokens[i]);
        assert_string_equal(ask_raw(c, value), want[i]);
        free(tokens[i]);
    }
}

/* --- keys by URL --- */

#define REMOTE "jwt { audience any; require_exp off; jwks https://idp/jwks ttl=10m; }"

static char *
ec_token(const char *kid)
{
    char header[80];
    snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid);
    return signer_evp(p256, NULL, "ES256", header, "{\"sub\":\"u\"}");
}

static void
test_no_keys_is_503_not_401(void **state)
{
    void *c = fake_configure(REMOTE);
    char *token = ec_token("e1");
    weir_module.start(c);
    struct weir_exchange *x = bearer(token);
    assert_int_equal(weir_module.request(x, c), WEIR_SUSPENDED); /* the first fetch is under way */
    fake_fetch_answer(0, 0, "connection refused");
    assert_int_equal(x->resumed, 1);
    assert_int_equal(weir_module.request(x, c), WEIR_REFUSED);
    assert_string_equal(x->reason, "jwt_keys_unavailable");
    assert_string_equal(fake_header(&x->response, "Retry-After"), "1");
    fake_exchange_free(x);
    x = bearer(token); /* nobody waits for a provider that is down */
    assert_int_equal(weir_module.request(x, c), WEIR_REFUSED);
    fake_exchange_free(x);
    assert_string_equal(ask_raw(c, "Bearer rubbish"), "jwt_malformed"); /* known without keys */
    assert_string_equal(ask_raw(c, NULL), "jwt_missing");
    fake_advance(2 * FAKE_SECOND);
    fake_fetch_answer(1, 200, ec_set);
    x = bearer(token);
    assert_int_equal(weir_module.request(x, c), WEIR_CONTINUE);
    fake_exchange_free(x);
    assert_non_null(strstr(fake_view(c), "\"url\":\"https://idp/jwks\",\"keys\":1,\"age_seconds\":0"));
    free(token);
}

static void
test_rotation(void **state)
{
    void *c = fake_configure(REMOTE);
    char *token = ec_token("e1"), value[2048];
    snprintf(value, sizeof(value), "Bearer %s", token);
    weir_module.start(c);
    fake_fetch_answer(0, 200, rsa_set);
    assert_string_equal(ask_raw(c, value), "jwt_unknown_key"); /* fetched just now */
    fake_advance(11 * FAKE_SECOND);
    struct weir_exchange *x = bearer(token), *gone = bearer(token);
    assert_int_equal(weir_module.request(x, c), WEIR_SUSPENDED);
    assert_int_equal(weir_module.request(gone, c), WEIR_SUSPENDED);
    weir_module.cancel(gone, c);
    fake_exchange_free(gone);
    fake_run_posts();
    assert_int_equal(fake.n_fetches, 2);
    fake_fetch_answer(1, 200, ec_set);
    assert_int_equal(x->resumed, 1);
    assert_int_equal(weir_module.request(x, c), WEIR_CONTINUE);
    fake_exchange_free(x);
    assert_string_equal(ask_raw(c, value), "");

    /* The key is taken back: verified tokens are forgotten with it. */
    while (fake.n_fetches < 3)
        fake_advance(FAKE_SECOND);
    fake_fetch_answer(2, 200, rsa_set);
    assert_string_equal(ask_raw(c, value), "jwt_unknown_key");
    free(token);
}

static void
test_waiting_ends_after_a_second(void **state)
{
    void *c = fake_configure(REMOTE);
    char *token = ec_token("e1");
    weir_module.start(c);
    struct weir_exchange *x = bearer(token);
    assert_int_equal(weir_module.request(x, c), WEIR_SUSPENDED);
    fake_advance(FAKE_SECOND);
    assert_int_equal(x->resumed, 1);
    assert_int_equal(weir_module.request(x, c), WEIR_REFUSED);
    assert_string_equal(x->reason, "jwt_keys_unavailable");
    fake_exchange_free(x);
    fake_fetch_answer(0, 0, "timeout");
    free(token);
}

static void
test_several_sources(void **state)
{
    void *c = fake_configure("jwt { audience any; require_exp off; key \"secret:" SECRET
                             "\" alg=HS256; jwks https://a/; jwks https://b/; }");
    char *token = ec_token("e1"), value[2048];
    snprintf(value, sizeof(value), "Bearer %s", token);
    assert_string_equal(ask(c, HS, "{}"), ""); /* needs no URL */
    weir_module.start(c);
    assert_int_equal(fake.n_fetches, 2);
    fake_fetch_answer(0, 200, rsa_set);
    fake_fetch_answer(1, 200, ec_set);
    assert_string_equal(ask_raw(c, value), "");
    free(token);
}

/* --- explaining --- */

static void
test_explain(void **state)
{
    void *c = fake_configure(
        "jwt { issuer https://idp/; audience orders; jwks https://idp/jwks; require scope a; forward sub as X-User; }");
    struct weir_exchange *x = fake_exchange();
    x->explaining = true;
    x->claims = "{\"sub\":\"u\",\"scope\":\"a b\"}"; /* stands for a valid token */
    assert_int_equal(weir_module.request(x, c), WEIR_CONTINUE);
    assert_string_equal(fake_header(&x->request, "X-User"), "u");
    assert_memory_equal(fake_table.variable(x, "jwt.scope").p, "a b", 3);
    fake_exchange_free(x);

    static const struct {
        const char *claims, *want;
    } rows[] = { { "{\"scope\":\"b\"}", "jwt_claim_refused" },
                 { "{\"aud\":\"x\",\"scope\":\"a\"}", "jwt_bad_audience" },
                 { "[]", "jwt_malformed" },
                 { "{\"exp\":1,\"scope\":\"a\"}", "jwt_expired" },
                 { "{\"exp\":\"1\"}", "jwt_malformed" },
                 { "nonsense", "jwt_malformed" } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        x = fake_exchange();
        x->explaining = true;
        x->claims = rows[i].claims;
        assert_int_equal(weir_module.request(x, c), WEIR_REFUSED);
        assert_string_equal(x->reason, rows[i].want);
        fake_exchange_free(x);
    }
    /* A token whose keys are not here: all but the signature is checked, and it says so. Nothing is sent. */
    char *token = signer_evp(p256, NULL, "ES256", "{\"alg\":\"ES256\",\"kid\":\"e1\"}",
                             "{\"iss\":\"https://idp/\",\"aud\":\"orders\",\"exp\":1700000100,\"scope\":\"a\"}");
    x = bearer(token);
    x->explaining = true;
    assert_int_equal(weir_module.request(x, c), WEIR_CONTINUE);
    assert_non_null(strstr(x->note_detail, "signature not checked"));
    fake_exchange_free(x);
    free(token);
    token = signer_evp(p256, NULL, "ES256", "{\"alg\":\"ES256\"}",
                       "{\"iss\":\"https://idp/\",\"aud\":\"x\",\"exp\":1700000100}");
    x = bearer(token);
    x->explaining = true;
    assert_int_equal(weir_module.request(x, c), WEIR_REFUSED);
    assert_string_equal(x->reason, "jwt_bad_audience");
    fake_exchange_free(x);
    free(token);
    assert_int_equal(fake.n_fetches, 0);
}

static void
test_statuses_of_refusals(void **state)
{
    for (const struct weir_reason *r = weir_module.reasons; r->code; r++) {
        int want = strcmp(r->code, "jwt_claim_refused") == 0      ? 403
                   : strcmp(r->code, "jwt_keys_unavailable") == 0 ? 503
                                                                  : 401;
        assert_int_equal(r->status, want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reasons, setup, teardown),
        cmocka_unit_test_setup_teardown(test_authorization_header, setup, teardown),
        cmocka_unit_test_setup_teardown(test_configuration, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forward_and_variables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cache_honours_expiry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_algorithms_restrict, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_keys_is_503_not_401, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waiting_ends_after_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(test_several_sources, setup, teardown),
        cmocka_unit_test_setup_teardown(test_explain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_statuses_of_refusals, setup, teardown),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
