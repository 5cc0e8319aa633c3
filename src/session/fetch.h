/*
 * fetch: one HTTP request by weir itself (health probes, key sets), on the calling thread's loop, with a deadline and a
 * body cap. Follows no redirects.
 */
#ifndef SESSION_FETCH_H
#define SESSION_FETCH_H

#include "../net/conn.h"
#include "../net/resolver.h"
#include "stream.h"

struct fetch;

struct fetch_result {
    int status;        /* 0: failed */
    const char *error; /* NULL when status != 0 */
    bool lack;         /* failed for want of weir's own means: that says nothing about the peer */
    struct slice body;
    const struct fields *fields, *trailers; /* of the response; NULL when it failed */
};
typedef void (*fetch_done)(const struct fetch_result *r, void *arg);

struct fetch_request {
    struct addr to; /* len 0: resolve the URL's host (service loop only, by `resolver`) */
    struct resolver *resolver;
    struct slice url;   /* absolute; only copied, need not outlive the call */
    struct slice host;  /* the Host to send; empty: of the URL */
    const char *method; /* static; NULL: GET */
    struct slice body;
    struct slice announce;        /* bytes before all others, TLS included (a PROXY header) */
    const struct tls_client *tls; /* for https */
    bool http2; /* the server must speak HTTP/2; without TLS that is not asked. Else, with TLS, what ALPN agrees on */
    bool grpc;  /* a unary call of gRPC: `body` is its length-prefixed message */
    nsec_t timeout;
    size_t max_body;
};

/* done comes later, exactly once, unless cancelled. NULL: the URL is not one (nothing is called). */
struct fetch *fetch_start(struct loop *l, const struct fetch_request *r, fetch_done done, void *arg);
void fetch_cancel(struct fetch *f);

#endif
