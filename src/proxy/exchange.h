/*
 * exchange: one request and its response, from a complete head to the log line. It is a walk over named steps
 * (exchange.c); each step either names the next one or waits for an event. Failures are steps too. `finish` runs
 * exactly once.
 *
 * Memory: everything lives in the down_stream's arena and dies with its release. Owner of the down_stream, of at most
 * one lease or up_stream at a time, and of one reference on its generation.
 */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

#include "../http/grpc.h"
#include "../policy/chain.h"
#include "../session/stream.h"
#include "../upstream/pool.h"
#include "generation.h"

struct proxy_worker;

enum step {
    STEP_ROUTE,            /* find the route; validate what only the proxy can */
    STEP_REQUEST_POLICIES, /* policies of the route: may refuse or suspend */
    STEP_TARGET,           /* which upstream: the route's, or a policy's */
    STEP_ATTEMPT,          /* admit, pick an endpoint, lease a connection */
    STEP_SEND,             /* a connection is there: send the head, begin the body */
    STEP_ATTEMPT_FAILED,   /* account for it, then retry or refuse */
    STEP_RESPONSE,         /* the origin's head: retry on status, policies, forward */
    STEP_RESPOND,          /* answer by the route itself: respond, redirect */
    STEP_HTTPS,            /* answer that sends a plain request to https */
    STEP_OPTIONS,          /* answer to OPTIONS that is meant for weir */
    STEP_REFUSE,           /* answer with a reason */
    STEP_FINISH,           /* record, metrics, log, release */
    STEP_WAIT              /* not a step: an event will go on */
};

struct exchange {
    struct weir_exchange px;          /* what policies see; first */
    struct proxy_worker *worker;
    struct generation *gen;           /* held */
    struct down_stream *ds;           /* owned */
    enum step waiting_in;             /* the step whose event is awaited: for logs and asserts */
    struct timer timer;               /* the one deadline: the route's until the head, then idle; per-try shortens it */
    nsec_t deadline;                  /* of the route, until the response head; or the client's, when that is earlier */
    nsec_t grpc_deadline;             /* the client's, until the end; 0: none */
    bool peer_trusted, decorated;

    const struct route *route;

    /* upstream side */
    struct target *target;
    bool entered;                     /* counts among the upstream's active requests */
    bool retry_counted;               /* holds a share of the retry budget */
    struct pick pick;
    struct endpoint_state *endpoint;  /* a reference while an attempt is on */
    bool retried_stale;               /* the one retry of a stale connection was taken: only fresh ones from then on */
    struct lease *lease;
    bool leasing;                     /* inside pool_lease: its callbacks only note what comes next */
    enum step after_lease;
    struct up_stream *us;
    bool attempt_open;                /* admitted by the attempt phase: outcome is owed */
    unsigned attempts;
    nsec_t attempt_started, upstream_duration;
    nsec_t answered;                  /* the head of an answer whose end will settle the attempt (gRPC); 0: not yet */
    struct { /* how the last attempt failed */
        enum weir_result result;
        enum reason_id reason;
        struct slice detail;
        bool stale;       /* a reused connection was given up before the request was looked at */
        const char *text; /* for the client; NULL: what its reason says */
    } failure;

    /* request body */
    bool body_wanted, body_sent;      /* 100-continue given; the end handed to the origin */
    uint64_t body_seen;               /* bytes taken from the client */
    bool by_message;                  /* max_body bounds each message of a call of gRPC, and not the whole */
    struct grpc_framing grpc_framing; /* of such a one: its messages so far */
    struct iobuf replay;              /* what was sent, while another attempt may need it */
    bool replay_lost;                 /* more was sent than can be replayed */
    struct filter *request_filter, *response_filter; /* of policies that look at the bodies; NULL: there are none */
    /* How bodies move where they do not just go from one stream to the other, in place of pump_*; NULL: they do. */
    void (*request_way)(struct exchange *x), (*response_way)(struct exchange *x);
    struct lasting *lasting;          /* of one that may last; NULL: it is none */
    struct websocket *websocket;      /* of a tunnel that is one */

