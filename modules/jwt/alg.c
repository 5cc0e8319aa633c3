#include "alg.h"

#include <string.h>

const struct alg algs[ALG_COUNT] = {
    { "RS256", ALG_RSA, "SHA256", NULL, 32 },           { "RS384", ALG_RSA, "SHA384", NULL, 48 },
    { "RS512", ALG_RSA, "SHA512", NULL, 64 },           { "PS256", ALG_PSS, "SHA256", NULL, 32 },
    { "PS384", ALG_PSS, "SHA384", NULL, 48 },           { "PS512", ALG_PSS, "SHA512", NULL, 64 },
    { "ES256", ALG_ECDSA, "SHA256", "prime256v1", 32 }, { "ES384", ALG_ECDSA, "SHA384", "secp384r1", 48 },
    { "ES512", ALG_ECDSA, "SHA512", "secp521r1", 66 },  { "EdDSA", ALG_EDDSA, NULL, NULL, 0 },
    { "HS256", ALG_HMAC, "SHA256", NULL, 32 },          { "HS384", ALG_HMAC, "SHA384", NULL, 48 },
    { "HS512", ALG_HMAC, "SHA512", NULL, 64 },
};

int
alg_find(const char *name, size_t n)
{
    for (int i = 0; i < ALG_COUNT; i++) {
        if (strlen(algs[i].name) == n && memcmp(algs[i].name, name, n) == 0)
            return i;
    }
    return -1;
}

uint32_t
alg_mask(enum alg_kind kind)
{
    uint32_t mask = 0;
    for (int i = 0; i < ALG_COUNT; i++) {
        if (algs[i].kind == kind)
            mask |= ALG_BIT(i);
    }
    return mask;
}
