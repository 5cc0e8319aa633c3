/*
 * down_h1_impl: the inside of an HTTP/1.x session with a client, for the files of this directory: down_h1.c (life,
 * timers, the turn of a session), down_h1_read.c (heads, bodies, what comes early) and down_h1_write.c (the ops of a
 * stream).
 */
#ifndef SESSION_DOWN_H1_IMPL_H
#define SESSION_DOWN_H1_IMPL_H

#include "down_h1.h"
#include "down_impl.h"
#include "h1_reader.h"
#include "h1_writer.h"
#include "patience.h"

#define DOWN_EARLY_MAX 16384u /* bytes behind the current request, over the limit of a head */
#define DOWN_DRAIN_MAX 65536u /* of a request body that nobody wanted */

enum down_state {
    DOWN_IDLE,    /* nothing has come; `active` is NULL */
    DOWN_HEAD,    /* a head has begun to come */
    DOWN_REQUEST, /* a stream is open, or was just released */
    DOWN_DRAIN,   /* the rest of a body is dropped before the next head */
    DOWN_ENDED    /* freed at the end of the turn */
};

/* What a session needs only from the first byte of a head to the end of the exchange: recycled by the set of its
 * worker. */
struct down_active {
    struct down_stream s; /* public; first */
    struct down_h1 *d;
    struct down_active *next;           /* in the set's stack of unused ones */
    const struct down_handler *handler; /* of this request */
    struct down_conf conf;              /* copied when the head begins: the generation may go meanwhile */
    struct h1_reader in;
    struct h1_writer out;
    struct patience body;    /* while the client owes bytes of its body */
    struct patience reading; /* while it owes us room */
    uint64_t taken;          /* of the answer, when `reading` was last looked at */
    size_t drained;          /* DOWN_DRAIN: bytes dropped so far */
    bool open;               /* the stream is the owner's */
    bool refused;            /* its head or its body is not HTTP, or did not come in time: nothing more is read */
    bool expects;            /* the client waits for 100 Continue */
    bool responded;          /* the final head was given to `out` */
    bool keep;               /* and promises that another request may follow */
    bool tunnel;             /* raw bytes both ways since then */
    bool shut;               /* tunnel: our side was ended */
    bool sent;               /* all of the answer is with the kernel, and the owner was told */
    bool aborted;            /* the owner was told on_abort, or has reset it */
    bool violated;           /* the owner broke its head's promise; on_abort comes in the session's turn */
};

struct down_h1 {
    struct down_session b;      /* first */
    struct down_active *active; /* NULL while idle */
    struct task task;
    struct timer timer;
    unsigned char state; /* enum down_state */
    bool shaking_hands;
    bool running; /* inside down_run, and */
    bool again;   /* one more step is wanted */
    bool yielded; /* left with work to do: the timer calls back in the next turn of the loop */
    bool crlf_skipped; /* before this head; not of `active`, which goes while nothing but that has come */
};

static inline struct down_active *
down_active_of(struct down_stream *s)
{
    return (struct down_active *)s;
}

/* down_h1.c */
/* The session has work to do: at the end of the turn, or now if it is running. */
void down_later(struct down_h1 *d);
void down_activate(struct down_h1 *d);
void down_idle(struct down_h1 *d);       /* gives back `active` */
void down_prepare(struct down_active *a);     /* for the next head */
void down_begin_head(struct down_h1 *d); /* its first byte is here */
void down_linger(struct down_h1 *d);     /* ends it, but lets the client read the answer (RFC 9112 9.6) */
void down_end(struct down_h1 *d);        /* closes what is open; no stream may be */
/* Closes the connection under an open stream, in a way that shows that something is missing. */
void down_break(struct down_h1 *d);
/* The client has chosen HTTP/2: what it sent so far goes to a session of that. */
void down_hand_over(struct down_h1 *d);
void down_abort(struct down_h1 *d, enum reason_id reason, const char *detail);
/* Notes in the stream that a bound is behind what comes next; returns the detail for that. */
const char *down_exceed(struct down_h1 *d, enum limit_id limit, const char *what);

/* down_h1_read.c: one step each, called by the turn of the session */
void down_read_head(struct down_h1 *d);
void down_read_request(struct down_h1 *d);
void down_read_drain(struct down_h1 *d);
void down_refuse(struct down_h1 *d, enum reason_id reason, const char *detail);
void down_refuse_error(struct down_h1 *d, const struct h1_error *err);

/* down_h1_write.c */
extern const struct down_ops down_h1_ops;
void down_write(struct down_h1 *d);
/* What the client has taken since the last look gives it time. A system call. */
void down_note_reading(struct down_active *a);

#endif
