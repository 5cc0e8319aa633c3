#include "config.h" /* _GNU_SOURCE */

/*
 * OpenSSL reads and writes through a BIO of weir's own that goes straight to the conn's socket: no SIGPIPE, no copy,
 * and the conn knows at each step whether it was the socket that said "not now".
 */
#include "tls_conn.h"

#include "../base/log.h"
#include "../base/xalloc.h"
#include "tcp.h"
#include "tls_pace.h"
#include "tls_peer.h"
#include "tls_session.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORD_MAX (16u * 1024)

struct tls_conn {
    SSL *ssl;
    struct tls_wait wait;            /* for its turn to shake hands */
    struct tls_server *server;       /* held, with */
    struct client_cert *cert;        /* the client's; NULL: none; or */
    const struct tls_client *client; /* held, with */
    char *name;                      /* what the server was to be called */
    char *refused;                   /* and what was wrong with its certificate; NULL: nothing */
    size_t sealed; /* bytes of a refused write that OpenSSL has already sealed: they come first again */
    bool read_wants_write, write_wants_read;
    bool more;           /* the socket may hold bytes: as c->ready says of a plain conn */
    bool fin;            /* the socket ended */
    bool notify_pending; /* close_notify did not fit into the socket yet */
    int sys;             /* errno of the socket, when it failed */
};

/* ------------------------------------------------------------------ BIO */

static int
bio_read(BIO *b, char *p, size_t n, size_t *got)
{
    struct conn *c = BIO_get_data(b);
    ssize_t r;

    c->ready |= CONN_READABLE;
    r = tcp_recv(c, p, n);
    c->tls->more = (c->ready & CONN_READABLE) != 0;
    BIO_clear_retry_flags(b);
    *got = r > 0 ? (size_t)r : 0;
    if (r > 0)
        return 1;
    if (r == CONN_AGAIN)
        BIO_set_retry_read(b);
    else if (r == CONN_EOF)
        c->tls->fin = true;
    else
        c->tls->sys = errno;
    return r == CONN_EOF ? 0 : -1;
}

static int
bio_write(BIO *b, const char *p, size_t n, size_t *sent)
{
    struct conn *c = BIO_get_data(b);
    struct iovec iov = { (void *)p, n };
    ssize_t r = tcp_send(c, &iov, 1);

    BIO_clear_retry_flags(b);
    *sent = r > 0 ? (size_t)r : 0;
    if (r > 0)
        return 1;
    if (r == CONN_AGAIN)
        BIO_set_retry_write(b);
    else
        c->tls->sys = errno;
    return -1;
}

static long
bio_ctrl(BIO *b, int cmd, long num, void *arg)
{
    struct conn *c = BIO_get_data(b);

    if (cmd == BIO_CTRL_FLUSH)
        return 1;
    return cmd == BIO_CTRL_EOF && c->tls->fin;
}

static BIO_METHOD *bio_method;

static void
bio_method_make(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir conn");
    assert(bio_method);
    BIO_meth_set_read_ex(bio_method, bio_read);
    BIO_meth_set_write_ex(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_ctrl);
}

static BIO *
bio_new(struct conn *c)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    BIO *b;

    pthread_once(&once, bio_method_make);
    b = BIO_new(bio_method);
    assert(b);
    BIO_set_data(b, c);
    BIO_set_init(b, 1);
    return b;
}

/* ------------------------------------------------------------------ errors */

static int
fail_tls(struct conn *c, const char *doing)
{
    struct tls_conn *t = c->tls;
    long verified = SSL_get_verify_result(t->ssl);
    char why[160], text[240];

    if (t->sys) {
        ERR_clear_error();
        return conn_fail(c, ERR_CLOSED, t->sys, doing);
    }
    if (t->client && !SSL_is_init_finished(t->ssl)) /* perhaps it was the old session that it did not like */
        tls_session_drop(&c->peer, t->name, t->client->identity);
    if (verified != X509_V_OK && t->server)
        log_info(conn_subject(c), "the client's certificate was refused: %s", X509_verify_cert_error_string(verified));
    if (verified != X509_V_OK && t->client && t->client->verify)
        snprintf(text, sizeof(text), TLS_REFUSED "%s%s%s", X509_verify_cert_error_string(verified),
                 t->refused ? "; " : "", t->refused ? t->refused : "");
    else if (t->fin)
        snprintf(text, sizeof(text), "%s: the peer closed the connection without ending TLS", doing);
    else
        snprintf(text, sizeof(text), "%s: %s", doing, tls_reason(why, sizeof(why)));
    ERR_clear_error();
    return conn_fail(c, t->fin && verified == X509_V_OK ? ERR_CLOSED : ERR_TLS, 0, text);
}

