#include "tls_cert.h"
#include "tls_crl.h"
#include "tls_ticket.h"

#include "../base/clock.h"
#include "../base/grant.h"
#include "../base/hash.h"
#include "../base/xalloc.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ALPN's wire form, a length and a name each: the first is offered where it is wanted. */
static const unsigned char alpn[] = "\x02h2\x08http/1.1\x08http/1.0";
#define ALPN_H2_SIZE 3

/* ------------------------------------------------------------------ names */

/* Who serves a name: of each key type the first certificate that has it. */
struct choice {
    unsigned cert[TLS_KEY_TYPES]; /* number + 1; 0: none */
};

struct tls_name {
    const char *name; /* of a certificate */
    unsigned cert;    /* while they are sorted */
    SSL_CTX *ctx;
};

static int
compare_names(const void *a, const void *b)
{
    const struct tls_name *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : (int)x->cert - (int)y->cert;
}

static int
compare_to_name(const void *key, const void *member)
{
    return strcmp(key, ((const struct tls_name *)member)->name);
}

/* Exact names come before wildcards, which stand for one label (RFC 9525 6.3). NULL: nobody has it. */
static SSL_CTX *
ctx_for(const struct tls_server *t, const char *asked)
{
    char name[256];
    size_t n = strlen(asked);
    const struct tls_name *found;
    char *dot;

    if (n >= sizeof(name))
        return NULL;
    for (size_t i = 0; i <= n; i++)
        name[i] = (char)(asked[i] >= 'A' && asked[i] <= 'Z' ? asked[i] | 0x20 : asked[i]);
    found = bsearch(name, t->names, t->n_names, sizeof(*t->names), compare_to_name);
    dot = strchr(name, '.');
    if (!found && dot && dot > name) {
        *--dot = '*';
        found = bsearch(dot, t->names, t->n_names, sizeof(*t->names), compare_to_name);
    }
    return found ? found->ctx : NULL;
}

static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
    const struct tls_server *t = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *ctx = name ? ctx_for(t, name) : NULL;

    (void)alert;
    if (!ctx)
        return SSL_TLSEXT_ERR_NOACK; /* the first certificate: the client decides whether it will do */
    if (ctx != t->ctx[0])
        SSL_set_SSL_CTX(ssl, ctx);
    return SSL_TLSEXT_ERR_OK;
}

/* ------------------------------------------------------------------ building */

