/*
 * conn: one non-blocking byte stream, plain or TLS, on one loop. It moves bytes when its session says so and reports
 * readiness; it buffers nothing but what TLS must.
 *
 * Edge-triggered: on_ready(CONN_READABLE) means "try reading". A session reads until it is told CONN_AGAIN, or until it
 * has had enough; in the latter case nobody will call it again for the bytes that are left: it comes back itself
 * (conn_read later, or conn_kick).
 *
 * The extra read that only says CONN_AGAIN can be saved: after a read shorter than asked for, c->ready loses
 * CONN_READABLE, which means that the kernel's queue was empty just now and anything later, the peer's FIN included,
 * will raise an event. So:
 *  - a session that has what it needs (a whole message) stops after a short read, and when it comes back to reading it
 *    does so if c->ready says READABLE, else it waits for on_ready;
 *  - a session that wants more asks again until CONN_AGAIN: that read is really made, and finds even a reset that came
 *    along with the bytes.
 *
 * Writing has the same bit: a short write clears CONN_WRITABLE, and on_ready(CONN_WRITABLE) comes when there is room
 * again, only then.
 *
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

#define CONN_AGAIN (-1) /* nothing now; on_ready will come */
#define CONN_EOF (-2)   /* the peer has ended its side in an orderly way (FIN; for TLS: close_notify) */
#define CONN_ERROR (-3) /* broken; conn_error says how */

struct client_cert;
struct client_count;
struct conn;
struct tls_conn;

struct conn_ops { /* transport; tcp.c, tls_conn.c */
    ssize_t (*read)(struct conn *c, void *p, size_t n);
    ssize_t (*readv)(struct conn *c, const struct iovec *iov, int n);
    ssize_t (*writev)(struct conn *c, const struct iovec *iov, int n);
    int (*handshake)(struct conn *c);                       /* 0 done, CONN_AGAIN, CONN_ERROR */
    unsigned (*on_events)(struct conn *c, unsigned events); /* maps socket readiness to what the session may do */
    void (*shutdown)(struct conn *c);                       /* end our side: FIN, or close_notify and FIN */
    void (*fini)(struct conn *c);
};

struct conn {
    struct watch watch;
    const struct conn_ops *ops;
    struct tls_conn *tls;                              /* tls_conn.c's state; NULL: plain */
    void (*on_ready)(struct conn *c, unsigned events); /* the session's; set by conn_attach */
    void *owner;
    unsigned char ready;   /* what is believed possible: READABLE/WRITABLE bits */
    unsigned char blocked; /* where the kernel said EAGAIN since the last event */
    unsigned char kick_events;
    bool connecting, handshaking, closed_seen, eof, broken, shut;
    bool more_follows; /* set around conn_writev by who has more to write: the kernel keeps what fills no segment,
                          for 200 ms at most */
    bool write_failed; /* the peer takes nothing more; what it sent before can still be read */
    struct err *error; /* NULL unless broken; use conn_error */
    char *subject;     /* made when first asked for */
    struct announcement *announcement; /* while connecting; NULL: none */
    struct addr local, peer;           /* local is unset (len 0) on connections made by conn_connect */
    uint64_t id;                       /* for logs: unique in the process */
    struct client_count *counted;      /* given back when it closes; NULL: not counted */
    struct task kick;                  /* conn_kick */
};

/* Takes over an accepted fd (non-blocking, close-on-exec). `tls` NULL: plain. On TLS the handshake runs inside,
 * readiness is reported when it is done (both bits), or when it failed (broken). A plain connection may be written to,
 * and reading may be tried, at once. Heap. NULL with the fd closed: no memory in the kernel. */
struct conn *conn_accepted(struct loop *l, int fd, const struct addr *peer, const struct addr *local,
                           struct tls_server *tls);
/* Starts connecting. on_ready(WRITABLE) when it is up (TLS handshake included), or with c->broken set. The caller sets
 * the deadline. `server_name` is for SNI and for verifying (a name or an IP); empty: the address itself is verified.
 * NULL with *e: failed at once; of the kind ERR_LIMIT when weir has no descriptor left for it. */
struct conn *conn_connect(struct loop *l, const struct addr *to, const struct tls_client *tls, struct slice server_name,
                          struct err *e);
/* Right after conn_connect: bytes that go before all others, TLS included (a PROXY header); copied. At most as many as
 * any socket takes at once: 256. */
void conn_announce(struct conn *c, struct slice bytes);
void conn_attach(struct conn *c, void (*on_ready)(struct conn *, unsigned), void *owner);

ssize_t conn_read(struct conn *c, void *p, size_t n); /* > 0, or CONN_*; n > 0 */
/* The same into several pieces, none of them empty. A TLS conn gives one record at most, a short read or not. */
ssize_t conn_readv(struct conn *c, const struct iovec *iov, int n);
/* > 0 (maybe short), or CONN_AGAIN / CONN_ERROR. After CONN_AGAIN the next call must offer the same bytes first and at
 * least as many (TLS has sealed them); draining one queue in order does that. Empty iovecs are allowed, all empty are
 * not. After CONN_ERROR conn_read may still give what the peer sent before it went. */
ssize_t conn_writev(struct conn *c, const struct iovec *iov, int n);
/* Bytes that were written and that the peer has not taken yet, as far as the kernel knows; for TLS as they are on the
 * wire. A system call. */
size_t conn_outstanding(const struct conn *c);
/* Before a write that must not cross what has come: what on_ready was not told of yet, because a turn of the loop is
 * over before all is told, may be read from now on. */
static inline void
conn_look(struct conn *c)
{
    if (watch_has_news(&c->watch)) {
        c->ready |= CONN_READABLE;
        c->blocked &= (unsigned char)~CONN_READABLE;
    }
}
void conn_shutdown(struct conn *c);              /* no more writes; reading goes on */
void conn_kick(struct conn *c, unsigned events); /* on_ready again at the end of this turn */
void conn_close(struct conn *c);                 /* closes now, frees at the end of the turn */
/* Orderly end of a server connection whose input may still hold bytes (RFC 9112 9.6): FIN, then reads and drops at most
 * 256 KiB for at most 2 s, then closes. The session lets go of c. */
void conn_linger(struct conn *c);
/* Closes those of a loop that still linger: before its last turn, on its thread. */
void conn_linger_no_more(struct loop *l);
const char *conn_error(const struct conn *c);        /* "" unless broken */
enum err_kind conn_error_kind(const struct conn *c); /* ERR_NONE unless broken */
const char *conn_alpn(const struct conn *c);         /* "h2", "http/1.1", or "" when nothing was agreed */
/* With which the client of an accepted TLS connection has named itself, once the handshake is done; NULL: with none.
 * Goes with the conn for who does not hold it (client_cert.h). */
const struct client_cert *conn_client_cert(const struct conn *c);
/* Subject for logs: "conn 17 10.0.0.9:5311"; in c's memory. */
const char *conn_subject(struct conn *c);

/* --- for transports: a handshake that said CONN_AGAIN by itself goes on. */
void conn_go_on(struct conn *c);
/* --- for transports: marks the conn broken and returns CONN_ERROR. */
int conn_fail(struct conn *c, enum err_kind kind, int sys, const char *text);

#endif
