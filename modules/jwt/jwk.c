/* jwk: JSON Web Keys (RFC 7517, 7518 6, 8037 2) to keys of a set. */
#include "base64url.h"
#include "keys.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#define MEMBER_MAX 2048 /* bytes of one decoded number: RSA of 16384 bits */

struct octets {
    unsigned char p[BASE64URL_ROOM(MEMBER_MAX * 4 / 3)];
    size_t n;
};

static bool
octets_of(const json_t *jwk, const char *member, struct octets *out)
{
    const json_t *v = json_object_get(jwk, member);
    size_t n = json_string_length(v);
    if (n == 0 || n > MEMBER_MAX * 4 / 3)
        return false;
    ssize_t got = base64url_decode(json_string_value(v), n, out->p);
    out->n = got > 0 ? (size_t)got : 0;
    return got > 0;
}

static EVP_PKEY *
pkey_from(const char *type, OSSL_PARAM_BLD *bld)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1)
        (void)EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

static EVP_PKEY *
rsa_of(const json_t *jwk)
{
    struct octets n, e;
    if (!octets_of(jwk, "n", &n) || !octets_of(jwk, "e", &e) || e.n > 8)
        return NULL;
    EVP_PKEY *pkey = NULL;
    BIGNUM *bn = BN_bin2bn(n.p, (int)n.n, NULL), *be = BN_bin2bn(e.p, (int)e.n, NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    /* An even exponent, or 1, verifies nothing. */
    if (bn && be && bld && BN_is_odd(be) && !BN_is_one(be) && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be))
        pkey = pkey_from("RSA", bld);
    OSSL_PARAM_BLD_free(bld);
    BN_free(bn);
    BN_free(be);
    return pkey;
}

static EVP_PKEY *
ec_of(const json_t *jwk)
{
    static const struct {
        const char *crv, *group;
        size_t size;
    } curves[] = { { "P-256", "prime256v1", 32 }, { "P-384", "secp384r1", 48 }, { "P-521", "secp521r1", 66 } };
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    struct octets x, y;
    unsigned char point[1 + 2 * 66];
    for (size_t i = 0; crv && i < sizeof(curves) / sizeof(curves[0]); i++) {
        size_t size = curves[i].size;
        if (strcmp(crv, curves[i].crv) != 0)
            continue;
        if (!octets_of(jwk, "x", &x) || !octets_of(jwk, "y", &y) || x.n != size || y.n != size)
            return NULL;
        point[0] = 4; /* uncompressed, SEC 1 2.3.3; the library checks that it is on the curve */
        memcpy(point + 1, x.p, size);
        memcpy(point + 1 + size, y.p, size);
        OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
        EVP_PKEY *pkey = NULL;
        if (bld && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, curves[i].group, 0) &&
            OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size))
            pkey = pkey_from("EC", bld);
        OSSL_PARAM_BLD_free(bld);
        return pkey;
    }
    return NULL;
}

static EVP_PKEY *
okp_of(const json_t *jwk)
{
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    struct octets x;
    if (!crv || (strcmp(crv, "Ed25519") != 0 && strcmp(crv, "Ed448") != 0) || !octets_of(jwk, "x", &x))
        return NULL;
    return EVP_PKEY_new_raw_public_key(strcmp(crv, "Ed448") == 0 ? EVP_PKEY_ED448 : EVP_PKEY_ED25519, NULL, x.p, x.n);
}

/* RFC 7517 4.2, 4.3: whether this key may verify signatures. */
static bool
for_signatures(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use"), *ops = json_object_get(jwk, "key_ops"), *op;
    size_t i;
    if (use && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
        return false;
    if (!ops)
        return true;
    json_array_foreach (ops, i, op) {
        if (json_is_string(op) && strcmp(json_string_value(op), "verify") == 0)
            return true;
    }
    return false;
}

static bool
add_public(struct keyset *s, EVP_PKEY *pkey, uint32_t wanted, const char *kid)
{
    const char *error;
    return pkey && keyset_add_pkey(s, pkey, wanted, kid, &error) == 0;
}

static bool
add_jwk(struct keyset *s, const json_t *jwk, bool secrets)
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    const json_t *kid = json_object_get(jwk, "kid"), *alg = json_object_get(jwk, "alg");
    uint32_t wanted = 0;
    if (!kty || !for_signatures(jwk) || (kid && !json_is_string(kid)))
        return false;
    if (alg) {
        int i = json_is_string(alg) ? alg_find(json_string_value(alg), json_string_length(alg)) : -1;
        if (i < 0)
            return false;
        wanted = ALG_BIT(i);
    }
    const char *name = json_string_value(kid);
    if (strcmp(kty, "RSA") == 0)
        return add_public(s, rsa_of(jwk), wanted, name);
    if (strcmp(kty, "EC") == 0)
        return add_public(s, ec_of(jwk), wanted, name);
    if (strcmp(kty, "OKP") == 0)
        return add_public(s, okp_of(jwk), wanted, name);
    struct octets k;
    const char *error;
    return strcmp(kty, "oct") == 0 && secrets && octets_of(jwk, "k", &k) &&
           keyset_add_secret(s, (const char *)k.p, k.n, wanted, name, &error) == 0;
}

struct keyset *
keyset_parse(const char *text, size_t n, bool secrets, const char **error)
{
    struct keyset *s = n <= KEYS_TEXT_MAX ? keyset_new() : NULL;
    json_t *root = s ? json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const json_t *keys = json_object_get(root, "keys"), *jwk;
    size_t i;
    *error = !s ? "larger than 1 MiB" : !root ? "not JSON" : "it has no key that can be used";
    if (json_is_array(keys) && json_array_size(keys) <= KEYS_MAX) {
        json_array_foreach (keys, i, jwk)
            s->skipped += !add_jwk(s, jwk, secrets);
    } else if (json_is_array(keys)) {
        *error = "it has more than 100 keys";
    } else if (json_object_get(root, "kty")) {
        s->skipped += !add_jwk(s, root, secrets);
    } else if (root) {
        *error = "it is not a JWK set (no \"keys\")";
    }
    json_decref(root);
    ERR_clear_error();
    if (s && s->n > 0)
        return s;
    keyset_put(s);
    return NULL;
}
