/*
 * keys: verification keys, each bound to the algorithms it may verify, and immutable sets of them with a reference
 * count. Made from a JWK set (RFC 7517), a PEM file, or a shared secret.
 */
#ifndef KEYS_H
#define KEYS_H

#include "alg.h"

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdbool.h>

#define KEYS_MAX 100       /* of one set */
#define KEYS_TEXT_MAX (1024 * 1024)
#define KEYS_RSA_MIN 2048  /* bits, RFC 7518 3.3 */

struct key {
    char *kid;             /* NULL: it has none, and fits every token of its algorithms */
    uint32_t algs;
    EVP_PKEY *pkey;        /* NULL: a secret */
    unsigned char *secret;
    size_t secret_n;
};

struct keyset {
    _Atomic unsigned refs;
    unsigned n;
    unsigned skipped;      /* members of a JWK set that could not be used */
    struct key *keys[KEYS_MAX];
};

struct keyset *keyset_new(void);
struct keyset *keyset_hold(struct keyset *s);
void keyset_put(struct keyset *s); /* NULL is allowed */

/* A JWK set, or a single JWK. Members that are not for signatures, of unknown kinds, or too weak are skipped. secrets:
 * whether symmetric keys are taken (never from a network). NULL with *error (static text): no JSON, too big, or without
 * one key that can be used. */
struct keyset *keyset_parse(const char *text, size_t n, bool secrets, const char **error);

/* Adds one key; kid may be NULL. mask == 0: all that the key can do. 0, or -1 with *error (static text). */
int keyset_add_pem(struct keyset *s, const char *text, size_t n, uint32_t mask, const char *kid, const char **error);
int keyset_add_pkey(struct keyset *s, EVP_PKEY *pkey, uint32_t mask, const char *kid,
                    const char **error); /* takes pkey over */
int keyset_add_secret(struct keyset *s, const char *text, size_t n, uint32_t mask, const char *kid, const char **error);

enum keys_match {
    KEYS_FOUND,
    KEYS_UNKNOWN,      /* none with this kid */
    KEYS_OTHER_ALG     /* there is one, but not for this algorithm */
};
/* Candidates for a token: up to `max` keys of the set for algorithm `alg` whose kid is this one (NULL: any) or that
 * have none. */
enum keys_match keyset_match(const struct keyset *s, int alg, const char *kid, const struct key **out, unsigned max,
                             unsigned *n);

#endif
