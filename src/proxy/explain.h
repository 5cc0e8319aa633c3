/*
 * explain: what would happen to a request, without any traffic. The same routing and policy code runs on a
 * weir_exchange that has no connection behind it.
 */
#ifndef PROXY_EXPLAIN_H
#define PROXY_EXPLAIN_H

#include "generation.h"

struct client_cert;

struct explain_request {
    struct slice method, url;          /* URL: absolute, or a path (host then from `host` field or empty) */
    struct fields fields;              /* as the client would send them */
    const struct addr *client;         /* NULL: 127.0.0.1 */
    struct slice claims;               /* p NULL: none; stands for a valid token */
    const struct client_cert *cert;    /* NULL: none; stands for one that was verified. Borrowed */
};

enum explain_outcome { EXPLAIN_PROXY, EXPLAIN_REPLY, EXPLAIN_REDIRECT };

struct explanation {
    struct weir_exchange px;           /* log, variants, edits */
    struct http_request req;           /* what the origin would get: with forwarding headers when outcome is PROXY */
    struct http_response res;          /* a local answer with its headers */
    struct slice body;
    enum explain_outcome outcome;
    const struct route *route;         /* NULL: none */
    const struct reason *reason;       /* NULL: none */
    const char *malformed;             /* what is wrong with the path; NULL: nothing */
    int status;                        /* 0: the origin's */
    struct slice upstream;             /* empty: none, or a random split (see px.variants) */
    struct arena arena;
};

/* 0, or -1 with *e: the URL or a header is no such thing. explanation_fini in both cases. */
int explain(struct generation *g, const struct explain_request *in, struct explanation *x, struct err *e);
void explanation_fini(struct explanation *x);

/* ---- test blocks ---- */
extern const struct weir_directive test_rows[];
/* Runs every `test` block of the generation; each unmet expectation is an error at its line in the tree's diagnostics.
 * Returns how many tests failed; *n: how many there are. */
unsigned test_blocks_run(struct generation *g, unsigned *n);

#endif
