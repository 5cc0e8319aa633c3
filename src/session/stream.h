/*
 * stream: one request and its response on a session, in a form that does not say which protocol carries it. Two kinds
 * meet in the exchange: a down_stream (the client's side: requests come in) and an up_stream (the origin's side:
 * requests go out).
 *
 * Bodies flow through iobufs with caps. The reader of a stream's `in` takes bytes out of it and calls `consumed`, which
 * lets the session read more from its peer: a reader that does not take bytes stops the peer (back-pressure end to
 * end). The writer hands bytes to `send`; when `room` says 0 it stops until on_writable.
 *
 * Nothing calls back from inside an op. All on one worker. Every callback may reset or release the stream; nothing
 * comes after release.
 *
 * A message without a body (none, or a length of 0) has in_end set when its head is announced (on_request, on_head),
 * and no on_body follows. Otherwise on_body comes at least once after the head; the last time with in_end.
 */
#ifndef SESSION_STREAM_H
#define SESSION_STREAM_H

#include "../base/iobuf.h"
#include "../http/limit.h"
#include "../http/message.h"
#include "../http/reason.h"
#include "../net/conn.h"

struct down_stream;
struct up_stream;

/* ------------------------------------------------------------------ downstream */

struct down_events { /* what the exchange (or the admin handler) implements */
    /* Bytes were added to s->in, or s->in_end was set (then s->trailers is complete). Body that arrived together with
     * the head is in s->in (and in_end set, when it was all of it) already at on_request: for that part on_body is not
     * called. */
    void (*on_body)(struct down_stream *s);
    /* Room again after room was 0. */
    void (*on_writable)(struct down_stream *s);
    /* The client is gone, its body broke its framing, or a session deadline passed. Never after on_sent.
     * reason: client_closed (closed, half-closed or reset while an answer was due; or it does not read: write timeout),
     * bad_request (body framing), headers_too_large (trailers), request_timeout (body too slow), body_aborted (the
     * owner sent another length than promised), draining (down_sessions_abort). Only release may follow, with one
     * exception: after bad_request, headers_too_large and request_timeout, when respond was not called yet, the owner
     * may answer as usual before it releases; the session closes after that answer. Only in that case a second on_abort
     * (client_closed) can come. */
    void (*on_abort)(struct down_stream *s, enum reason_id reason, const char *detail);
    /* The response is wholly handed to the kernel (after `upgraded`: and the client has ended its side). The stream is
     * the owner's to release; no other event comes after this one. */
    void (*on_sent)(struct down_stream *s);
};

/* Can the client still be told what was wrong? The exception above. */
static inline bool
down_answerable(enum reason_id reason)
{
    return reason == REASON_BAD_REQUEST || reason == REASON_HEADERS_TOO_LARGE || reason == REASON_REQUEST_TIMEOUT;
}

struct down_ops {
    /* A 1xx head other than 101; may come any number of times before `respond`. */
    void (*interim)(struct down_stream *s, const struct http_response *r);
    /* The final head. body says what follows: BODY_NONE: the response ends here. Framing and hop-by-hop fields in
     * r->fields are left out, but for a Content-Length with BODY_NONE to HEAD or with 304. `close`: no further request
     * on this connection (nothing comes of it in HTTP/2, whose streams are independent). Fields are copied out before
     * it returns. The answer to HEAD, 204 and 304 end with the head whatever `body` says (to HEAD it is written as for
     * GET): what `send` is given then is dropped. BODY_NONE of any other answer is written as a length of 0
     * (in HTTP/2 the head ends the stream).
     * BODY_UNTIL_CLOSE goes to HTTP/1.1 as chunked, BODY_CHUNKED to HTTP/1.0 until close. 101: the Upgrade field of
     * r->fields, else of the request, is named (in HTTP/2 it is a 200, RFC 8441 5); `upgraded` must follow. */
    void (*respond)(struct down_stream *s, const struct http_response *r, struct body_framing body, bool close);
    /* Moves n bytes out of `from`, always all of them; framing is added as promised in respond. More than the promised
     * length breaks the connection off (on_abort body_aborted). */
    void (*send)(struct down_stream *s, struct iobuf *from, size_t n);
    size_t (*room)(const struct down_stream *s); /* bytes that `send` may take now; 0: wait for on_writable */
    /* trailers may be NULL; dropped where they cannot go. Less than the promised length breaks the connection off. Not
     * needed after BODY_NONE; a second call does nothing. */
    void (*end)(struct down_stream *s, const struct fields *trailers);
    /* Bytes were taken out of s->in: the session may read again. Sends 100 Continue as want_body does. */
    void (*consumed)(struct down_stream *s);
    /* Asks for the body to begin: sends 100 Continue when the client waits for it, nothing of the body has come, and
     * neither an interim 100 nor the final head was sent. A final answer without it costs the connection. Called by the
     * exchange once it wants the body. */
    void (*want_body)(struct down_stream *s);
    /* After a 101 respond: from now on raw bytes both ways (s->in, send, end = half-close). */
    void (*upgraded)(struct down_stream *s);
    /* Breaks off visibly: the connection is closed (h2: RST_STREAM) without a well-formed end. */
    void (*reset)(struct down_stream *s);
    /* The owner is done with s; the session goes on with the next request or closes. After on_sent, on_abort or reset;
     * at any other time it is a reset too. Unread request body is drained up to 64 KiB or costs the connection; in
     * HTTP/2 the client is told to stop. */
    void (*release)(struct down_stream *s);
};

