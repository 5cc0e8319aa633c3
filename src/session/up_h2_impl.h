/*
 * up_h2_impl: the inside of an HTTP/2 session with an origin, for the files of this directory: up_h2.c (life, the turn
 * of a session), up_h2_stream.c (the ops of a stream, and what its owner is told), up_h2_frames.c (nghttp2's
 * callbacks).
 *
 * Inside nghttp2's callbacks nobody is told anything: what has happened is noted in the stream (up_h2_note), and told
 * when the library has returned.
 */
#ifndef SESSION_UP_H2_IMPL_H
#define SESSION_UP_H2_IMPL_H

#include "../base/recycle.h"
#include "../http/h2.h"
#include "glitch.h"
#include "h2_body.h"
#include "h2_fields.h"
#include "h2_frames.h"
#include "up_h2.h"
#include "up_impl.h"

#include <sys/queue.h>

/* Window of a stream: what of a response's body may wait for its reader. */
#define UP_H2_WINDOW 65536

/* What a stream's owner is to be told, in this order; but after an error nothing else. */
enum up_h2_due {
    UP_H2_DUE_INTERIM = 1,
    UP_H2_DUE_HEAD = 2,
    UP_H2_DUE_BODY = 4,
    UP_H2_DUE_WRITABLE = 8,
    UP_H2_DUE_ERROR = 16
};

struct up_h2_interim { /* in the owner's arena */
    struct http_response r;
    struct up_h2_interim *next;
};

struct up_h2_stream {
    struct up_stream s; /* public; first */
    struct up_h2 *u;
    int32_t id;                         /* 0: nghttp2 does not know it yet, or any more */
    TAILQ_ENTRY(up_h2_stream) link;     /* in u->streams */
    TAILQ_ENTRY(up_h2_stream) due_link; /* in u->due while queued */
    struct arena *arena;                /* the owner's */
    enum http_method method;
    struct slice websocket_key;  /* empty: no tunnel is asked for */
    struct h2_nv waiting;        /* head of a request that waits for the origin's SETTINGS; n 0: none */
    struct http_response coming; /* the head that is being received */
    struct h2_response head;
    struct up_h2_interim *interims, **interims_end;
    unsigned n_interims;
    size_t head_bytes; /* of interim heads */
    size_t trailer_bytes;
    struct h2_body out; /* the request's */
    size_t unacked;     /* bytes given to s.in that no WINDOW_UPDATE has given back */
    nsec_t asked_at;    /* when its owner gave the request */
    struct {
        enum up_error error;
        const char *detail;
    } ending;
    unsigned char due; /* UP_H2_DUE_* bits */
    bool queued;
    bool open;       /* the stream is the owner's */
    bool sent;       /* its head is going into frames */
    bool headed;     /* the final head has come */
    bool told_head;  /* and the owner knows of it */
    bool tunnel;     /* raw bytes both ways */
    bool remote_end; /* the origin has ended its side */
    bool reset;      /* by the origin's RST_STREAM */
    bool failed;     /* the owner was or will be told on_error */
};

TAILQ_HEAD(up_h2_streams, up_h2_stream);

struct up_h2 {
    struct up_session b; /* first */
    nghttp2_session *ng;
    struct up_h2_streams streams, due;
    struct h2_frames frames;
    struct glitches glitches;
    struct task task;
    struct timer timer;    /* yields; and while `suspect` */
    struct recycle spare;  /* streams */
    unsigned untold;       /* until the origin's SETTINGS are seen */
    unsigned released;     /* streams, that the owner was not told of yet */
    unsigned resets;       /* streams given up on the way */
    nsec_t heard;          /* when the origin has last said anything */
    nsec_t suspect;        /* silent while a request waited, and asked by PING then; 0: not */
    const char *broken_by; /* what the origin has done to HTTP/2; NULL: nothing */
    bool settings_seen;    /* the origin's */
    bool leaving;          /* no stream may be opened any more */
    bool running, again;   /* inside its turn; one more step is wanted */
    bool unsure;           /* the last read was short and nothing was written since: a reset that came together with its
                              bytes raises no event of its own */
    bool ended;            /* freed at the end of the turn */
};

static inline struct up_h2_stream *
up_h2_stream_of(struct up_stream *s)
{
    return (struct up_h2_stream *)s;
}

/* up_h2.c */
void up_h2_later(struct up_h2 *u);            /* the session has work to do at the end of the turn */
void up_h2_released(struct up_h2_stream *st); /* its owner has let go of it */
void up_h2_reset(struct up_h2_stream *st);    /* its owner waits for no answer any more */

/* up_h2_stream.c */
struct up_stream *up_h2_open(struct up_session *b, struct arena *arena, size_t in_cap);
void up_h2_note(struct up_h2_stream *st, enum up_h2_due due);
/* The owner is told on_error, unless its exchange is complete. */
void up_h2_fail(struct up_h2_stream *st, enum up_error error, const char *detail);
/* The origin has not looked at the request: it may go elsewhere, whatever its method. */
void up_h2_refused(struct up_h2_stream *st, const char *detail);
/* The same where it says so of all that it has not begun. */
void up_h2_left_out(struct up_h2_stream *st);
void up_h2_tell_all(struct up_h2 *u);
/* The origin has said how many requests it takes at a time, or that it takes no more. Of those that it does not know of
 * yet as many go as fit; the others may go elsewhere. */
void up_h2_admit(struct up_h2 *u);
void up_h2_stream_free(struct up_h2_stream *st);

/* up_h2_frames.c */
void up_h2_set_callbacks(nghttp2_session_callbacks *callbacks);

#endif
