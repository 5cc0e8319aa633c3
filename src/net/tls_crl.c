#include "tls_crl.h"

#include "../base/grant.h"

#include <openssl/pem.h>

static int
add(X509_STORE *store, X509_CRL *crl, int64_t *end)
{
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    int64_t until = next ? tls_time(next) : 0;
    int ok = X509_STORE_add_crl(store, crl);

    X509_CRL_free(crl);
    if (until && (!*end || until < *end))
        *end = until;
    return ok == 1 ? 0 : -1;
}

/* How many there were; -1: what followed is none. */
static int
read_lists(X509_STORE *store, BIO *b, int64_t *end)
{
    X509_CRL *crl;
    int n = 0;

    for (; (crl = PEM_read_bio_X509_CRL(b, NULL, NULL, NULL)); n++)
        if (add(store, crl, end) < 0)
            return -1;
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return -1;
    ERR_clear_error(); /* the end of the file, or no PEM at all */
    if (n > 0)
        return n;
    if (BIO_seek(b, 0) < 0 || !(crl = d2i_X509_CRL_bio(b, NULL)))
        return -1;
    return add(store, crl, end) < 0 ? -1 : 1;
}

int
tls_crl_load(X509_STORE *store, const char *path, int64_t *end, struct err *e)
{
    char why[160], room[GRANT_NAME_MAX];
    BIO *b;
    int n;

    *end = 0;
    ERR_clear_error();
    if (!tls_readable(path, "list of revoked certificates", e))
        return -1;
    b = BIO_new_file(grant_name(path, room), "r");
    n = b ? read_lists(store, b, end) : -1;
    BIO_free(b);
    if (n < 0)
        return err_set(e, ERR_TLS, "%s: not lists of revoked certificates in PEM form, nor one in DER form (%s)", path,
                       tls_reason(why, sizeof(why)));
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return 0;
}

static bool
has_list_of(const STACK_OF(X509_OBJECT) *all, const X509_NAME *name)
{
    for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
        const X509_CRL *crl = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(all, i));

        if (crl && X509_NAME_cmp(X509_CRL_get_issuer(crl), name) == 0)
            return true;
    }
    return false;
}

bool
tls_crl_lacks(X509_STORE *store, char *out, size_t n)
{
    const STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(store);

    for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
        const X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));

        if (!ca || has_list_of(all, X509_get_subject_name(ca)))
            continue;
        X509_NAME_oneline(X509_get_subject_name(ca), out, (int)n);
        return true;
    }
    return false;
}
