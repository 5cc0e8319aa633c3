/* tls_ctx: what the files of tls share: contexts as OpenSSL sees them. Those of tls.c serve both sides; tls_server.c
 * and tls_client.c make one side's each. */
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

struct tls_cert;
struct tls_tickets;
struct tls_name;

struct tls_server {
    atomic_uint refs;
    SSL_CTX **ctx; /* owned; the first serves names that no other one has */
    unsigned n;
    struct tls_name *names; /* sorted */
    unsigned n_names;
    struct tls_cert *certs; /* in the order of the pairs */
    unsigned n_certs;
    bool h2;                     /* offered by ALPN */
    struct tls_tickets *tickets; /* NULL: sessions are not taken up again */
    int64_t crl_end;             /* seconds since 1970; 0: there is no list of revoked certificates, or no end of it */
    char crl_lacks[120];         /* an authority without one; "": all have one, or none is needed */
};

struct tls_client {
    atomic_uint refs;
    SSL_CTX *ctx; /* owned */
    uint64_t identity;
    bool verify, resume;
};

/* The newest reason in OpenSSL's queue in words, without its file and line; empties the queue. */
const char *tls_reason(char *out, size_t n);
/* With everything that both sides have in common. NULL with *e and *part. */
SSL_CTX *tls_ctx_new(const SSL_METHOD *method, const struct tls_terms *terms, struct err *e, enum tls_part *part);
/* A regular file that can be read? A pipe would hold up whoever loads the configuration until somebody writes to it. */
bool tls_readable(const char *path, const char *what, struct err *e);

int64_t tls_time(const ASN1_TIME *t); /* seconds since 1970; 0: it is none */
/* Of what the file holds, whatever its path: a new CA under the old path is another identity. path NULL: no file. */
uint64_t tls_hash_file(uint64_t h, const char *path);

/* tls_conn.c: what connections want to hear from a client's context: verification and new sessions. */
void tls_conn_prepare_client(struct tls_client *t);

#endif
