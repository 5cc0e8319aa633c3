#include "config.h" /* _GNU_SOURCE: strerror_r */

#include "tls_ctx.h"

#include "../base/grant.h"
#include "../base/log.h"
#include "../base/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Mozilla's intermediate set for TLS 1.2, without finite-field DHE; TLS 1.3's suites are OpenSSL's own three. */
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
                              "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char groups[] = "X25519:P-256:P-384";

/* ALPN's wire form: a length and a name. */
static const unsigned char alpn_h1[] = "\x08http/1.1";
static const unsigned char alpn_server[] = "\x08http/1.1\x08http/1.0";

int
tls_init(void)
{
    return OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) == 1 ? 0 : -1;
}

const char *
tls_reason(char *out, size_t n)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    if (code && ERR_SYSTEM_ERROR(code))
        text = strerror_r(ERR_GET_REASON(code), out, n);
    snprintf(out, n, "%s", text ? text : "unknown TLS error");
    ERR_clear_error();
    return out;
}

/* Nobody sits at a terminal: a key under a passphrase cannot be used. */
static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
    *(bool *)arg = true;
    return -1;
}

static SSL_CTX *
ctx_new(const SSL_METHOD *method, struct err *e)
{
    char why[160];
    SSL_CTX *ctx;

    ERR_clear_error();
    ctx = SSL_CTX_new(method);
    if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) || !SSL_CTX_set_cipher_list(ctx, ciphers) ||
        !SSL_CTX_set1_groups_list(ctx, groups)) {
        err_set(e, ERR_TLS, "TLS cannot be set up: %s", tls_reason(why, sizeof(why)));
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1); /* one recv for a record instead of two */
    return ctx;
}

/* ------------------------------------------------------------------ server */

/* A pipe would hold up whoever loads the configuration until somebody writes to it. */
static bool
readable(const char *path, const char *what, struct err *e)
{
    struct stat st = { 0 };
    char room[GRANT_NAME_MAX];
    int fd = open(grant_name(path, room), O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) < 0)
        err_errno(e, "%s: the %s cannot be read", path, what);
    else if (!S_ISREG(st.st_mode))
        err_set(e, ERR_TLS, "%s: the %s is not a regular file", path, what);
    if (fd >= 0)
        close(fd);
    return S_ISREG(st.st_mode);
}

static int
load_key(SSL_CTX *ctx, const char *certificate, const char *key, struct err *e)
{
    bool asked = false;
    char why[160], room[GRANT_NAME_MAX];
    int ok;

    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
    ok = SSL_CTX_use_PrivateKey_file(ctx, grant_name(key, room), SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    SSL_CTX_set_default_passwd_cb(ctx, NULL);
    if (ok == 1 && SSL_CTX_check_private_key(ctx) == 1)
        return 0;
    if (asked) {
        ERR_clear_error();
        return err_set(e, ERR_TLS, "%s: the key is encrypted; store it without a passphrase, readable by weir alone",
                       key);
    }
    if (ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509) {
        ERR_clear_error();
        return err_set(e, ERR_TLS, "%s: the key does not belong to the certificate %s", key, certificate);
    }
    return err_set(e, ERR_TLS, "%s: not a private key in PEM form (%s)", key, tls_reason(why, sizeof(why)));
}

static SSL_CTX *
server_ctx(const char *certificate, const char *key, struct err *e)
{
    SSL_CTX *ctx;
    char why[160], room[GRANT_NAME_MAX];

    if (!readable(certificate, "certificate", e) || !readable(key, "key", e))
        return NULL;
    ctx = ctx_new(TLS_server_method(), e);
    if (!ctx)
        return NULL;
    if (SSL_CTX_use_certificate_chain_file(ctx, grant_name(certificate, room)) != 1) {
        err_set(e, ERR_TLS, "%s: not a certificate in PEM form (%s)", certificate, tls_reason(why, sizeof(why)));
        goto fail;
    }
    if (load_key(ctx, certificate, key, e) < 0)
        goto fail;
    if (X509_cmp_current_time(X509_get0_notAfter(SSL_CTX_get0_certificate(ctx))) < 0)
        log_warning("tls", "%s: the certificate has expired", certificate);
    /* Resumption by tickets alone: no memory per client. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    return ctx;
fail:
    SSL_CTX_free(ctx);
    return NULL;
}

/* RFC 7301: a client that offers ALPN but nothing that weir speaks is told so. */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in, unsigned in_n, void *arg)
{
    unsigned char *chosen;

    if (SSL_select_next_proto(&chosen, out_n, alpn_server, sizeof(alpn_server) - 1, in, in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool
serves(SSL_CTX *ctx, const char *name)
{
    return X509_check_host(SSL_CTX_get0_certificate(ctx), name, strlen(name), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                           NULL) == 1;
}

static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
    const struct tls_server *t = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    if (!name)
        return SSL_TLSEXT_ERR_NOACK;
    for (unsigned i = 0; i < t->n; i++) {
        if (!serves(t->ctx[i], name))
            continue;
        if (i)
            SSL_set_SSL_CTX(ssl, t->ctx[i]);
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK; /* the first certificate: the client decides whether it will do */
}

struct tls_server *
tls_server_new(const char *certificate, const char *key, struct err *e)
{
    SSL_CTX *ctx = server_ctx(certificate, key, e);
    struct tls_server *t;

    if (!ctx)
        return NULL;
    t = xcalloc(1, sizeof(*t));
    t->refs = 1;
    t->n = 1;
    t->ctx = xmalloc(sizeof(*t->ctx));
    t->ctx[0] = ctx;
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(ctx, t);
    return t;
}

int
tls_server_add(struct tls_server *t, const char *certificate, const char *key, struct err *e)
{
    SSL_CTX *ctx = server_ctx(certificate, key, e);

    if (!ctx)
        return -1;
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    t->ctx = xrealloc(t->ctx, (t->n + 1) * sizeof(*t->ctx));
    t->ctx[t->n++] = ctx;
    return 0;
}

void
tls_server_hold(struct tls_server *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
}

void
tls_server_put(struct tls_server *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < t->n; i++)
        SSL_CTX_free(t->ctx[i]);
    free(t->ctx);
    free(t);
}

/* ------------------------------------------------------------------ client */

struct tls_client *
tls_client_new(const char *ca, bool verify, struct err *e)
{
    SSL_CTX *ctx;
    struct tls_client *t;
    char why[160], room[GRANT_NAME_MAX];

    if (ca && !readable(ca, "CA file", e))
        return NULL;
    ctx = ctx_new(TLS_client_method(), e);
    if (!ctx)
        return NULL;
    if (ca ? SSL_CTX_load_verify_file(ctx, grant_name(ca, room)) != 1 : SSL_CTX_set_default_verify_paths(ctx) != 1) {
        err_set(e, ERR_TLS, "%s: no CA certificates in PEM form (%s)", ca ? ca : "the system's CA store",
                tls_reason(why, sizeof(why)));
        SSL_CTX_free(ctx);
        return NULL;
    }
    ERR_clear_error();
    SSL_CTX_set_verify(ctx, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_protos(ctx, alpn_h1, sizeof(alpn_h1) - 1);
    t = xcalloc(1, sizeof(*t));
    t->refs = 1;
    t->ctx = ctx;
    t->verify = verify;
    return t;
}

void
tls_client_hold(const struct tls_client *t)
{
    atomic_fetch_add_explicit(&((struct tls_client *)t)->refs, 1, memory_order_relaxed);
}

void
tls_client_put(const struct tls_client *shared)
{
    struct tls_client *t = (struct tls_client *)shared;

    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}
