/*
 * h1: the HTTP/1.1 codec (RFC 9112), strict and without I/O. The same code serves the client and the origin side, the unit tests and
 * the fuzzers. Scanners look at a contiguous head; slices in the result point into it, so it must stay in place while the message lives.
 */
#ifndef HTTP_H1_H
#define HTTP_H1_H

#include "../base/iobuf.h"
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
};

/* Looks for the end of the head in p[0..n). Enforces limits while bytes arrive. H1_DONE: *head_len is the head with its last CRLF.
 * Leading empty lines before a request (RFC 9112 2.2) are the caller's to skip: at most one CRLF. */
enum h1_result h1_find_head(struct h1_scan *s, const char *p, size_t n, const struct h1_limits *limits, size_t *head_len,
                            struct h1_error *err);
/* Parses a complete head. Fills everything in *r but scheme; r->fields lives in the arena. All of RFC 9112's framing rules are
 * applied (body, keep_alive): what is ambiguous is H1_ERROR. Never H1_MORE. */
enum h1_result h1_parse_request(struct http_request *r, const char *p, size_t n, const struct h1_limits *limits,
                                const struct uri_rules *uri, struct arena *arena, struct h1_error *err);
/* `method`: of the request that is answered (HEAD has no body; CONNECT is not sent by weir). */
enum h1_result h1_parse_response(struct http_response *r, const char *p, size_t n, const struct h1_limits *limits,
                                 enum http_method method, struct arena *arena, struct h1_error *err);

/* --- chunked (RFC 9112 7.1) --- */
struct chunked {
    unsigned char state;
    uint64_t left;        /* bytes of the current chunk still to come */
    unsigned ext, line;   /* bytes of extension and of trailer seen */
    unsigned trailer_lines;
};
#define CHUNKED_EXT_MAX 256
void chunked_init(struct chunked *c);
/* Reads from p[0..n): *used bytes were framing or data; data (may be empty) is a run inside p. Call again while used > 0 and
 * the result is H1_MORE. H1_DONE: the last chunk's line is through and `*used` stands behind "0\r\n": the trailer section follows
 * (read it with chunked_trailers). */
enum h1_result chunked_decode(struct chunked *c, const char *p, size_t n, size_t *used, struct slice *data, struct h1_error *err);
/* The trailer section in p[0..n), contiguous: H1_DONE with its length (CRLF of the end included) and the fields parsed; framing, routing
 * and authentication fields among them are refused (RFC 9110 6.5.1). */
enum h1_result chunked_trailers(const char *p, size_t n, const struct h1_limits *limits, struct fields *out, size_t *used,
                                struct h1_error *err);

/* --- writing --- */
/* The method, target and fields of r, with framing written from `body` (Content-Length or Transfer-Encoding; such fields in the list must have been
 * removed) and an empty line. `target` is the request target in origin-form. */
void h1_write_request(struct iobuf *out, const struct http_request *r, struct slice target, struct body_framing body);
/* `keep_alive` false adds Connection: close; `upgrade` (not empty) adds Connection: upgrade and Upgrade. to_10: the client speaks HTTP/1.0. */
void h1_write_response(struct iobuf *out, const struct http_response *r, struct body_framing body, bool keep_alive, bool to_10,
                       struct slice upgrade);
void h1_write_interim(struct iobuf *out, const struct http_response *r);
/* Wraps the first n bytes of src as one chunk and moves them. n > 0. */
void h1_write_chunk(struct iobuf *out, struct iobuf *src, size_t n);
void h1_write_last_chunk(struct iobuf *out, const struct fields *trailers); /* trailers may be NULL */

#endif
