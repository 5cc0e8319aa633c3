#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "claims.h"

#include <string.h>

static struct weir_str
str(const char *s)
{
    return (struct weir_str){ s, strlen(s) };
}

static json_t *
json(const char *text)
{
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    return o;
}

/* The reason these rules refuse the claims for; "" : none. */
static const char *
check(const struct claims_rules *r, const char *claims, int64_t now, bool assumed)
{
    json_t *o = json(claims);
    struct claims_refusal refusal = claims_check(r, o, now, assumed);
    json_decref(o);
    return refusal.reason ? refusal.reason : "";
}

static void
test_times(void **state)
{
    const struct claims_rules r = { .leeway_s = 60, .require_exp = true };
    assert_string_equal(check(&r, "{\"exp\":1000}", 1059, false), "");
    assert_string_equal(check(&r, "{\"exp\":1000}", 1060, false), "jwt_expired");
    assert_string_equal(check(&r, "{\"exp\":0}", 1000, false), "jwt_expired");
    assert_string_equal(check(&r, "{\"exp\":-5}", 1000, false), "jwt_expired");
    assert_string_equal(check(&r, "{\"exp\":5000,\"nbf\":1000}", 940, false), "");
    assert_string_equal(check(&r, "{\"exp\":5000,\"nbf\":1000}", 939, false), "jwt_not_yet_valid");
    assert_string_equal(check(&r, "{}", 1, false), "jwt_malformed");
    const struct claims_rules off = { .leeway_s = 0 };
    assert_string_equal(check(&off, "{}", 1, false), "");
    assert_string_equal(check(&off, "{\"exp\":1}", 1, false), "jwt_expired");
}

static void
test_issuer_and_audience(void **state)
{
    struct weir_str iss[] = { str("https://idp/"), str("https://old/") }, aud[] = { str("orders"), str("billing") };
    const struct claims_rules r = { .issuers = iss, .n_issuers = 2, .audiences = aud, .n_audiences = 2 };
    assert_string_equal(check(&r, "{\"iss\":\"https://old/\",\"aud\":\"billing\"}", 1, false), "");
    assert_string_equal(check(&r, "{\"iss\":\"https://idp/\",\"aud\":[\"x\",\"orders\"]}", 1, false), "");
    assert_string_equal(check(&r, "{\"iss\":\"https://idp\",\"aud\":\"orders\"}", 1, false), "jwt_bad_issuer");
    assert_string_equal(check(&r, "{\"aud\":\"orders\"}", 1, false), "jwt_bad_issuer");
    assert_string_equal(check(&r, "{\"iss\":\"https://idp/\",\"aud\":\"order\"}", 1, false), "jwt_bad_audience");
    assert_string_equal(check(&r, "{\"iss\":\"https://idp/\",\"aud\":\"orders billing\"}", 1, false),
                        "jwt_bad_audience");
    assert_string_equal(check(&r, "{\"iss\":\"https://idp/\",\"aud\":[]}", 1, false), "jwt_bad_audience");
    assert_string_equal(check(&r, "{\"iss\":\"https://idp/\"}", 1, false), "jwt_bad_audience");
    /* Assumed claims are held to what they say, not to what they leave out. */
    assert_string_equal(check(&r, "{\"sub\":\"u\"}", 1, true), "");
    assert_string_equal(check(&r, "{\"aud\":\"other\"}", 1, true), "jwt_bad_audience");
    assert_string_equal(check(&r, "{\"exp\":1}", 100, true), "jwt_expired");
}

static const char *
require(bool any, const char *name, const char *a, const char *b, const char *claims)
{
    struct weir_str values[2] = { str(a), str(b ? b : "") };
    struct claims_require q = { .name = name, .any = any, .values = values, .n = b ? 2 : 1 };
    const struct claims_rules r = { .requires = &q };
    return check(&r, claims, 1, false);
}