/* ------------------------------------------------------------------ operations */

/* A session that is resumed has its client's certificate in it, and ends with that (tls_ticket.h). */
static void
take_client_cert(struct tls_conn *t)
{
    const X509 *x = SSL_get0_peer_certificate(t->ssl);

    if (x)
        t->cert = client_cert_new(x, SSL_get_peer_cert_chain(t->ssl));
}

static int
shake_hands(struct conn *c)
{
    struct tls_conn *t = c->tls;
    int r, why;

    ERR_clear_error();
    r = SSL_do_handshake(t->ssl);
    if (r == 1) {
        if (t->server)
            take_client_cert(t);
        r = 0;
    } else if ((why = SSL_get_error(t->ssl, r)) == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        return CONN_AGAIN;
    } else {
        r = fail_tls(c, "TLS handshake");
    }
    tls_pace_count(t->server != NULL, r < 0 ? TLS_FAILED : SSL_session_reused(t->ssl) ? TLS_RESUMED : TLS_FULL);
    return r;
}

/* Those of clients are many and cost much: they take turns. */
static int
tls_handshake(struct conn *c)
{
    int r;

    if (!c->tls->server)
        return shake_hands(c);
    if (!tls_pace_begin(&c->tls->wait, c->watch.loop))
        return CONN_AGAIN;
    r = shake_hands(c);
    tls_pace_end();
    return r;
}

static void
on_turn(struct tls_wait *w)
{
    conn_go_on(w->conn);
}

static ssize_t
tls_read(struct conn *c, void *p, size_t n)
{
    struct tls_conn *t = c->tls;
    size_t got;
    int why;

    t->read_wants_write = false;
    ERR_clear_error();
    if (SSL_read_ex(t->ssl, p, n, &got) == 1) {
        if (t->more || SSL_has_pending(t->ssl))
            c->ready |= CONN_READABLE;
        else
            c->ready &= (unsigned char)~CONN_READABLE;
        return (ssize_t)got;
    }
    why = SSL_get_error(t->ssl, 0);
    if (why == SSL_ERROR_ZERO_RETURN) {
        c->eof = true;
        return CONN_EOF;
    }
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        return fail_tls(c, "TLS read");
    t->read_wants_write = why == SSL_ERROR_WANT_WRITE;
    c->ready &= (unsigned char)~CONN_READABLE;
    return CONN_AGAIN;
}

static ssize_t
tls_readv(struct conn *c, const struct iovec *iov, int n)
{
    return tls_read(c, iov->iov_base, iov->iov_len);
}

/* One record's worth from the front of iov: in place when the front is one large piece, else gathered. */
static const char *
gather(const struct iovec *iov, int n, char *room, size_t *len)
{
    *len = 0;
    for (int i = 0; i < n && *len < RECORD_MAX; i++) {
        size_t take = iov[i].iov_len < RECORD_MAX - *len ? iov[i].iov_len : RECORD_MAX - *len;

        if (*len == 0 && take && (take == RECORD_MAX || i == n - 1)) {
            *len = take;
            return iov[i].iov_base;
        }
        if (take)
            memcpy(room + *len, iov[i].iov_base, take);
        *len += take;
    }
    return room;
}

/* The socket takes nothing more. As on a plain conn, what the peer said before it went can still be read: OpenSSL reads
 * on after a write that failed below it, for its two directions have states of their own. */
static int
give_up_writing(struct conn *c)
{
    struct tls_conn *t = c->tls;

    ERR_clear_error();
    t->sys = 0; /* reading will find its own end */
    t->more = true;
    t->write_wants_read = false;
    c->write_failed = true;
    c->ready |= CONN_READABLE;
    c->blocked &= (unsigned char)~CONN_READABLE;
    return CONN_ERROR;
}

