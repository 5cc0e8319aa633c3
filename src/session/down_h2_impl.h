/*
 * down_h2_impl: the inside of an HTTP/2 session with a client, for the files of this directory: down_h2.c (life,
 * timers, the turn of a session), down_h2_stream.c (life of a stream, what its owner is told), down_h2_read.c
 * (nghttp2's callbacks for what comes), down_h2_write.c (the ops of a stream, and what goes).
 *
 * Inside nghttp2's callbacks nobody is told anything: what has happened is noted in the stream (h2_note), and told when
 * the library has returned.
 */
#ifndef SESSION_DOWN_H2_IMPL_H
#define SESSION_DOWN_H2_IMPL_H

#include "../http/h2.h"
#include "down_h2.h"
#include "down_impl.h"
#include "glitch.h"
#include "h2_body.h"
#include "h2_frames.h"
#include "h2_watch.h"
#include "patience.h"

/* What waits for the client on one stream; the smaller one while more than H2_OUT_TOTAL waits on all of them. */
#define H2_OUT_CAP 65536u
#define H2_OUT_SHARE 16384u
#define H2_OUT_TOTAL (512u * 1024)

/* So many of the newest streams are remembered when they are over. */
#define H2_PAST 128

/* A stream whose answer is complete before its request stays so long for the rest of that, and so many of them do;
 * then it is reset. */
#define H2_PARTING_TIME (50 * NSEC_PER_MSEC)
#define H2_PARTING 16

/* What the client said last on a stream that is over, for itself. */
enum h2_past { H2_PAST_OPEN, H2_PAST_ENDED, H2_PAST_RESET };

/* What a stream's owner is to be told, in this order. */
enum h2_due {
    H2_DUE_REQUEST = 1, /* on_request, or on_bad_request with the stream's refusal */
    H2_DUE_BODY = 2,
    H2_DUE_WRITABLE = 4,
    H2_DUE_ABORT = 8, /* with the stream's ending */
    H2_DUE_SENT = 16
};

struct h2_stream {
    struct down_stream s; /* public; first */
    struct down_h2 *d;
    int32_t id;                          /* 0: gone, for nghttp2 and the client */
    TAILQ_ENTRY(h2_stream) link;         /* in d->streams */
    TAILQ_ENTRY(h2_stream) due_link;     /* in d->due while queued */
    TAILQ_ENTRY(h2_stream) holding_link; /* in d->holding while `out` has bytes */
    TAILQ_ENTRY(h2_stream) ending_link;  /* in d->ending while `ended_at` counts */
    const struct down_handler *handler;
    struct h2_head head;
    size_t trailer_bytes;
    struct h1_error refusal; /* of the head; text NULL: none */
    struct {
        enum reason_id reason;
        const char *detail;
    } ending;
    struct h2_body out;      /* the answer's */
    struct patience body;    /* while the client owes bytes of its body */
    struct patience reading; /* while it owes its stream's window */
    size_t unacked;          /* bytes given to s.in that no WINDOW_UPDATE has given back */
    uint64_t ended_at;       /* what must have been written when all of the answer has been */
    unsigned char due;       /* H2_DUE_* bits */
    bool queued, ending_queued;
    bool begun;        /* the owner knows of it */
    bool open;         /* the stream is the owner's */
    bool refused;      /* nothing more of its request is taken */
    bool expects;      /* the client waits for 100 Continue */
    bool responded;    /* the final head was given to nghttp2 */
    bool framed;       /* the end of the answer is in a frame */
    bool tunnel;       /* raw bytes both ways */
    bool remote_end;   /* the client has ended its side */
    bool client_reset; /* by RST_STREAM */
    bool written;      /* all of the answer is with the kernel */
    bool aborted;      /* the owner was or will be told on_abort, or has reset it */
    bool sent;         /* the owner was or will be told on_sent */
    bool violated;     /* the owner broke its head's promise */
};

TAILQ_HEAD(h2_streams, h2_stream);

