/*
 * weir_exchange: the part of an exchange that policies, variables and templates see. The proxy embeds it in its
 * exchange (src/proxy/exchange.h); `weir explain` and test blocks make one of their own, with no connection behind it.
 */
#ifndef POLICY_EXCHANGE_H
#define POLICY_EXCHANGE_H

#include "../base/decision.h"
#include "../event/loop.h"
#include "../http/message.h"
#include "../http/reason.h"
#include "../net/addr.h"

#include <weir/module.h>

struct chain;
struct client_cert;
struct policy_run;
struct store;

/* What only the proxy can do for a policy; filled in by it. */
struct exchange_services {
    bool (*upstream_healthy)(struct weir_exchange *x, struct slice upstream);
    struct store *(*store_find)(struct weir_exchange *x, struct slice name);
    struct weir_call *(*store_eval)(struct weir_exchange *x, struct weir_str store, const char *script,
                                    struct weir_str key, const struct weir_str *args, unsigned n, weir_store_done done,
                                    void *arg);
    void (*store_cancel)(struct weir_call *c);
    /* A suspended chain may go on: called at the end of the turn after host->resume. */
    void (*resumed)(struct weir_exchange *x);
};

struct header_edit { /* on the response to the client, kept until there is one */
    enum { EDIT_SET, EDIT_ADD, EDIT_REMOVE } op;
    enum field_id id; /* of the name */
    struct slice name, value;
    struct header_edit *next;
};

struct explain_variant {
    struct slice upstream;
    double share; /* percent */
    struct explain_variant *next;
};

struct weir_exchange {
    struct arena *arena;
    struct loop *loop;
    const struct exchange_services *services;
    struct decision_log log;

    struct http_request *req;          /* fields are edited in place: what the origin will get */
    struct http_response *res;         /* NULL until there is one */
    const struct addr *client;         /* after trusted_proxies */
    struct slice client_ip;            /* text of the client's address; empty until exchange_client_ip made it */
    bool client_tls;
    bool underscores;                  /* names with '_' may be among the request's fields */
    const struct client_cert *client_cert; /* held; NULL: none */
    struct slice hsts;                 /* Strict-Transport-Security of the answer; empty: none */
    struct slice id;                   /* X-Request-Id */
    struct slice route_name;           /* empty: none yet */
    struct slice upstream_name, endpoint_address;
    nsec_t started;                    /* monotonic */
    bool explaining;
    unsigned char filters;             /* bit per enum weir_body_of: policies have a phase for that body */
    struct slice explain_claims;       /* test blocks; p NULL: none */
    struct explain_variant *variants;  /* where the split is random */

    struct header_edit *edits, **edits_end;
    /* Of the request's fields: those that a policy has set or removed, kept only where trailers can come, and those
     * that Connection names. The client's trailers may not bring them. */
    struct field_names *settled;

    struct slice target;               /* upstream named by a policy; empty: none */
    /* Set by refuse/reply of an enforced policy. */
    struct {
        const struct reason *reason;   /* NULL: reply */
        struct slice detail, content_type, body;
        int status;
        struct slice policy;           /* who */
        const char *at;
    } refusal;

    struct {                           /* of a client that speaks gRPC (proxy/grpc.h) */
        bool is;
        bool claimed;                  /* by the content type of a request that is none: it did not come by HTTP/2 */
        bool known;                    /* how the call has ended: */
        unsigned char status;          /* enum grpc_status */
        short http;                    /* what an answer of weir's own would be in HTTP; 0: it is none, or is that */
        nsec_t timeout;                /* its grpc-timeout; -1: none */
    } grpc;

    struct policy_run *run;            /* chain.c: slots of the policies of the route and the upstream */
};

/* Text of the client's address without the port ("unix" for a unix peer); formatted once per exchange. variable.c */
struct slice exchange_client_ip(struct weir_exchange *x);

#endif
