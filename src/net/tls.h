/* tls: contexts for both sides on OpenSSL 3. OpenSSL's types stay in tls*.c. Contexts are reference-counted: a
 * connection holds one. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "../base/err.h"
#include "../base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct tls_server;
struct tls_client;

int tls_init(void);

/* Which part of a configuration *e is about. */
enum tls_part {
    TLS_PART_NONE,
    TLS_PART_CERTIFICATE,
    TLS_PART_CIPHERS,
    TLS_PART_CURVES,
    TLS_PART_CA,
    TLS_PART_TICKETS,
    TLS_PART_CLIENT_CA,
    TLS_PART_CLIENT_CRL,
    TLS_PART_CRL
};

#define TLS_1_2 1u
#define TLS_1_3 2u

/* What both sides may negotiate. All zero: TLS 1.2 and 1.3, Mozilla's intermediate set. */
struct tls_terms {
    bool own_order;             /* a server goes by its own order of ciphers, but for clients that put ChaCha20 first */
    unsigned protocols;         /* TLS_1_2, TLS_1_3; 0: both */
    const char *const *ciphers; /* names of OpenSSL or IANA, of either version; a version without one has its default */
    unsigned n_ciphers;
    const char *curves; /* as "X25519:P-256"; NULL: the default */
};

/* A certificate chain and its key, PEM files. */
struct tls_pair {
    const char *certificate, *key;
    struct slice password; /* of an encrypted key; p NULL: there is none */
    const char *ocsp;      /* file with the answer of its authority's OCSP responder, DER; NULL: none */
};

enum tls_client_verify { TLS_CLIENT_UNASKED, TLS_CLIENT_OPTIONAL, TLS_CLIENT_REQUIRED };

struct tls_server_conf {
    struct tls_terms terms;
    const struct tls_pair *pairs; /* the first one serves clients that name no other's name */
    unsigned n_pairs;             /* at least 1 */
    struct slice scope;           /* sessions of another scope, or of clients verified otherwise, are never resumed */
    enum tls_client_verify client_verify;
    bool no_tickets;         /* no session is ever taken up again */
    int64_t ticket_lifetime; /* seconds after its whole handshake until which a session can be; 0: twelve hours */
    const char *ticket_keys; /* file (tls_ticket.h); NULL: keys of the process */
    const char *client_ca;   /* PEM file of those who sign clients; not NULL where clients are asked */
    const char *client_crl;  /* file of lists of revoked ones (tls_crl.h); NULL: none */
};

/* Each name of the certificates (subjectAltName; of those without, the common name) is served by the first certificate
 * of each key type that has it, so that RSA and ECDSA stand side by side; exact names come before wildcards. NULL with
 * *e: which file and what is wrong; *part and *pair say where it stood. */
struct tls_server *tls_server_new(const struct tls_server_conf *c, struct err *e, enum tls_part *part, unsigned *pair);
/* Clients that know HTTP/2 get it by ALPN (conn_alpn says "h2"). Before the first connection. */
void tls_server_offer_h2(struct tls_server *t);
void tls_server_hold(struct tls_server *t);
void tls_server_put(struct tls_server *t);
bool tls_server_uses(const struct tls_server *t, unsigned pair);      /* false: others have all of its names */
int64_t tls_server_expiry(const struct tls_server *t, unsigned pair); /* notAfter, seconds since 1970 */
/* Until when the OCSP answer is stapled, seconds since 1970; 0: there is none. */
int64_t tls_server_staple_end(const struct tls_server *t, unsigned pair);
/* When the first list of revoked clients runs out, after which no client of its issuer is let in; 0: there is none. */
int64_t tls_server_crl_end(const struct tls_server *t);
/* The first authority of client_ca whose clients are refused because it has no such list; "": none. */
const char *tls_server_crl_lacks(const struct tls_server *t);

#define TLS_ALPN_HTTP1 1u
#define TLS_ALPN_H2 2u

struct tls_client_conf {
    struct tls_terms terms;
    unsigned alpn;               /* TLS_ALPN_: what is offered, HTTP/2 first; 0: HTTP/1.1 */
    const char *ca;              /* PEM file; NULL: the system's store */
    const char *crl;             /* file of lists of revoked certificates (tls_crl.h); NULL: none */
    bool verify;                 /* false only where the operator said so */
    const struct tls_pair *pair; /* with which the client names itself; NULL: with none */
    bool resume;                 /* keeps what servers give for taking up a session again (tls_session.h) */
};

/* How the error of a connection whose server's certificate was refused begins; why follows, and after "; " what is only
 * for the operator. */
#define TLS_REFUSED "certificate verify failed: "

struct tls_client *tls_client_new(const struct tls_client_conf *c, struct err *e, enum tls_part *part);
/* Of all that decides whom the client trusts and who it is, the contents of files included: never 0. Stable. */
uint64_t tls_client_identity(const struct tls_client *t);
void tls_client_hold(const struct tls_client *t);
void tls_client_put(const struct tls_client *shared);

void tls_metrics_init(void); /* weir_tls_handshakes_total and _deferred_total; after stats_init, before handshakes */
/* Forgets the sessions of this thread, and handshakes that wait: before its loop goes. */
void tls_thread_fini(void);

#endif
