#include "client_cert.h"

#include "../base/xalloc.h"
#include "addr.h"
#include "tls_cert.h"
#include "tls_peer.h"

#include <ctype.h>
#include <stdlib.h>

#define SANS_MAX 64            /* further ones are not looked at */
#define CHAIN_MAX (16u * 1024) /* of the text for a chain: a longer one is not told of */

/* ------------------------------------------------------------------ text */

static struct slice
own(const char *p, size_t n)
{
    return slice_of(xstrndup(p, n), n);
}

static struct slice
hex(const unsigned char *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *out = xmalloc(2 * n + 1);

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = '\0';
    return slice_of(out, 2 * n);
}

/* Control bytes and bytes beyond ASCII are escaped. */
static struct slice
name_text(const X509_NAME *name)
{
    BIO *b = BIO_new(BIO_s_mem());
    struct slice text = SLICE_NONE;
    char *p;
    long n;

    if (b && X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253) >= 0 && (n = BIO_get_mem_data(b, &p)) >= 0)
        text = own(n ? p : "", (size_t)n);
    BIO_free(b);
    return text.p ? text : own("", 0);
}

/* A byte sequence as RFC 8941 3.3.5 writes it. */
static struct slice
sequence(const X509 *x)
{
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    char *out;
    size_t len;

    if (n <= 0)
        return SLICE_NONE;
    out = xmalloc((size_t)(n + 2) / 3 * 4 + 3);
    out[0] = ':';
    len = 1 + (size_t)EVP_EncodeBlock((unsigned char *)out + 1, der, n);
    out[len++] = ':';
    out[len] = '\0';
    OPENSSL_free(der);
    return slice_of(out, len);
}

/* ------------------------------------------------------------------ parts */

static void
add_san(struct client_cert *c, enum client_san_kind kind, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isgraph((unsigned char)p[i]))
            return; /* no name, address or URI has such bytes: it would be a way to look like another */
    if (n && c->n_sans < SANS_MAX)
        c->sans[c->n_sans++] = (struct client_san){ kind, own(p, n) };
}

static void
add_ip(struct client_cert *c, const ASN1_OCTET_STRING *s)
{
    struct addr a = { 0 };
    char text[ADDR_TEXT_MAX];
    const unsigned char *p = ASN1_STRING_get0_data(s);

    if (ASN1_STRING_length(s) == 4) {
        a.len = sizeof(a.u.in);
        a.u.in.sin_family = AF_INET;
        memcpy(&a.u.in.sin_addr, p, 4);
    } else if (ASN1_STRING_length(s) == 16) {
        a.len = sizeof(a.u.in6);
        a.u.in6.sin6_family = AF_INET6;
        memcpy(&a.u.in6.sin6_addr, p, 16);
    } else {
        return;
    }
    add_san(c, CLIENT_SAN_IP, text, addr_format_ip(&a, text));
}

static void
read_sans(struct client_cert *c, const X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int n = sk_GENERAL_NAME_num(names);

    c->sans = xcalloc(n > 0 ? (size_t)(n < SANS_MAX ? n : SANS_MAX) : 1, sizeof(*c->sans));
    for (int i = 0; i < n; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        enum client_san_kind kind = g->type == GEN_DNS   ? CLIENT_SAN_DNS
                                    : g->type == GEN_URI ? CLIENT_SAN_URI
                                                         : CLIENT_SAN_EMAIL;

        if (g->type == GEN_IPADD)
            add_ip(c, g->d.iPAddress);
        else if (g->type == GEN_DNS || g->type == GEN_URI || g->type == GEN_EMAIL)
            add_san(c, kind, (const char *)ASN1_STRING_get0_data(g->d.ia5), (size_t)ASN1_STRING_length(g->d.ia5));
    }
    GENERAL_NAMES_free(names);
}

static void
read_chain(struct client_cert *c, const STACK_OF(X509) *chain)
{
    char *out = NULL;
    size_t n = 0;

    for (int i = 0; i < sk_X509_num(chain); i++) {
        struct slice one = sequence(sk_X509_value(chain, i));

        if (!one.n || n + one.n + 2 > CHAIN_MAX) {
            free((void *)one.p);
            free(out);
            return;
        }
        out = xrealloc(out, n + one.n + 3);
        if (n) {
            memcpy(out + n, ", ", 2);
            n += 2;
        }
        memcpy(out + n, one.p, one.n);
        n += one.n;
        free((void *)one.p);
    }
    c->chain = slice_of(out, n);
}

struct client_cert *
client_cert_new(const X509 *x, const STACK_OF(X509) *chain)
{
    struct client_cert *c = xcalloc(1, sizeof(*c));
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    c->refs = 1;
    c->subject = name_text(X509_get_subject_name(x));
    c->issuer = name_text(X509_get_issuer_name(x));
    c->serial = hex(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));
    X509_digest(x, EVP_sha256(), digest, &n);
    c->fingerprint = hex(digest, n);
    read_sans(c, x);
    c->header = sequence(x);
    read_chain(c, chain);
    ERR_clear_error();
    return c;
}

struct client_cert *
client_cert_load(const char *path, struct err *e)
{
    struct client_cert *c = NULL;
    struct tls_cert cert = { 0 };

    if (tls_cert_load_chain(&cert, path, e) == 0)
        c = client_cert_new(cert.leaf, cert.chain);
    tls_cert_fini(&cert);
    return c;
}

/* ------------------------------------------------------------------ life */

void
client_cert_hold(const struct client_cert *c)
{
    ((struct client_cert *)c)->refs++;
}

void
client_cert_put(const struct client_cert *shared)
{
    struct client_cert *c = (struct client_cert *)shared;

    if (!c || --c->refs)
        return;
    for (unsigned i = 0; i < c->n_sans; i++)
        free((void *)c->sans[i].value.p);
    free(c->sans);
    free((void *)c->subject.p);
    free((void *)c->issuer.p);
    free((void *)c->serial.p);
    free((void *)c->fingerprint.p);
    free((void *)c->header.p);
    free((void *)c->chain.p);
    free(c);
}
