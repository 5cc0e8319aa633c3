/* tls_cert: a certificate with its chain and its key, as loaded from files, and the host names it is for. */
#ifndef NET_TLS_CERT_H
#define NET_TLS_CERT_H

#include "tls_ctx.h"

#define TLS_KEY_TYPES 5

struct tls_cert {
    X509 *leaf;
    STACK_OF(X509) *chain; /* without the leaf */
    EVP_PKEY *key;
    unsigned type; /* of the key: below TLS_KEY_TYPES; a context holds one certificate of each */
    char **names;  /* lower-case; owned */
    unsigned n_names;
    int64_t expiry;        /* seconds since 1970 */
    unsigned char *staple; /* DER of an OCSP response; NULL: none */
    size_t staple_n;
    int64_t staple_end;    /* it is not given out after that */
    bool used;
};

/* 0, or -1 with *e, and nothing to free. */
int tls_cert_load(struct tls_cert *c, const struct tls_pair *p, struct err *e);
/* The certificate and what follows it in the file alone, to be ended by fini in any case. */
int tls_cert_load_chain(struct tls_cert *c, const char *path, struct err *e);
void tls_cert_fini(struct tls_cert *c);
int tls_cert_use(const struct tls_cert *c, SSL_CTX *ctx); /* 0, or -1: the reason is in OpenSSL's queue */

#endif
