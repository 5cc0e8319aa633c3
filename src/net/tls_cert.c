#include "tls_cert.h"

#include "../base/grant.h"
#include "../base/xalloc.h"

#include <ctype.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#define STAPLE_MAX 16384u /* an answer for one certificate has some 500 to 2,500 bytes */

/* ------------------------------------------------------------------ key */

struct asked {
    struct slice password;
    bool at_all;
};

/* Nobody sits at a terminal: what was not given cannot be asked for. */
static int
on_password(char *buf, int size, int writing, void *arg)
{
    struct asked *a = arg;

    (void)writing;
    a->at_all = true;
    if (!a->password.p || a->password.n > (size_t)size)
        return -1;
    memcpy(buf, a->password.p, a->password.n);
    return (int)a->password.n;
}

static int
load_key(struct tls_cert *c, const struct tls_pair *p, struct err *e)
{
    struct asked asked = { .password = p->password };
    char why[160], room[GRANT_NAME_MAX];
    BIO *b = BIO_new_file(grant_name(p->key, room), "r");

    c->key = b ? PEM_read_bio_PrivateKey(b, NULL, on_password, &asked) : NULL;
    BIO_free(b);
    if (!c->key && asked.at_all) {
        ERR_clear_error();
        if (!p->password.p)
            return err_set(e, ERR_TLS, "%s: the key is encrypted, and no passphrase is given: password=${file:FILE}",
                           p->key);
        return err_set(e, ERR_TLS, "%s: the passphrase does not open the key", p->key);
    }
    if (!c->key)
        return err_set(e, ERR_TLS, "%s: not a private key in PEM form (%s)", p->key, tls_reason(why, sizeof(why)));
    if (X509_check_private_key(c->leaf, c->key) == 1)
        return 0;
    ERR_clear_error();
    return err_set(e, ERR_TLS, "%s: the key does not belong to the certificate %s", p->key, p->certificate);
}

static int
key_type(const EVP_PKEY *key, unsigned *type)
{
    static const int types[TLS_KEY_TYPES] = { EVP_PKEY_RSA, EVP_PKEY_EC, EVP_PKEY_ED25519, EVP_PKEY_RSA_PSS,
                                              EVP_PKEY_ED448 };

    for (*type = 0; *type < TLS_KEY_TYPES; ++*type)
        if (EVP_PKEY_get_base_id(key) == types[*type])
            return 0;
    return -1;
}

/* ------------------------------------------------------------------ names */

static void
add_name(struct tls_cert *c, const ASN1_STRING *s)
{
    const char *p = (const char *)ASN1_STRING_get0_data(s);
    size_t n = (size_t)ASN1_STRING_length(s);
    char *name;

    if (n == 0 || n > 253)
        return;
    for (size_t i = 0; i < n; i++)
        if (!isgraph((unsigned char)p[i]))
            return;
    name = xstrndup(p, n);
    for (char *q = name; *q; q++)
        *q = (char)tolower((unsigned char)*q);
    c->names = xrealloc(c->names, (c->n_names + 1) * sizeof(*c->names));
    c->names[c->n_names++] = name;
}

/* RFC 9525 6.3: a common name is no host name where there are alternative names. */
static void
read_names(struct tls_cert *c)
{
    GENERAL_NAMES *alternatives = X509_get_ext_d2i(c->leaf, NID_subject_alt_name, NULL, NULL);
    const X509_NAME *subject = X509_get_subject_name(c->leaf);
    int at;

    for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(alternatives, i);

        if (g->type == GEN_DNS)
            add_name(c, g->d.dNSName);
    }
    if (!alternatives && (at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1)) >= 0)
        add_name(c, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    GENERAL_NAMES_free(alternatives);
    ERR_clear_error();
}

/* ------------------------------------------------------------------ certificate */

int
tls_cert_load_chain(struct tls_cert *c, const char *path, struct err *e)
{
    char why[160], room[GRANT_NAME_MAX];
    X509 *x;
    BIO *b;

    ERR_clear_error();
    if (!tls_readable(path, "certificate", e))
        return -1;
    b = BIO_new_file(grant_name(path, room), "r");
    c->leaf = b ? PEM_read_bio_X509_AUX(b, NULL, NULL, NULL) : NULL;
    if (!c->leaf) {
        BIO_free(b);
        return err_set(e, ERR_TLS, "%s: not a certificate in PEM form (%s)", path, tls_reason(why, sizeof(why)));
    }
    c->chain = sk_X509_new_null();
    while ((x = PEM_read_bio_X509(b, NULL, NULL, NULL)))
        if (!sk_X509_push(c->chain, x))
            xalloc_fail();
    BIO_free(b);
    /* The end of the file is no mistake; what looks like a certificate and is none is. */
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return err_set(e, ERR_TLS, "%s: certificate %d of its chain is not in PEM form (%s)", path,
                       sk_X509_num(c->chain) + 2, tls_reason(why, sizeof(why)));
    ERR_clear_error();
    return 0;
}

