/* tls_lab: a certificate authority for tests: keys and certificates made afresh, written as PEM files into a directory
 * of their own. */
#ifndef TLS_LAB_H
#define TLS_LAB_H

#define ERR_STATE openssl_err_state /* a deprecated type of OpenSSL has the name of one of our constants */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include "../../../src/net/tls.h"
#include "netlab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lab_cert {
    X509 *x509;
    EVP_PKEY *key;
    char cert_file[128], key_file[128];
};

static char lab_dir[64];

static inline void
lab_dir_make(void)
{
    snprintf(lab_dir, sizeof(lab_dir), "/tmp/test_tls.XXXXXX");
    assert_non_null(mkdtemp(lab_dir));
}

static inline void
lab_add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(ext);
    assert_int_equal(X509_add_ext(x, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

/* `san` as in "DNS:a.test,IP:127.0.0.1"; NULL: a CA. issuer NULL: self-signed. Valid from a day ago for `days` days
 * from now. */
static inline void
lab_cert_make(struct lab_cert *c, const char *name, const char *san, const struct lab_cert *issuer, int days)
{
    static long serial;
    FILE *f;

    c->key = EVP_EC_gen("P-256");
    c->x509 = X509_new();
    X509_set_version(c->x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c->x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(c->x509), -10 * 86400L);
    X509_gmtime_adj(X509_getm_notAfter(c->x509), days * 86400L);
    X509_set_pubkey(c->x509, c->key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c->x509), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
                               0);
    X509_set_issuer_name(c->x509, X509_get_subject_name(issuer ? issuer->x509 : c->x509));
    lab_add_extension(c->x509, NID_basic_constraints, san ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (san)
        lab_add_extension(c->x509, NID_subject_alt_name, san);
    assert_true(X509_sign(c->x509, issuer ? issuer->key : c->key, EVP_sha256()) > 0);
    snprintf(c->cert_file, sizeof(c->cert_file), "%s/%s.crt", lab_dir, name);
    snprintf(c->key_file, sizeof(c->key_file), "%s/%s.key", lab_dir, name);
    assert_non_null(f = fopen(c->cert_file, "w"));
    assert_int_equal(PEM_write_X509(f, c->x509), 1);
    fclose(f);
    assert_non_null(f = fopen(c->key_file, "w"));
    assert_int_equal(PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
}

static inline void
lab_cert_drop(struct lab_cert *c)
{
    unlink(c->cert_file);
    unlink(c->key_file);
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
}

/* A server with the certificates of `certs`. */
static inline struct tls_server *
lab_server(const struct lab_cert *const *certs, unsigned n, struct err *e)
{
    struct tls_pair pairs[8] = { { 0 } };
    struct tls_server_conf c = { .pairs = pairs, .n_pairs = n };
    enum tls_part part;
    unsigned pair;

    for (unsigned i = 0; i < n; i++)
        pairs[i] = (struct tls_pair){ .certificate = certs[i]->cert_file, .key = certs[i]->key_file };
    return tls_server_new(&c, e, &part, &pair);
}

static inline struct tls_server *
lab_server_one(const char *certificate, const char *key, struct err *e)
{
    struct tls_pair pair = { .certificate = certificate, .key = key };
    struct tls_server_conf c = { .pairs = &pair, .n_pairs = 1 };
    enum tls_part part;
    unsigned at;

    return tls_server_new(&c, e, &part, &at);
}

static inline struct tls_client *
lab_client(const char *ca, bool verify, struct err *e)
{
    struct tls_client_conf c = { .ca = ca, .verify = verify };
    enum tls_part part;

    return tls_client_new(&c, e, &part);
}

#endif