/* RFC 7301: a client that offers ALPN but nothing that weir speaks is told so. */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in, unsigned in_n, void *arg)
{
    const struct tls_server *t = arg;
    unsigned skip = t->h2 ? 0 : ALPN_H2_SIZE;
    unsigned char *chosen;

    if (SSL_select_next_proto(&chosen, out_n, alpn + skip, (unsigned)sizeof(alpn) - 1 - skip, in, in_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* RFC 6066 8. While it is asked, OpenSSL's current certificate is the one that was chosen for this client. */
static int
on_status(SSL *ssl, void *arg)
{
    const struct tls_server *t = arg;
    const X509 *chosen = SSL_get_certificate(ssl);
    unsigned char *copy;

    for (unsigned i = 0; i < t->n_certs; i++) {
        const struct tls_cert *c = &t->certs[i];

        if (c->leaf != chosen || !c->staple || c->staple_end < clock_wall() / NSEC_PER_SEC)
            continue;
        copy = OPENSSL_memdup(c->staple, c->staple_n);
        if (!copy)
            break;
        SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)c->staple_n);
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/* While a server is built. */
struct building {
    struct tls_server *t;
    const struct tls_server_conf *conf;
    struct choice *choices; /* of each context */
    X509_STORE *clients;    /* who signs clients; NULL: they are not asked */
    STACK_OF(X509_NAME) *client_names;
    struct err *e;
    enum tls_part *part;
    unsigned *pair;
};

/* A session is bound to what would have been asked of its client here: one that another listener gave out, or that was
 * given out under another CA or before the newest list of revoked clients, is none. */
static void
set_scope(SSL_CTX *ctx, const struct tls_server_conf *c)
{
    unsigned char id[EVP_MAX_MD_SIZE];
    char text[128];
    unsigned n = 0;
    uint64_t trust = tls_hash_file(tls_hash_file(0, c->client_ca), c->client_crl);
    int len = snprintf(text, sizeof(text), "%d %016llx %.*s", (int)c->client_verify, (unsigned long long)trust,
                       (int)(c->scope.n < 64 ? c->scope.n : 64), c->scope.p ? c->scope.p : "");

    if (EVP_Digest(text, (size_t)len, id, &n, EVP_sha256(), NULL) != 1)
        n = 0;
    SSL_CTX_set_session_id_context(ctx, id, n < SSL_MAX_SID_CTX_LENGTH ? n : SSL_MAX_SID_CTX_LENGTH);
}

/* Once for all contexts. */
static int
load_client_ca(struct building *b)
{
    const char *path = b->conf->client_ca;
    char why[160], room[GRANT_NAME_MAX];

    if (b->conf->client_verify == TLS_CLIENT_UNASKED)
        return 0;
    *b->part = TLS_PART_CLIENT_CA;
    *b->pair = 0;
    if (!tls_readable(path, "CA file", b->e))
        return -1;
    b->clients = X509_STORE_new();
    b->client_names = SSL_load_client_CA_file(grant_name(path, room));
    if (b->clients && b->client_names && X509_STORE_load_file(b->clients, grant_name(path, room)) == 1) {
        ERR_clear_error();
        return 0;
    }
    return err_set(b->e, ERR_TLS, "%s: no CA certificates in PEM form (%s)", path, tls_reason(why, sizeof(why)));
}

static int
load_client_crl(struct building *b)
{
    if (b->conf->client_verify == TLS_CLIENT_UNASKED || !b->conf->client_crl)
        return 0;
    *b->part = TLS_PART_CLIENT_CRL;
    *b->pair = 0;
    if (tls_crl_load(b->clients, b->conf->client_crl, &b->t->crl_end, b->e) < 0)
        return -1;
    tls_crl_lacks(b->clients, b->t->crl_lacks, sizeof(b->t->crl_lacks));
    return 0;
}

static void
set_clients(const struct building *b, SSL_CTX *ctx)
{
    int mode = SSL_VERIFY_PEER;

    if (b->conf->client_verify == TLS_CLIENT_UNASKED)
        return;
    if (b->conf->client_verify == TLS_CLIENT_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set1_cert_store(ctx, b->clients);
    SSL_CTX_set_client_CA_list(ctx, SSL_dup_CA_list(b->client_names));
    SSL_CTX_set_verify(ctx, mode, NULL);
}

static SSL_CTX *
server_ctx(struct building *b, const struct choice *choice)
{
    SSL_CTX *ctx = tls_ctx_new(TLS_server_method(), &b->conf->terms, b->e, b->part);
    char why[160];

    if (!ctx)
        return NULL;
    for (unsigned i = 0; i < TLS_KEY_TYPES; i++) {
        if (!choice->cert[i])
            continue;
        *b->pair = choice->cert[i] - 1;
        b->t->certs[*b->pair].used = true;
        if (tls_cert_use(&b->t->certs[*b->pair], ctx) == 0)
            continue;
        *b->part = TLS_PART_CERTIFICATE;
        err_set(b->e, ERR_TLS, "%s: OpenSSL refuses it: %s", b->conf->pairs[*b->pair].certificate,
                tls_reason(why, sizeof(why)));
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_NO_AUTO_CHAIN); /* what the file holds is sent, and nothing of those who sign clients */
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, b->t);
    set_clients(b, ctx);
    set_scope(ctx, b->conf);
    /* Resumption by tickets alone: no memory per client. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_tlsext_status_cb(ctx, on_status);
    SSL_CTX_set_tlsext_status_arg(ctx, b->t);
    if (b->conf->terms.own_order)
        SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    if (b->t->tickets) {
        tls_tickets_use(b->t, ctx, b->conf->ticket_lifetime);
    } else {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
    }
    return ctx;
}

/* The context of these certificates; made when it is the first that needs them. */
static SSL_CTX *
ctx_of_choice(struct building *b, const struct choice *choice)
{
    struct tls_server *t = b->t;
    SSL_CTX *ctx;

    for (unsigned i = 0; i < t->n; i++)
        if (b->choices && memcmp(&b->choices[i], choice, sizeof(*choice)) == 0)
            return t->ctx[i];
    ctx = server_ctx(b, choice);
    if (!ctx)
        return NULL;
    t->ctx = xrealloc(t->ctx, (t->n + 1) * sizeof(*t->ctx));
    b->choices = xrealloc(b->choices, (t->n + 1) * sizeof(*b->choices));
    b->choices[t->n] = *choice;
    t->ctx[t->n++] = ctx;
    return ctx;
}

static void
choice_add(const struct tls_server *t, struct choice *c, unsigned cert)
{
    if (!c->cert[t->certs[cert].type])
        c->cert[t->certs[cert].type] = cert + 1;
}

/* Sorted, each once: the first of equal ones stands for all. */
static int
build_names(struct building *b)
{
    struct tls_server *t = b->t;
    unsigned n = 0, kept = 0;

    for (unsigned i = 0; i < t->n_certs; i++)
        n += t->certs[i].n_names;
    t->names = xcalloc(n ? n : 1, sizeof(*t->names));
    for (unsigned i = 0, at = 0; i < t->n_certs; i++)
        for (unsigned k = 0; k < t->certs[i].n_names; k++)
            t->names[at++] = (struct tls_name){ t->certs[i].names[k], i, NULL };
    qsort(t->names, n, sizeof(*t->names), compare_names);
    for (unsigned i = 0, end; i < n; i = end) {
        struct choice choice = { { 0 } };

        for (end = i; end < n && strcmp(t->names[end].name, t->names[i].name) == 0; end++)
            choice_add(t, &choice, t->names[end].cert);
        t->names[kept] = t->names[i];
        t->names[kept].ctx = ctx_of_choice(b, &choice);
        if (!t->names[kept++].ctx)
            return -1;
    }
    t->n_names = kept;
    return 0;
}

/* Clients that name nobody get the first certificate, along with those that share its first name. */
static int
build_default(struct building *b)
{
    const struct tls_server *t = b->t;
    struct choice choice = { { 0 } };

    choice_add(t, &choice, 0);
    for (unsigned i = 1; t->certs[0].n_names && i < t->n_certs; i++)
        for (unsigned k = 0; k < t->certs[i].n_names; k++)
            if (strcmp(t->certs[i].names[k], t->certs[0].names[0]) == 0)
                choice_add(t, &choice, i);
    return ctx_of_choice(b, &choice) ? 0 : -1;
}

static int
load_tickets(struct building *b)
{
    *b->part = TLS_PART_TICKETS;
    *b->pair = 0;
    if (!b->conf->no_tickets)
        b->t->tickets = tls_tickets_get(b->conf->ticket_keys, b->e);
    return b->t->tickets || b->conf->no_tickets ? 0 : -1;
}

static int
load_certs(struct building *b)
{
    struct tls_server *t = b->t;

    t->certs = xcalloc(b->conf->n_pairs, sizeof(*t->certs));
    for (unsigned i = 0; i < b->conf->n_pairs; i++) {
        *b->pair = i;
        *b->part = TLS_PART_CERTIFICATE;
        if (tls_cert_load(&t->certs[i], &b->conf->pairs[i], b->e) < 0)
            return -1;
        t->n_certs++;
    }
    return 0;
}

struct tls_server *
tls_server_new(const struct tls_server_conf *c, struct err *e, enum tls_part *part, unsigned *pair)
{
    struct building b = { .t = xcalloc(1, sizeof(*b.t)), .conf = c, .e = e, .part = part, .pair = pair };
    struct tls_server *t = b.t;
    bool good;

    assert(c->n_pairs);
    t->refs = 1;
    good = load_client_ca(&b) == 0 && load_client_crl(&b) == 0 && load_tickets(&b) == 0 && load_certs(&b) == 0 &&
           build_default(&b) == 0 && build_names(&b) == 0;
    free(b.choices);
    X509_STORE_free(b.clients);
    sk_X509_NAME_pop_free(b.client_names, X509_NAME_free);
    if (!good) {
        tls_server_put(t);
        return NULL;
    }
    *part = TLS_PART_NONE;
    SSL_CTX_set_tlsext_servername_callback(t->ctx[0], on_server_name);
    SSL_CTX_set_tlsext_servername_arg(t->ctx[0], t);
    return t;
}

void
tls_server_offer_h2(struct tls_server *t)
{
    t->h2 = true;
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
    for (unsigned i = 0; i < t->n_certs; i++)
        tls_cert_fini(&t->certs[i]);
    tls_tickets_put(t->tickets);
    free(t->certs);
    free(t->names);
    free(t->ctx);
    free(t);
}

bool
tls_server_uses(const struct tls_server *t, unsigned pair)
{
    return t->certs[pair].used;
}

int64_t
tls_server_expiry(const struct tls_server *t, unsigned pair)
{
    return t->certs[pair].expiry;
}

int64_t
tls_server_staple_end(const struct tls_server *t, unsigned pair)
{
    return t->certs[pair].staple_end;
}

int64_t
tls_server_crl_end(const struct tls_server *t)
{
    return t->crl_end;
}

const char *
tls_server_crl_lacks(const struct tls_server *t)
{
    return t->crl_lacks;
}