struct down_stream {
    const struct down_ops *ops;
    const struct down_events *events; /* set by the handler in on_request */
    void *user;                       /* the handler's */
    struct http_request req;          /* valid until release */
    struct arena arena;               /* dies at release; the exchange uses it for everything of its life */
    struct iobuf in;                  /* request body that has arrived and was not taken; cap set by the session */
    struct fields trailers;
    bool in_end; /* the body is complete: `in` holds the rest */
    bool is_tls;
    const struct client_cert *client_cert; /* of the connection; NULL: none. For who holds it before the next turn */
    const struct addr *peer, *local; /* of the connection (PROXY protocol applied); valid until release */
    nsec_t started;                  /* when the first byte of the head was seen */
    uint64_t bytes_in, bytes_out;    /* on the wire, head included */
    bool paced;                      /* by the owner: the time that a body may take is its affair, not the session's */
    bool draining;                   /* the session wants to close: the answer should say Connection: close */
    enum limit_id limit;             /* the bound behind on_bad_request or on_abort, or behind `draining` */
    const char *limit_at;            /* where it is set; NULL: nobody knows, or no bound is behind it */
};

/* What on_session is told: changes of a count. */
#define SESSION_BEGUN 1
#define SESSION_ENDED (-1)
#define SESSION_ACTIVE 2  /* bytes of a request have come */
#define SESSION_IDLE (-2) /* the request is over and the next has not begun */

/* Who handles requests of a listener: the proxy, or admin. */
struct down_handler {
    /* The head is complete and well-formed. Sets s->events and s->user. Must later release s. */
    void (*on_request)(struct down_stream *s, void *arg);
    /* The head (or the body that came with it) could not be accepted: answer with this reason's status and close. Sets
     * s->events/user and responds as to any other request. Of s->req only method, method_text and target are set, as
     * far as they were understood, version and scheme; the slices may be empty. in_end is set. */
    void (*on_bad_request)(struct down_stream *s, enum reason_id reason, const char *detail, void *arg);
    /* For gauges; one of the SESSION_ changes. A session begins idle, and goes idle before it ends. May be NULL. */
    void (*on_session)(int change, void *arg);
    void *arg;
    /* Where a bound is set ("gateway.conf:7", "default"); copied at once. May be NULL, and so may its answer. */
    const char *(*limit_at)(enum limit_id limit, void *arg);
};

/* ------------------------------------------------------------------ upstream */

enum up_error {
    UP_CLOSED_EARLY, /* closed or reset before any response byte: on a reused connection this is the keep-alive race */
    UP_RESET,        /* closed or reset after some response byte */
    UP_BAD_RESPONSE, /* what it sent is not HTTP, or ambiguous */
    UP_HEAD_TOO_LARGE
};

struct up_events {
    /* 100, 102, 103 ...; not 101. At most 16, and together not larger than one head may be. */
    void (*on_interim)(struct up_stream *s, const struct http_response *r);
    /* s->res is complete, in the owner's arena, and what came of the body along with it is in s->in, or was all
     * (s->in_end): no on_body comes for that. May come before the request is ended: sending may go on, or stop (the
     * connection is not kept then). With 101 `upgraded` or release must follow. */
    void (*on_head)(struct up_stream *s);
    void (*on_body)(struct up_stream *s); /* more bytes in s->in, or s->in_end */
    void (*on_writable)(struct up_stream *s);
    void (*on_error)(struct up_stream *s, enum up_error error, const char *detail); /* only release may follow */
};

struct up_ops {
    /* target: origin-form. Framing and hop-by-hop fields must not be in r->fields; r->upgrade (not empty) asks for an
     * upgrade. Once per stream. BODY_NONE: the request ends here. All is copied out before it returns. */
    void (*request)(struct up_stream *s, const struct http_request *r, struct slice target, struct body_framing body);
    void (*send)(struct up_stream *s, struct iobuf *from, size_t n);
    size_t (*room)(const struct up_stream *s);
    void (*end)(struct up_stream *s, const struct fields *trailers);
    void (*consumed)(struct up_stream *s);
    void (*upgraded)(struct up_stream *s); /* after on_head with 101 */
    /* Done. The connection goes back to its pool (on_idle, at the end of this turn) when both messages ended well and
     * it may be kept; else it is closed (on_closed, likewise). Any time, once. */
    void (*release)(struct up_stream *s);
};

struct up_stream {
    const struct up_ops *ops;
    const struct up_events *events; /* set by the owner before `request` */
    void *user;
    struct http_response res; /* valid until release; slices and fields live in the owner's arena given at up_open */
    struct iobuf in;
    struct fields trailers;
    bool in_end;
    bool reused;    /* the connection has served a request before */
    bool left_out;  /* by the GOAWAY of an origin that leaves: it has not looked at the request */
    bool refusable; /* the origin may say that it has not looked at the request: then it may go again, whatever it is */
    bool wrote;     /* some byte of the request was given to the kernel */
    bool responded; /* some byte of a response was seen */
    uint64_t bytes_in, bytes_out;
};

#endif