static ssize_t
tls_writev(struct conn *c, const struct iovec *iov, int n)
{
    static __thread char room[RECORD_MAX];
    struct tls_conn *t = c->tls;
    size_t len, sent;
    const char *p = gather(iov, n, room, &len);
    int why;

    if (c->write_failed)
        return CONN_ERROR;
    if (c->blocked & CONN_WRITABLE)
        return CONN_AGAIN;
    if (len < t->sealed)
        return conn_fail(c, ERR_STATE, 0, "TLS write: fewer bytes offered again than were refused");
    t->write_wants_read = false;
    ERR_clear_error();
    if (SSL_write_ex(t->ssl, p, len, &sent) == 1) {
        t->sealed = 0;
        return (ssize_t)sent;
    }
    why = SSL_get_error(t->ssl, 0);
    if (why == SSL_ERROR_SYSCALL && t->sys)
        return give_up_writing(c);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        return fail_tls(c, "TLS write");
    t->write_wants_read = why == SSL_ERROR_WANT_READ;
    t->sealed = len;
    c->ready &= (unsigned char)~CONN_WRITABLE;
    return CONN_AGAIN;
}

/* close_notify, then FIN. When the socket is full the notify waits for room: without it the peer would see a cut. */
static void
tls_shutdown(struct conn *c)
{
    struct tls_conn *t = c->tls;
    int r;

    ERR_clear_error();
    r = SSL_shutdown(t->ssl);
    t->notify_pending = r < 0 && SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_WRITE;
    ERR_clear_error();
    if (!t->notify_pending)
        tcp_ops.shutdown(c);
}

static unsigned
tls_on_events(struct conn *c, unsigned events)
{
    struct tls_conn *t = c->tls;
    unsigned told = events & CONN_READABLE;

    if (events & CONN_READABLE)
        t->more = true;
    if (t->notify_pending && (events & CONN_WRITABLE))
        tls_shutdown(c);
    if ((events & CONN_WRITABLE) && t->read_wants_write)
        told |= CONN_READABLE;
    if ((events & CONN_WRITABLE) && !(c->ready & CONN_WRITABLE) && !t->write_wants_read)
        told |= CONN_WRITABLE;
    if ((events & CONN_READABLE) && t->write_wants_read)
        told |= CONN_WRITABLE;
    c->ready |= (unsigned char)told;
    return told;
}

static void
tls_fini(struct conn *c)
{
    struct tls_conn *t = c->tls;

    tls_pace_forget(&t->wait);
    SSL_free(t->ssl);
    tls_server_put(t->server);
    client_cert_put(t->cert);
    tls_client_put(t->client);
    free(t->name);
    free(t->refused);
    free(t);
}

static const struct conn_ops tls_ops = {
    .read = tls_read,
    .readv = tls_readv,
    .writev = tls_writev,
    .handshake = tls_handshake,
    .on_events = tls_on_events,
    .shutdown = tls_shutdown,
    .fini = tls_fini,
};

/* ------------------------------------------------------------------ beginning */

static void
attach(struct conn *c, SSL_CTX *ctx)
{
    BIO *b = bio_new(c);

    c->tls = xcalloc(1, sizeof(*c->tls));
    c->tls->ssl = SSL_new(ctx);
    assert(c->tls->ssl);
    SSL_set_bio(c->tls->ssl, b, b);
    c->ops = &tls_ops;
}

void
tls_conn_accept(struct conn *c, struct tls_server *server)
{
    attach(c, server->ctx[0]);
    tls_server_hold(server);
    c->tls->server = server;
    c->tls->wait = (struct tls_wait){ .conn = c, .go_on = on_turn };
    SSL_set_accept_state(c->tls->ssl);
}

/* ------------------------------------------------------------------ the server's certificate and sessions */

static struct conn *
conn_of(const SSL *ssl)
{
    return BIO_get_data(SSL_get_rbio(ssl));
}

