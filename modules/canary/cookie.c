#include "cookie.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAC_BYTES 16
#define MAC_TEXT 22 /* base64url of 16 bytes, unpadded */

struct cookie_signer {
    EVP_MAC_CTX *keyed; /* never used itself, only copied: workers share it */
    const char *name;
};

struct cookie_signer *
cookie_signer_new(const void *key, size_t n, const char *name)
{
    char sha256[] = "SHA256";
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
                            OSSL_PARAM_construct_end() };
    struct cookie_signer *s = calloc(1, sizeof(*s));
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (s && mac) {
        s->name = name;
        s->keyed = EVP_MAC_CTX_new(mac);
    }
    EVP_MAC_free(mac);
    if (s && s->keyed && EVP_MAC_init(s->keyed, key, n, params))
        return s;
    cookie_signer_free(s);
    return NULL;
}

void
cookie_signer_free(struct cookie_signer *s)
{
    if (!s)
        return;
    EVP_MAC_CTX_free(s->keyed);
    free(s);
}

static void
base64url(const unsigned char *in, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0, have = 0;
    for (unsigned i = 0; i < MAC_BYTES; i++) {
        bits = bits << 8 | in[i];
        for (have += 8; have >= 6; have -= 6)
            *out++ = digits[bits >> (have - 6) & 63];
    }
    *out = digits[bits << (6 - have) & 63];
}

static bool
sign(const struct cookie_signer *s, const char *p, size_t n, char out[MAC_TEXT])
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    size_t len = 0;
    EVP_MAC_CTX *c = EVP_MAC_CTX_dup(s->keyed);
    bool good = c && EVP_MAC_update(c, (const unsigned char *)s->name, strlen(s->name) + 1) &&
                EVP_MAC_update(c, (const unsigned char *)p, n) && EVP_MAC_final(c, mac, &len, sizeof(mac)) &&
                len >= MAC_BYTES;
    EVP_MAC_CTX_free(c);
    if (good)
        base64url(mac, out);
    return good;
}

size_t
cookie_make(const struct cookie_signer *s, struct weir_str variant, int64_t expires, uint32_t nonce,
            char out[COOKIE_VALUE])
{
    int n = snprintf(out, COOKIE_VALUE, "%.*s~%lld~%08x~", (int)variant.n, variant.p, (long long)expires, nonce);
    if (n < 0 || (size_t)n + MAC_TEXT > COOKIE_VALUE || !sign(s, out, (size_t)n, out + n))
        return 0;
    return (size_t)n + MAC_TEXT;
}

/* Digits alone, up to 12 of them; -1 otherwise. */
static int64_t
seconds_of(const char *p, size_t n)
{
    int64_t value = 0;
    if (n == 0 || n > 12)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        value = value * 10 + (p[i] - '0');
    }
    return value;
}

struct weir_str
cookie_read(const struct cookie_signer *s, struct weir_str value, int64_t now)
{
    const struct weir_str none = { NULL, 0 };
    char mac[MAC_TEXT];
    if (!value.p || value.n <= MAC_TEXT || value.n > COOKIE_VALUE)
        return none;
    size_t signed_n = value.n - MAC_TEXT;
    if (!sign(s, value.p, signed_n, mac) || CRYPTO_memcmp(mac, value.p + signed_n, MAC_TEXT) != 0)
        return none;
    /* Ours: its shape is what cookie_make wrote. */
    const char *variant_end = memchr(value.p, '~', signed_n);
    const char *expires_end =
        variant_end ? memchr(variant_end + 1, '~', signed_n - (size_t)(variant_end + 1 - value.p)) : NULL;
    if (!expires_end)
        return none;
    int64_t expires = seconds_of(variant_end + 1, (size_t)(expires_end - variant_end - 1));
    if (expires < 0 || (expires > 0 && expires <= now))
        return none;
    return (struct weir_str){ value.p, (size_t)(variant_end - value.p) };
}
