/* signer: makes keys and tokens for tests. All texts are the caller's to free. */
#ifndef SIGNER_H
#define SIGNER_H

#include <openssl/evp.h>

char *signer_base64url(const void *p, size_t n);
/* By libjwt, for what it can: HS*, RS*, ES*. key: a private key's PEM, or the secret. payload: a JSON object. kid may
 * be NULL. */
char *signer_libjwt(const char *alg, const char *key, const char *kid, const char *payload);
/* By EVP, for any header and payload. secret: for HS*, else NULL. */
char *signer_evp(EVP_PKEY *key, const char *secret, const char *alg, const char *header, const char *payload);
char *signer_pem(EVP_PKEY *key, int private_part);
/* A JWK of the public part; kid, alg and more (",\"use\":\"sig\"") may be NULL. */
char *signer_jwk(EVP_PKEY *key, const char *kid, const char *alg, const char *more);

#endif
