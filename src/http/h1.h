/*
 * h1: the HTTP/1.1 codec (RFC 9112), strict and without I/O. The same code serves the client and the origin side, the
 * unit tests and the fuzzers. Scanners look at a contiguous head; slices in the result point into it, so it must stay
 * in place while the message lives.
 */
#ifndef HTTP_H1_H
#define HTTP_H1_H

#include "../base/iobuf.h"
#include "limit.h"
#include "message.h"
#include "reason.h"
#include "uri.h"

struct h1_limits {
    unsigned request_line; /* bytes, without CRLF; also the status line */
    unsigned field;        /* bytes of one field line */
    unsigned head;         /* bytes of the whole head */
    unsigned fields;       /* number of field lines */
};

/* State between calls while a head is incomplete, so that no byte is scanned twice. Zero it before each head. */
struct h1_scan {
    size_t seen;
    size_t line_start;
    unsigned lines;
};

enum h1_result { H1_MORE, H1_DONE, H1_ERROR };

struct h1_error {
    enum reason_id reason;
    const char *text;    /* static: what is wrong, for the record's detail */
    enum limit_id limit; /* the one that was exceeded; LIMIT_NONE: something else is wrong */
};

/* h1_find_head and chunked_* do not know their side; on the origin's, every error of theirs is this one. */
static inline void
h1_error_of_origin(struct h1_error *err)
{
    err->reason = REASON_UPSTREAM_BAD_RESPONSE;
}

/* Looks for the end of the head in p[0..n), which grows from call to call. Enforces limits while bytes arrive, and
 * refuses at once what cannot become a head: a first byte that is not of a token (TLS on a plain port), a line that
 * ends without CR. H1_DONE: *head_len is the head with its last CRLF. Leading empty lines before a request (RFC
 * 9112 2.2) are the caller's to skip: at most one CRLF. */
enum h1_result h1_find_head(struct h1_scan *s, const char *p, size_t n, const struct h1_limits *limits,
                            size_t *head_len, struct h1_error *err);
/* Parses a complete head. Fills everything in *r but scheme, which stays as it was; r->fields lives in the arena. All
 * of RFC 9112's framing rules are applied (body, keep_alive): what is ambiguous is H1_ERROR. Never H1_MORE. `uri` may
 * be NULL. The fields are complete, framing and hop-by-hop ones included. For an absolute-form target authority and the
 * Host field are the target's. On an error r->method, method_text and target are set as far as they were read, the rest
 * is not to be used. HTTP/1.0 without Host: authority and host are empty, port is -1. */
enum h1_result h1_parse_request(struct http_request *r, const char *p, size_t n, const struct h1_limits *limits,
                                const struct uri_rules *uri, struct arena *arena, struct h1_error *err);
/* `method`: of the request that is answered (HEAD has no body; CONNECT is not sent by weir). Every error is
 * REASON_UPSTREAM_BAD_RESPONSE. An interim response (1xx) is a head of its own: parse, then read the next. */
enum h1_result h1_parse_response(struct http_response *r, const char *p, size_t n, const struct h1_limits *limits,
                                 enum http_method method, struct arena *arena, struct h1_error *err);

/* --- chunked (RFC 9112 7.1) --- */
struct chunked {
    unsigned char state;
    uint64_t left;        /* bytes of the current chunk still to come */
    unsigned digits, ext; /* of the current chunk's line: digits of the size, bytes of extension */
    unsigned excess;      /* bytes of extension so far, less those of data */
};
#define CHUNKED_EXT_MAX 256      /* per chunk */
#define CHUNKED_EXCESS_MAX 16384 /* per body: whoever sends more extension than data by this has no data to send */
void chunked_init(struct chunked *c);
/* Reads from p[0..n): *used bytes were framing or data; data (may be empty) is a run inside p, within the used bytes.
 * Call again with what is left while used > 0 and the result is H1_MORE. H1_DONE: the last chunk's line is through and
 * `*used` stands behind "0\r\n": the trailer section follows (read it with chunked_trailers). */
enum h1_result chunked_decode(struct chunked *c, const char *p, size_t n, size_t *used, struct slice *data,
                              struct h1_error *err);
/* The trailer section in p[0..n), contiguous, from its start on at each call; `out` is initialised by the caller.
 * H1_DONE: *used is its length with the CRLF of its end, and its fields are in `out`. Framing, routing and
 * authentication fields are refused (RFC 9110 6.5.1). */
enum h1_result chunked_trailers(const char *p, size_t n, const struct h1_limits *limits, struct fields *out,
                                size_t *used, struct h1_error *err);

/* --- writing --- */
/* The writers append the head to `out` in place. What they write themselves they skip in the list: Transfer-Encoding
 * always, Content-Length unless the body is BODY_NONE, Connection, Upgrade and Keep-Alive when (and only when) an
 * upgrade is asked for or, in responses, always. All else in the list goes out as it is, so hop-by-hop fields must have
 * been removed and values checked. */

/* The method, target and fields of r, with framing from `body` and an empty line. `target` is the request target in
 * origin-form. r->upgrade (not empty) is written with its Connection. Without a Host in the list r->authority is
 * written as Host. */
void h1_write_request(struct iobuf *out, const struct http_request *r, struct slice target, struct body_framing body);
/* How a response with this body goes to a client: no body for HEAD, 1xx, 204 and 304; close-delimited for HTTP/1.0
 * where the length is not known; chunked for HTTP/1.1 where the origin delimits by closing. What comes out is what
 * h1_write_response should be given, and tells how to send the body. */
struct body_framing h1_response_body(struct body_framing body, int status, enum http_method method, bool to_10);
/* Status line (HTTP/1.1 always), fields, framing, Date when missing. An empty reason_phrase becomes the usual one.
 * BODY_NONE writes no framing and lets a Content-Length of the list stand (HEAD, 304), but not with 1xx and 204; an
 * empty body is BODY_LENGTH 0. `keep_alive` false, a body until close, and BODY_CHUNKED to HTTP/1.0 (which becomes one
 * until close) add Connection: close; keep_alive to HTTP/1.0 says so. `upgrade` (not empty) adds Connection: upgrade
 * and Upgrade. to_10: the client speaks HTTP/1.0. */
void h1_write_response(struct iobuf *out, const struct http_response *r, struct body_framing body, bool keep_alive,
                       bool to_10, struct slice upgrade);
/* 1xx but 101: status line and fields. Not to HTTP/1.0 (RFC 9110 15.2). */
void h1_write_interim(struct iobuf *out, const struct http_response *r);
/* "HTTP/1.1 100 Continue" */
void h1_write_continue(struct iobuf *out);
/* Wraps the first n bytes of src as one chunk and moves them. n > 0. */
void h1_write_chunk(struct iobuf *out, struct iobuf *src, size_t n);
void h1_write_last_chunk(struct iobuf *out, const struct fields *trailers); /* trailers may be NULL */

#endif
