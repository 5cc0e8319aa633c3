#include "tls_cert.h"
#include "tls_crl.h"

#include "../base/grant.h"
#include "../base/hash.h"
#include "../base/xalloc.h"

#include <stdlib.h>

/* In ALPN's wire form: a length and a name. */
static void
offer_protocols(SSL_CTX *ctx, unsigned alpn)
{
    static const unsigned char names[] = "\x02h2\x08http/1.1";
    unsigned from = alpn & TLS_ALPN_H2 ? 0 : 3, to = alpn == TLS_ALPN_H2 ? 3 : sizeof(names) - 1;

    SSL_CTX_set_alpn_protos(ctx, names + from, to - from);
}

static int
load_ca(SSL_CTX *ctx, const char *ca, struct err *e)
{
    char why[160], room[GRANT_NAME_MAX];

    if (ca && !tls_readable(ca, "CA file", e))
        return -1;
    if (ca ? SSL_CTX_load_verify_file(ctx, grant_name(ca, room)) == 1 : SSL_CTX_set_default_verify_paths(ctx) == 1) {
        ERR_clear_error();
        return 0;
    }
    return err_set(e, ERR_TLS, "%s: no CA certificates in PEM form (%s)", ca ? ca : "the system's CA store",
                   tls_reason(why, sizeof(why)));
}

static int
load_own(SSL_CTX *ctx, const struct tls_pair *pair, struct err *e)
{
    struct tls_cert cert;
    char why[160];
    int ok;

    if (tls_cert_load(&cert, pair, e) < 0)
        return -1;
    ok = tls_cert_use(&cert, ctx);
    tls_cert_fini(&cert);
    if (ok == 0)
        return 0;
    return err_set(e, ERR_TLS, "%s: OpenSSL refuses it: %s", pair->certificate, tls_reason(why, sizeof(why)));
}

static uint64_t
identity_of(const struct tls_client_conf *c)
{
    uint64_t h = hash_mix(c->verify ? 1 : 2, c->terms.protocols | c->alpn << 8);

    for (unsigned i = 0; i < c->terms.n_ciphers; i++)
        h = hash_mix(h, hash_stable(slice_str(c->terms.ciphers[i])));
    h = hash_mix(h, hash_stable(slice_str(c->terms.curves)));
    h = tls_hash_file(h, c->ca);
    h = tls_hash_file(h, c->crl);
    h = tls_hash_file(h, c->pair ? c->pair->certificate : NULL);
    return h ? h : 1;
}

struct tls_client *
tls_client_new(const struct tls_client_conf *c, struct err *e, enum tls_part *part)
{
    SSL_CTX *ctx = tls_ctx_new(TLS_client_method(), &c->terms, e, part);
    struct tls_client *t;
    int64_t crl_end;

    if (!ctx)
        return NULL;
    *part = TLS_PART_CA;
    if (load_ca(ctx, c->ca, e) < 0)
        goto fail;
    *part = TLS_PART_CRL;
    if (c->crl && tls_crl_load(SSL_CTX_get_cert_store(ctx), c->crl, &crl_end, e) < 0)
        goto fail;
    *part = TLS_PART_CERTIFICATE;
    if (c->pair && load_own(ctx, c->pair, e) < 0)
        goto fail;
    *part = TLS_PART_NONE;
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    offer_protocols(ctx, c->alpn);
    t = xcalloc(1, sizeof(*t));
    t->refs = 1;
    t->ctx = ctx;
    t->verify = c->verify;
    t->resume = c->resume;
    t->identity = identity_of(c);
    tls_conn_prepare_client(t);
    return t;
fail:
    SSL_CTX_free(ctx);
    return NULL;
}

uint64_t
tls_client_identity(const struct tls_client *t)
{
    return t->identity;
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