    /* response */
    struct http_response local;       /* answers made by weir */
    struct field_names *response_named; /* by the Connection of the origin's answer */
    bool head_sent, response_done, tunnel;
    bool ends_by_status;              /* it is one of gRPC, whose trailers tell how it has ended */
    int status;                       /* of the answer; 0: none */
    const struct reason *reason;      /* why weir answered or ended it; NULL: the origin, the route or a policy by
                                         host->reply answered */
    struct slice reason_detail;       /* for the client: never an address */
    struct slice allow;               /* Allow, with method_not_allowed */
};

/* What of a request body is kept for another attempt; more makes it unrepeatable. */
#define REPLAY_MAX 65536
/* How much of a response body waits for the client before the origin is no longer read. */
#define RESPONSE_BUFFER 65536

void exchange_start(struct proxy_worker *w, struct down_stream *ds);
/* The head could not be accepted: answered with that reason. */
void exchange_start_bad(struct proxy_worker *w, struct down_stream *ds, enum reason_id reason, const char *detail);

/* Walks from `step` until something must be awaited. The exchange may be gone when it returns. */
void exchange_run(struct exchange *x, enum step step);

/* exchange_services.resumed: a suspended policy chain goes on. */
void exchange_resumed(struct weir_exchange *px);

/* Ends what is under way, a suspended policy or an attempt: an answer of weir's own comes next, or the end. */
void exchange_interrupt(struct exchange *x);

/* Ends an answer whose head has gone: politely where there is a way to, one of gRPC with this status, or it is broken
 * off. */
void exchange_break_off(struct exchange *x, enum grpc_status status, struct slice message);

/* attempt.c: the steps on the origin's side. */
enum step step_attempt(struct exchange *x);
enum step step_send(struct exchange *x);
enum step step_attempt_failed(struct exchange *x);
void attempt_settle(struct exchange *x, enum weir_result result, int status); /* accounts for the open attempt, once */
void attempt_release(struct exchange *x);  /* lets go of lease, stream and endpoint */
/* Is another attempt made after this one? status: of the origin's answer; 0: none. Records the decision; settles and
 * releases the attempt unless its answer goes to the client. */
bool attempt_again(struct exchange *x, enum weir_result result, int status);
struct decision *attempt_record(struct exchange *x, enum verdict verdict, const char *reason); /* row of its outcome */
enum step attempt_fail(struct exchange *x, enum weir_result result, enum reason_id reason, const char *detail);

/* When the silence that is allowed after the head ends, if nothing moves from now on. */
static inline nsec_t
exchange_patience(const struct exchange *x)
{
    nsec_t end = clock_now() + x->route->idle_timeout;

    return x->grpc_deadline && x->grpc_deadline < end ? x->grpc_deadline : end;
}

/* pump.c: bodies in both directions. */
bool pump_within_cap(struct exchange *x); /* is what has come of the request's body no more than max_body? */
void pump_request(struct exchange *x);
void pump_response(struct exchange *x);
void pump_finish_response(struct exchange *x); /* after the end of the response was given to the client */
void pump_down_body(struct down_stream *ds);
void pump_down_writable(struct down_stream *ds);
void pump_up_body(struct up_stream *us);
void pump_up_writable(struct up_stream *us);

/* filtered.c: bodies that policies look at. What their framing is then; from now on they go that way. */
struct body_framing filtered_request(struct exchange *x); /* before each attempt sends its head */
struct body_framing filtered_response(struct exchange *x, struct body_framing body);
/* The answer's body is over with these trailers, whatever the origin says: the policies are told, and what they make of
 * that was sent. false: they refuse, or do not look. */
bool filtered_end(struct exchange *x, struct fields *trailers);

/* response.c */
enum step step_response(struct exchange *x);
/* answer.c */
enum step step_respond(struct exchange *x);
enum step step_https(struct exchange *x);
enum step step_options(struct exchange *x);
enum step step_refuse(struct exchange *x);
enum step exchange_refuse(struct exchange *x, enum reason_id reason, const char *detail); /* -> STEP_REFUSE */
enum step exchange_refuse_body(struct exchange *x); /* the same for one beyond max_body */
enum step exchange_refused_by_policy(struct exchange *x); /* the same with the reason that a chain has left in px */

#endif