/* ------------------------------------------------------------------ OCSP */

/* What the response says of this certificate; NULL: nothing. */
static OCSP_SINGLERESP *
answer_for(const struct tls_cert *c, OCSP_BASICRESP *basic)
{
    ASN1_INTEGER *serial;

    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);

        if (OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single)) == 1 &&
            ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(c->leaf)) == 0)
            return single;
    }
    return NULL;
}

static int
check_staple(struct tls_cert *c, const char *path, OCSP_RESPONSE *r, struct err *e)
{
    OCSP_BASICRESP *basic = NULL;
    OCSP_SINGLERESP *single = NULL;
    ASN1_GENERALIZEDTIME *next = NULL;
    int status = -1;

    if (OCSP_response_status(r) == OCSP_RESPONSE_STATUS_SUCCESSFUL && (basic = OCSP_response_get1_basic(r)))
        single = answer_for(c, basic);
    if (single)
        status = OCSP_single_get0_status(single, NULL, NULL, NULL, &next);
    /* Without an end it is as good as the certificate. */
    c->staple_end = next ? tls_time(next) : c->expiry;
    OCSP_BASICRESP_free(basic);
    ERR_clear_error();
    if (!single)
        return err_set(e, ERR_TLS, "%s: the OCSP response does not speak of the certificate", path);
    if (status != V_OCSP_CERTSTATUS_GOOD)
        return err_set(e, ERR_TLS, "%s: the OCSP response does not call the certificate good", path);
    return 0;
}

static int
load_staple(struct tls_cert *c, const char *path, struct err *e)
{
    char room[GRANT_NAME_MAX];
    unsigned char der[STAPLE_MAX + 1];
    const unsigned char *p = der;
    OCSP_RESPONSE *r = NULL;
    FILE *f;
    int rc;

    if (!tls_readable(path, "OCSP response", e))
        return -1;
    f = fopen(grant_name(path, room), "re");
    if (!f)
        return err_errno(e, "%s: the OCSP response cannot be read", path);
    c->staple_n = fread(der, 1, sizeof(der), f);
    fclose(f);
    if (c->staple_n <= STAPLE_MAX)
        r = d2i_OCSP_RESPONSE(NULL, &p, (long)c->staple_n);
    if (!r) {
        ERR_clear_error();
        return err_set(e, ERR_TLS, "%s: not an OCSP response in DER form of at most %u bytes", path, STAPLE_MAX);
    }
    rc = check_staple(c, path, r, e);
    OCSP_RESPONSE_free(r);
    if (rc < 0)
        return -1;
    c->staple = xmalloc(c->staple_n);
    memcpy(c->staple, der, c->staple_n);
    return 0;
}

int
tls_cert_load(struct tls_cert *c, const struct tls_pair *p, struct err *e)
{
    *c = (struct tls_cert){ 0 };
    if (tls_cert_load_chain(c, p->certificate, e) < 0 || !tls_readable(p->key, "key", e) || load_key(c, p, e) < 0)
        goto fail;
    if (key_type(c->key, &c->type) < 0) {
        err_set(e, ERR_TLS, "%s: a key of this kind cannot be used for TLS: RSA, ECDSA, Ed25519 or Ed448", p->key);
        goto fail;
    }
    read_names(c);
    c->expiry = tls_time(X509_get0_notAfter(c->leaf));
    if (p->ocsp && load_staple(c, p->ocsp, e) < 0)
        goto fail;
    return 0;
fail:
    tls_cert_fini(c);
    return -1;
}

void
tls_cert_fini(struct tls_cert *c)
{
    for (unsigned i = 0; i < c->n_names; i++)
        free(c->names[i]);
    free(c->names);
    free(c->staple);
    X509_free(c->leaf);
    sk_X509_pop_free(c->chain, X509_free);
    EVP_PKEY_free(c->key);
    *c = (struct tls_cert){ 0 };
}

int
tls_cert_use(const struct tls_cert *c, SSL_CTX *ctx)
{
    return SSL_CTX_use_cert_and_key(ctx, c->leaf, c->key, c->chain, 1) == 1 ? 0 : -1;
}
