#include "signer.h"

#include <jwt.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *
signer_base64url(const void *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *text = malloc(n * 4 / 3 + 4), *out = text;
    unsigned bits = 0, have = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | ((const unsigned char *)p)[i];
        for (have += 8; have >= 6; have -= 6)
            *out++ = digits[bits >> (have - 6) & 63];
    }
    if (have)
        *out++ = digits[bits << (6 - have) & 63];
    *out = '\0';
    return text;
}

char *
signer_libjwt(const char *alg, const char *key, const char *kid, const char *payload)
{
    jwt_t *jwt = NULL;
    if (jwt_new(&jwt) != 0 || jwt_add_grants_json(jwt, payload) != 0 ||
        jwt_set_alg(jwt, jwt_str_alg(alg), (const unsigned char *)key, (int)strlen(key)) != 0 ||
        (kid && jwt_add_header(jwt, "kid", kid) != 0))
        abort();
    char *token = jwt_encode_str(jwt);
    jwt_free(jwt);
    return token;
}

static size_t
ecdsa_raw(EVP_PKEY *key, unsigned char *sig, size_t n)
{
    const unsigned char *p = sig;
    int size = (EVP_PKEY_get_bits(key) + 7) / 8;
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)n);
    BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, size);
    BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + size, size);
    ECDSA_SIG_free(s);
    return (size_t)size * 2;
}

static size_t
sign(EVP_PKEY *key, const char *secret, const char *alg, const char *input, unsigned char *sig, size_t room)
{
    char digest[8];
    EVP_PKEY_CTX *pctx;
    size_t n = room;
    snprintf(digest, sizeof(digest), "SHA%s", alg + 2);
    const EVP_MD *md = strcmp(alg, "EdDSA") == 0 ? NULL : EVP_get_digestbyname(digest);
    if (secret) {
        unsigned len = 0;
        HMAC(md, secret, (int)strlen(secret), (const unsigned char *)input, strlen(input), sig, &len);
        return len;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (EVP_DigestSignInit(ctx, &pctx, md, NULL, key) != 1)
        abort();
    if (alg[0] == 'P' && (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) <= 0 ||
                          EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) <= 0))
        abort();
    if (EVP_DigestSign(ctx, sig, &n, (const unsigned char *)input, strlen(input)) != 1)
        abort();
    EVP_MD_CTX_free(ctx);
    return alg[0] == 'E' && alg[1] == 'S' ? ecdsa_raw(key, sig, n) : n;
}

char *
signer_evp(EVP_PKEY *key, const char *secret, const char *alg, const char *header, const char *payload)
{
    unsigned char sig[4096];
    char *h = signer_base64url(header, strlen(header)), *p = signer_base64url(payload, strlen(payload));
    char *token = malloc(strlen(h) + strlen(p) + 6000);
    sprintf(token, "%s.%s", h, p);
    size_t n = sign(key, secret, alg, token, sig, sizeof(sig));
    char *s = signer_base64url(sig, n);
    strcat(token, ".");
    strcat(token, s);
    free(h);
    free(p);
    free(s);
    return token;
}

char *
signer_pem(EVP_PKEY *key, int private_part)
{
    char *p;
    BIO *bio = BIO_new(BIO_s_mem());
    if (private_part)
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    else
        PEM_write_bio_PUBKEY(bio, key);
    long n = BIO_get_mem_data(bio, &p);
    char *text = strndup(p, (size_t)n);
    BIO_free(bio);
    return text;
}

static char *
number_member(EVP_PKEY *key, const char *param, int size)
{
    BIGNUM *bn = NULL;
    unsigned char buf[2048];
    if (EVP_PKEY_get_bn_param(key, param, &bn) != 1)
        abort();
    int n = size ? BN_bn2binpad(bn, buf, size) : BN_bn2bin(bn, buf);
    BN_free(bn);
    return signer_base64url(buf, (size_t)n);
}

char *
signer_jwk(EVP_PKEY *key, const char *kid, const char *alg, const char *more)
{
    char tail[512] = "", *text = malloc(8192), *a, *b = NULL;
    if (kid)
        snprintf(tail, sizeof(tail), ",\"kid\":\"%s\"", kid);
    if (alg)
        snprintf(tail + strlen(tail), sizeof(tail) - strlen(tail), ",\"alg\":\"%s\"", alg);
    if (more)
        snprintf(tail + strlen(tail), sizeof(tail) - strlen(tail), "%s", more);
    int size = (EVP_PKEY_get_bits(key) + 7) / 8;
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
        a = number_member(key, OSSL_PKEY_PARAM_RSA_N, 0);
        b = number_member(key, OSSL_PKEY_PARAM_RSA_E, 0);
        sprintf(text, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", a, b, tail);
    } else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
        a = number_member(key, OSSL_PKEY_PARAM_EC_PUB_X, size);
        b = number_member(key, OSSL_PKEY_PARAM_EC_PUB_Y, size);
        sprintf(text, "{\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\",\"y\":\"%s\"%s}", EVP_PKEY_get_bits(key), a, b,
                tail);
    } else {
        unsigned char raw[64];
        size_t n = sizeof(raw);
        EVP_PKEY_get_raw_public_key(key, raw, &n);
        a = signer_base64url(raw, n);
        sprintf(text, "{\"kty\":\"OKP\",\"crv\":\"%s\",\"x\":\"%s\"%s}", n == 32 ? "Ed25519" : "Ed448", a, tail);
    }
    free(a);
    free(b);
    return text;
}