struct down_h2 {
    struct down_session b; /* first */
    nghttp2_session *ng;
    struct h2_streams streams, due, holding, ending;
    unsigned n_streams;
    struct h2_stream *head; /* whose head or trailers are coming; NULL: nobody's, or its stream is gone */
    struct h2_frames frames;
    size_t waiting; /* in `out` of all streams */
    struct down_conf conf;
    struct glitches glitches;
    unsigned window_credit; /* WINDOW_UPDATEs that the DATA sent accounts for */
    struct task task;
    struct timer timer;
    nsec_t idle_since;                /* counts while there is no stream */
    nsec_t head_since;                /* a head has begun then and not ended; 0: none */
    nsec_t last_call;                 /* the second GOAWAY goes then at the latest; 0: not leaving, or it has gone */
    struct patience writing;          /* while the client owes room in the socket */
    uint64_t taken;                   /* by it, when `writing` was last looked at */
    int32_t last_id;                  /* of the newest stream */
    int32_t skipped_from, skipped_to; /* ids that the client has left out last: from here to below there */
    unsigned char past[H2_PAST];           /* enum h2_past of the newest streams, by their number */
    struct h2_watch watch;
    struct {
        int32_t id;
        nsec_t until;
    } parting[H2_PARTING]; /* a ring, oldest at `first_parting` */
    unsigned first_parting, n_parting;
    uint32_t broken;       /* if `tripped`: by a frame that nghttp2 lets pass, the code for that; 0: by `trip` */
    enum glitch_kind trip; /* if `tripped` */
    bool data_begun;       /* nghttp2 has told of DATA since it was last given bytes */
    bool tripped;          /* a counter of glitches: the session ends as soon as nghttp2 has returned */
    bool running;          /* inside its turn, and */
    bool again;            /* one more step is wanted */
    bool last_called;      /* the second one as well */
    bool leaving;          /* the first GOAWAY was given */
    bool unsure;           /* the last read was short and nothing was written since: a reset that came together with its
                              bytes raises no event of its own */
    bool cut;              /* a GOAWAY is the last that goes; nothing more is read */
    bool ended;
};

static inline struct h2_stream *
h2_stream_of(struct down_stream *s)
{
    return (struct h2_stream *)s;
}

/* down_h2.c */
void h2_later(struct down_h2 *d);              /* the session has work to do at the end of the turn */
void h2_look_at(struct down_h2 *d, nsec_t at); /* a deadline; 0: none */
void h2_leave(struct down_h2 *d);              /* the first GOAWAY, if it was not given yet */
void h2_last_call(struct down_h2 *d);          /* the second */
/* The connection ends with this GOAWAY; its streams are aborted. Not from nghttp2's callbacks. */
void h2_cut(struct down_h2 *d, uint32_t code, enum reason_id reason, const char *detail);
/* The connection ends: at once and without a word, or after `cut`. */
void h2_gone(struct down_h2 *d, enum reason_id reason, const char *detail);
void h2_glitch(struct down_h2 *d, enum glitch_kind kind); /* counts, and trips where it is one too many */
void h2_break(struct down_h2 *d, uint32_t code);          /* a connection error: likewise */
void h2_trip(struct down_h2 *d, enum glitch_kind kind);   /* the session is cut off once nghttp2 has returned */

/* down_h2_stream.c */
struct h2_stream *h2_stream_new(struct down_h2 *d, int32_t id);
void h2_note(struct h2_stream *st, enum h2_due due);
/* The owner is told on_abort, unless it knows of the end already. */
void h2_abort(struct h2_stream *st, enum reason_id reason, const char *detail);
void h2_reset(struct h2_stream *st, uint32_t code); /* RST_STREAM, if it is not gone */
void h2_tell_all(struct down_h2 *d);
/* Streams whose time to part has come are reset; `all`: the others as well. */
void h2_part(struct down_h2 *d, bool all);
const char *h2_exceed(struct h2_stream *st, enum limit_id limit, const char *what);
/* When all of the answer is written, and of a tunnel the client's side has ended too, the owner is told on_sent. */
void h2_maybe_sent(struct h2_stream *st);
void h2_body_waits(struct h2_stream *st); /* or does not: looks at its patience */

/* down_h2_read.c */
/* What `watch` has stopped at was given to nghttp2. */
void h2_check_sight(struct down_h2 *d);
void h2_set_read_callbacks(nghttp2_session_callbacks *callbacks);

/* down_h2_write.c */
extern const struct down_ops down_h2_ops;
void h2_set_write_callbacks(nghttp2_session_callbacks *callbacks);
/* Makes frames and writes until nothing is left or the socket is full. 0, CONN_AGAIN or CONN_ERROR. */
int h2_write(struct down_h2 *d);
/* What the client has taken since the last look gives it time. A system call. */
void h2_note_reading(struct down_h2 *d);

#endif