/* What it says it is, for whoever reads the log: names as they are, but for bytes that would spoil a line. */
static void
describe(const X509 *cert, int why, char *out, size_t n)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    size_t at = 0;
    char issuer[120];

    out[0] = '\0';
    if (why == X509_V_ERR_HOSTNAME_MISMATCH || why == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        at = (size_t)snprintf(out, n, "it is for");
        for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < 3 && at < n; i++) {
            const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

            if (g->type == GEN_DNS)
                at += (size_t)snprintf(out + at, n - at, " %.*s", ASN1_STRING_length(g->d.dNSName),
                                       (const char *)ASN1_STRING_get0_data(g->d.dNSName));
        }
    } else {
        X509_NAME_oneline(X509_get_issuer_name(cert), issuer, sizeof(issuer));
        snprintf(out, n, "its issuer is %s", issuer);
    }
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            *p = '?';
    GENERAL_NAMES_free(names);
}

static int
on_verified(int good, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const X509 *cert = X509_STORE_CTX_get_current_cert(store);
    struct conn *c = conn_of(ssl);
    char text[200];

    if (!good && cert && !c->tls->refused) {
        describe(cert, X509_STORE_CTX_get_error(store), text, sizeof(text));
        c->tls->refused = xstrdup(text);
    }
    return good;
}

/* 1: it is ours to free. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
    struct conn *c = conn_of(ssl);
    struct tls_conn *t = c->tls;

    if (!SSL_SESSION_is_resumable(session))
        return 0;
    tls_session_keep(&c->peer, t->name, t->client->identity, session, SSL_session_reused(ssl));
    return 1;
}

void
tls_conn_prepare_client(struct tls_client *t)
{
    SSL_CTX_set_verify(t->ctx, t->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, on_verified);
    if (!t->resume)
        return;
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(t->ctx, on_session);
}

static void
offer_session(struct conn *c)
{
    struct tls_conn *t = c->tls;
    SSL_SESSION *session = t->client->resume ? tls_session_find(&c->peer, t->name, t->client->identity) : NULL;

    if (session)
        SSL_set_session(t->ssl, session);
    SSL_SESSION_free(session);
}

/* SNI names hosts only (RFC 6066 3); the certificate has to name what was asked for (RFC 9110 4.3.4). */
static int
expect_name(SSL *ssl, const char *name, bool verify)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    struct addr ip;

    if (addr_parse_ip(slice_str(name), &ip) == 0)
        return !verify || X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1 ? 0 : -1;
    if (SSL_set_tlsext_host_name(ssl, name) != 1)
        return -1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return !verify || X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 ? 0 : -1;
}

int
tls_conn_connect(struct conn *c, const struct tls_client *client, struct slice server_name, struct err *e)
{
    char name[256] = "";

    attach(c, client->ctx);
    tls_client_hold(client);
    c->tls->client = client;
    SSL_set_connect_state(c->tls->ssl);
    if (server_name.n >= sizeof(name) || (server_name.n && memchr(server_name.p, '\0', server_name.n)))
        return err_set(e, ERR_TLS, "a server name of %zu bytes cannot be one", server_name.n);
    if (server_name.n && server_name.p[0] == '[' && server_name.p[server_name.n - 1] == ']')
        server_name = slice_of(server_name.p + 1, server_name.n - 2);
    if (server_name.n)
        memcpy(name, server_name.p, server_name.n);
    else if (!addr_is_unix(&c->peer))
        addr_format_ip(&c->peer, name);
    c->tls->name = xstrdup(name);
    if (!name[0])
        return client->verify ? err_set(e, ERR_TLS, "TLS over a unix socket needs a server name to verify") : 0;
    ERR_clear_error();
    if (expect_name(c->tls->ssl, name, client->verify) == 0) {
        offer_session(c);
        return 0;
    }
    ERR_clear_error();
    return err_set(e, ERR_TLS, "\"%s\" cannot be verified as a server name", name);
}

const char *
tls_conn_alpn(const struct conn *c)
{
    const unsigned char *name;
    unsigned n;

    SSL_get0_alpn_selected(c->tls->ssl, &name, &n);
    if (n == 2)
        return "h2"; /* the only one of that length that is offered */
    return n == 8 && memcmp(name, "http/1.1", 8) == 0 ? "http/1.1" : n == 8 ? "http/1.0" : "";
}

const struct client_cert *
tls_conn_client_cert(const struct conn *c)
{
    return c->tls->cert;
}
