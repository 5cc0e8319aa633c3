/* retry: may a failed attempt be repeated? A pure function of what happened, so that every rule can be tested as a row
 * of a table. */
#ifndef PROXY_RETRY_H
#define PROXY_RETRY_H

#include "../http/grpc.h"
#include "../upstream/cluster.h"

struct retry_facts {
    enum http_method method;
    bool wrote;           /* some byte of the request may have reached the origin */
    bool stale;           /* a reused connection that closed before any byte of a response, or said 408 */
    bool left_out;        /* the origin was leaving, and says that it has not begun with the request */
    bool stale_used;      /* the one retry for a stale connection was taken */
    bool responded;       /* the client has been given a byte of this response */
    bool body_replayable; /* the body sent so far is still at hand */
    unsigned attempts;    /* so far, this one included */
    nsec_t left;          /* of the request's deadline */
    enum weir_result result;
    int status;            /* of the origin's answer; 0: none */
    enum grpc_status grpc; /* of an answer of gRPC that is trailers alone; OK: it was none, or there is no reason */
    bool told_to_wait;     /* by that */
};

struct retry_answer {
    bool again;
    bool fresh;          /* on a new connection */
    bool budget;         /* needs a share of the retry budget */
    const char *why;     /* static; for the record */
};

struct retry_answer retry_decide(const struct retry_conf *c, const struct retry_facts *f);

#endif
