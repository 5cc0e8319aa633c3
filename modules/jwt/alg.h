/*
 * alg: the signature algorithms of JWS (RFC 7518 3.1, RFC 8037 3.1) as one table. `none` is not among them. A set of
 * algorithms is a bit mask, so that what a key may verify, what a policy allows, and what a token asks for meet in one
 * AND.
 */
#ifndef ALG_H
#define ALG_H

#include <stddef.h>
#include <stdint.h>

enum alg_kind { ALG_HMAC, ALG_RSA, ALG_PSS, ALG_ECDSA, ALG_EDDSA };

struct alg {
    const char *name;
    enum alg_kind kind;
    const char *digest;  /* as the crypto library calls it; NULL: the algorithm has its own */
    const char *group;   /* ECDSA: the one curve it goes with */
    unsigned size;       /* bytes: of the digest, or for ECDSA of one of the two numbers */
};

#define ALG_COUNT 13
#define ALG_CHOICES "RS256|RS384|RS512|PS256|PS384|PS512|ES256|ES384|ES512|EdDSA|HS256|HS384|HS512"
#define ALG_BIT(i) (UINT32_C(1) << (i))

extern const struct alg algs[ALG_COUNT];

/* Index of a name; -1: no such algorithm. */
int alg_find(const char *name, size_t n);
/* All algorithms of a kind. */
uint32_t alg_mask(enum alg_kind kind);

#endif
