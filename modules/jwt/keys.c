#include "keys.h"
#include "base64url.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

static void
key_free(struct key *k)
{
    EVP_PKEY_free(k->pkey);
    if (k->secret)
        OPENSSL_cleanse(k->secret, k->secret_n);
    free(k->secret);
    free(k->kid);
    free(k);
}

struct keyset *
keyset_new(void)
{
    struct keyset *s = calloc(1, sizeof(*s));
    if (s)
        atomic_init(&s->refs, 1);
    return s;
}

struct keyset *
keyset_hold(struct keyset *s)
{
    if (s)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void
keyset_put(struct keyset *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < s->n; i++)
        key_free(s->keys[i]);
    free(s);
}

/* What a public key can verify by its own nature; 0: nothing, or it is too weak. */
static uint32_t
algs_of_pkey(const EVP_PKEY *pkey)
{
    char group[64];
    uint32_t mask = 0;
    switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_RSA:
        return EVP_PKEY_get_bits(pkey) >= KEYS_RSA_MIN ? alg_mask(ALG_RSA) | alg_mask(ALG_PSS) : 0;
    case EVP_PKEY_RSA_PSS:
        return EVP_PKEY_get_bits(pkey) >= KEYS_RSA_MIN ? alg_mask(ALG_PSS) : 0;
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
        return alg_mask(ALG_EDDSA);
    case EVP_PKEY_EC:
        if (!EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL))
            return 0;
        for (int i = 0; i < ALG_COUNT; i++) {
            if (algs[i].kind == ALG_ECDSA && strcmp(algs[i].group, group) == 0)
                mask |= ALG_BIT(i);
        }
        return mask;
    default:
        return 0;
    }
}

/* Takes over pkey and secret, also when it fails. */
static int
add_key(struct keyset *s, struct key new, const char *kid, const char **error)
{
    struct key *k = malloc(sizeof(*k));
    char *name = kid ? strdup(kid) : NULL;
    if (k && s->n < KEYS_MAX && (!kid || name)) {
        *k = new;
        k->kid = name;
        s->keys[s->n++] = k;
        return 0;
    }
    *error = s->n < KEYS_MAX ? "out of memory" : "more than 100 keys";
    free(k);
    free(name);
    EVP_PKEY_free(new.pkey);
    free(new.secret);
    return -1;
}

int
keyset_add_pkey(struct keyset *s, EVP_PKEY *pkey, uint32_t mask, const char *kid, const char **error)
{
    uint32_t can = algs_of_pkey(pkey);
    uint32_t fits = mask ? can & mask : can;
    if (fits != 0)
        return add_key(s, (struct key){ .pkey = pkey, .algs = fits }, kid, error);
    if (can != 0)
        *error = "the key is of another kind than its algorithm";
    else
        *error = "a key of this kind or size cannot be used (RSA needs 2048 bits; EC P-256, P-384 or P-521; Ed25519 or "
                 "Ed448)";
    EVP_PKEY_free(pkey);
    return -1;
}

/* A passphrase is never asked for. */
static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
    return -1;
}

static EVP_PKEY *
read_pem(const char *text, size_t n)
{
    EVP_PKEY *pkey = NULL;
    BIO *bio = BIO_new_mem_buf(text, (int)n);
    if (!bio)
        return NULL;
    pkey = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    if (!pkey) {
        (void)BIO_reset(bio);
        X509 *cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        if (cert)
            pkey = X509_get_pubkey(cert);
        X509_free(cert);
    }
    BIO_free(bio);
    ERR_clear_error();
    return pkey;
}

int
keyset_add_pem(struct keyset *s, const char *text, size_t n, uint32_t mask, const char *kid, const char **error)
{
    EVP_PKEY *pkey = n < KEYS_TEXT_MAX ? read_pem(text, n) : NULL;
    if (pkey)
        return keyset_add_pkey(s, pkey, mask, kid, error);
    *error = "not a public key or certificate in PEM form";
    return -1;
}

int
keyset_add_secret(struct keyset *s, const char *text, size_t n, uint32_t mask, const char *kid, const char **error)
{
    uint32_t can = alg_mask(ALG_HMAC);
    struct key k = { .algs = mask ? mask & can : can, .secret_n = n };
    if (k.algs == 0 || n == 0) {
        *error = n == 0 ? "the secret is empty" : "a secret goes with HS256, HS384 or HS512";
        return -1;
    }
    k.secret = malloc(n);
    if (!k.secret) {
        *error = "out of memory";
        return -1;
    }
    memcpy(k.secret, text, n);
    return add_key(s, k, kid, error);
}

enum keys_match
keyset_match(const struct keyset *s, int alg, const char *kid, const struct key **out, unsigned max, unsigned *n)
{
    enum keys_match match = KEYS_UNKNOWN;
    *n = 0;
    for (unsigned i = 0; i < s->n; i++) {
        const struct key *k = s->keys[i];
        if (kid && k->kid && strcmp(kid, k->kid) != 0)
            continue;
        if (!(k->algs & ALG_BIT(alg))) {
            /* A key without a name is nobody's in particular: it does not make a kid known. */
            if (match == KEYS_UNKNOWN && (!kid || k->kid))
                match = KEYS_OTHER_ALG;
            continue;
        }
        match = KEYS_FOUND;
        if (*n < max)
            out[(*n)++] = k;
    }
    return match;
}