static void
test_require(void **state)
{
    static const struct {
        const char *want;
        bool any;
        const char *name, *a, *b, *claims;
    } rows[] = {
        { "", false, "scope", "orders:read", NULL, "{\"scope\":\"a orders:read b\"}" },
        { "jwt_claim_refused", false, "scope", "orders", NULL, "{\"scope\":\"orders:read\"}" },
        { "jwt_claim_refused", false, "scope", "orders:read", NULL, "{}" },
        { "jwt_claim_refused", false, "scope", "orders:read", NULL, "{\"scope\":\"\"}" },
        { "", false, "scope", "a", "b", "{\"scope\":\"b  a\"}" },
        { "jwt_claim_refused", false, "scope", "a", "b", "{\"scope\":\"a\"}" },
        { "", true, "scope", "a", "b", "{\"scope\":\"b\"}" },
        { "jwt_claim_refused", true, "scope", "a", "b", "{\"scope\":\"c\"}" },
        { "", false, "roles", "a", "b", "{\"roles\":[\"b\",\"x\",\"a\"]}" },
        { "jwt_claim_refused", false, "roles", "a", NULL, "{\"roles\":[\"a b\"]}" }, /* members whole, not by words */
        { "", false, "roles", "7", NULL, "{\"roles\":[5,7]}" },
        { "", false, "level", "7", NULL, "{\"level\":7}" },
        { "", false, "level", "0.1", NULL, "{\"level\":0.1}" },
        { "", false, "admin", "true", NULL, "{\"admin\":true}" },
        { "jwt_claim_refused", false, "admin", "true", NULL, "{\"admin\":false}" },
        { "jwt_claim_refused", false, "admin", "null", NULL, "{\"admin\":null}" },
        { "jwt_claim_refused", false, "admin", "x", NULL, "{\"admin\":{\"x\":1}}" },
        { "", false, "realm.roles", "a", NULL, "{\"realm\":{\"roles\":[\"a\"]}}" },
        { "", false, "https://x.y/roles", "a", NULL, "{\"https://x.y/roles\":\"a\"}" },
        { "", false, "name", "John Smith", NULL, "{\"name\":\"John Smith\"}" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(require(rows[i].any, rows[i].name, rows[i].a, rows[i].b, rows[i].claims), rows[i].want);
}

static void
test_text(void **state)
{
    static const struct {
        const char *name, *want; /* NULL: absent */
    } rows[] = {
        { "s", "text" },     { "i", "-12" },       { "r", "1.5" },     { "big", "9007199254740993" },
        { "t", "true" },     { "f", "false" },     { "n", NULL },      { "o", NULL },
        { "a", "x 1 true" }, { "e", "" },          { "o.in", "deep" }, { "o.deeper.still", "yes" },
        { "a.b", "dotted" }, { "a.b.c", "mixed" }, { "o.none", NULL }, { "none", NULL },
        { "", NULL },        { ".", NULL },        { "o.", NULL },     { "s.x", NULL },
        { "tenth", "0.1" },
    };
    json_t *o = json(
        "{\"s\":\"text\",\"i\":-12,\"r\":1.5,\"big\":9007199254740993,\"t\":true,\"f\":false,\"n\":null,\"tenth\":0.1,"
        "\"a\":[\"x\",1,{},null,true,[2]],\"e\":[],\"o\":{\"in\":\"deep\",\"deeper\":{\"still\":\"yes\"}},\"a.b\":"
        "\"dotted\","
        "\"a.b.c\":\"mixed\"}");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[64];
        long n = claim_text(claim_find(o, rows[i].name), out, sizeof(out));
        if (!rows[i].want) {
            assert_int_equal(n, -1);
            continue;
        }
        assert_int_equal(n, (long)strlen(rows[i].want));
        assert_memory_equal(out, rows[i].want, (size_t)n);
    }
    char small[4] = "###";
    assert_int_equal(claim_text(claim_find(o, "s"), small, 2), 4);
    assert_string_equal(small, "te#");
    json_decref(o);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_issuer_and_audience),
        cmocka_unit_test(test_require),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
