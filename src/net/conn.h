/*
 * conn: one non-blocking byte stream, plain or TLS, on one loop. It moves bytes when its session says so and reports readiness; it
 * buffers nothing but what TLS must. A session reads until it is told CONN_AGAIN (or has had enough: then it must come back itself, by conn_kick).
 *
 * Edge-triggered: on_ready(CONN_READABLE) means "try reading"; after a short read nothing may be left, after a full one there may.
 * A conn never calls back from inside conn_read/conn_writev/conn_close.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "../base/err.h"
#include "../event/loop.h"
#include "addr.h"
#include "tls.h"

#include <sys/types.h>
#include <sys/uio.h>

#define CONN_READABLE 1u
#define CONN_WRITABLE 2u

#define CONN_AGAIN (-1)  /* nothing now; on_ready will come */
#define CONN_EOF (-2)    /* the peer has ended its side in an orderly way (FIN; for TLS: close_notify) */
#define CONN_ERROR (-3)  /* broken; conn->error says how */

struct conn;

struct conn_ops { /* transport; tcp.c, tls_conn.c */
    ssize_t (*read)(struct conn *c, void *p, size_t n);
    ssize_t (*writev)(struct conn *c, const struct iovec *iov, int n);
    int (*handshake)(struct conn *c);   /* 0 done, CONN_AGAIN, CONN_ERROR */
    void (*shutdown)(struct conn *c);   /* end our side: FIN or close_notify + FIN */
    void (*fini)(struct conn *c);
};

struct conn {
    struct watch watch;
    const struct conn_ops *ops;
    void *tls;                      /* tls_conn.c's state */
    void (*on_ready)(struct conn *c, unsigned events); /* session's; set by conn_attach */
    void *owner;
    unsigned ready;                 /* what is believed possible: READABLE/WRITABLE bits */
    bool connecting, handshaking, tls_on, eof, broken;
    struct err error;
    struct addr local, peer;
    uint64_t id;                    /* for logs: unique in the process */
    struct task kick;               /* conn_kick */
    unsigned kick_events;
};

/* Takes over an accepted fd (non-blocking). `tls` NULL: plain. On TLS the handshake runs inside, readiness is reported when it is done. Heap. */
struct conn *conn_accepted(struct loop *l, int fd, const struct addr *peer, const struct addr *local, struct tls_server *tls);
/* Starts connecting. on_ready(WRITABLE) when it is up (TLS handshake included), or with c->broken set. NULL with *e: failed at once. */
struct conn *conn_connect(struct loop *l, const struct addr *to, const struct tls_client *tls, struct slice server_name,
                          struct err *e);
void conn_attach(struct conn *c, void (*on_ready)(struct conn *, unsigned), void *owner);

ssize_t conn_read(struct conn *c, void *p, size_t n);                      /* > 0, or CONN_* */
ssize_t conn_writev(struct conn *c, const struct iovec *iov, int n);       /* > 0 (maybe short), or CONN_AGAIN / CONN_ERROR */
void conn_shutdown(struct conn *c);                                        /* no more writes; reading goes on */
void conn_kick(struct conn *c, unsigned events);                           /* on_ready again at the end of this turn */
void conn_close(struct conn *c);                                           /* closes now, frees at the end of the turn */
/* Orderly end of a server connection whose input may still hold bytes (RFC 9112 9.6): FIN, then reads and drops at most 256 KiB for
 * at most 2 s, then closes. The session lets go of c. */
void conn_linger(struct conn *c);
const char *conn_alpn(const struct conn *c);                               /* "h2", "http/1.1" or "" */
/* Subject for logs: "conn 17 10.0.0.9:5311"; in c's memory. */
const char *conn_subject(struct conn *c);

#endif
