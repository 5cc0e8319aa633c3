/* tls_ctx: what tls.c and tls_conn.c share: contexts as OpenSSL sees them. */
#ifndef NET_TLS_CTX_H
#define NET_TLS_CTX_H

#include "tls.h"

#include <stdatomic.h>

/* OpenSSL has a deprecated type of the name of one of our error kinds. */
#define ERR_STATE openssl_err_state
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

struct tls_server {
    atomic_uint refs;
    SSL_CTX **ctx; /* owned; the first serves names that no other one has */
    unsigned n;
};

struct tls_client {
    atomic_uint refs;
    SSL_CTX *ctx; /* owned */
    bool verify;
};

/* The newest reason in OpenSSL's queue in words, without its file and line; empties the queue. */
const char *tls_reason(char *out, size_t n);

#endif
