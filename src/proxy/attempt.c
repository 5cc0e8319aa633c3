/* One try against one endpoint: admission, endpoint, connection, request, and what its failure leads to. */
#include "exchange.h"
#include "../base/hash.h"
#include "../net/proxy_protocol.h"
#include "../policy/str.h"
#include "forward.h"
#include "grpc.h"
#include "lasting.h"
#include "retry.h"
#include "worker.h"

static void on_interim(struct up_stream *us, const struct http_response *r);
static void on_head(struct up_stream *us);
static void on_error(struct up_stream *us, enum up_error error, const char *detail);

static const struct up_events up_events = {
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = pump_up_body,
    .on_writable = pump_up_writable,
    .on_error = on_error,
};

void
attempt_settle(struct exchange *x, enum weir_result result, int status)
{
    if (x->retry_counted) /* also when this retry was refused before it became an attempt */
        cluster_retry_done(x->target->cluster);
    x->retry_counted = false;
    if (!x->attempt_open)
        return;
    x->attempt_open = false;
    x->upstream_duration = (x->answered ? x->answered : clock_now()) - x->attempt_started;
    struct cluster *c = x->target->cluster;
    struct weir_outcome o = {
        .size = sizeof o,
        .result = result,
        .status = status,
        .duration_ns = x->upstream_duration,
        .upstream = str_of_slice(slice_str(c->name)),
        .endpoint = str_of_slice(x->px.endpoint_address),
        .delivered = x->us && x->us->wrote && !x->failure.stale,
    };
    chain_outcome(&x->px, x->target->chain, &o);
    if (x->endpoint)
        cluster_report(c, x->endpoint, result, status);
}

void
attempt_release(struct exchange *x)
{
    if (x->lease) {
        lease_cancel(x->lease);
        x->lease = NULL;
    }
    if (x->us) {
        struct up_stream *us = x->us;
        x->us = NULL;
        us->ops->release(us);
    }
    if (x->endpoint) {
        endpoint_put(x->endpoint);
        x->endpoint = NULL;
    }
}

enum step
attempt_fail(struct exchange *x, enum weir_result result, enum reason_id reason, const char *detail)
{
    x->failure.result = result;
    x->failure.reason = reason;
    x->failure.detail = detail ? arena_slice(x->px.arena, slice_str(detail)) : SLICE_NONE;
    x->failure.stale = false;
    x->failure.text = NULL;
    return STEP_ATTEMPT_FAILED;
}

/* ---- waiting for a connection ---- */

static enum weir_result
result_of(enum reason_id reason)
{
    switch (reason) {
    case REASON_CONNECT_FAILED:
    case REASON_UPSTREAM_TLS_ERROR:
        return WEIR_RESULT_CONNECT_FAILED;
    case REASON_CONNECT_TIMEOUT:
        return WEIR_RESULT_CONNECT_TIMEOUT;
    default:
        return WEIR_RESULT_CANCELLED; /* weir's own limits are nobody's failure */
    }
}

/* A lease may be answered inside pool_lease (an idle connection is at hand) or later; the walk goes on from where it
 * is. */
static void
lease_answered(struct exchange *x, enum step next)
{
    x->lease = NULL;
    if (x->leasing)
        x->after_lease = next;
    else
        exchange_run(x, next);
}

static void
on_lease_ready(struct up_session *u, void *arg)
{
    struct exchange *x = arg;
    x->us = up_open(u, x->px.arena, RESPONSE_BUFFER);
    x->us->events = &up_events;
    x->us->user = x;
    lease_answered(x, STEP_SEND);
}

/* What was wrong with the origin's certificate, without the names in it. */
static const char *
refused_certificate(struct exchange *x, const char *detail)
{
    static const char begin[] = TLS_REFUSED;
    size_t n = sizeof begin - 1;
    if (strncmp(detail, begin, n) != 0)
        return NULL;
    struct slice why = slice_of(detail + n, strcspn(detail + n, ";"));
    return arena_printf(x->px.arena, "the upstream's certificate was refused: %.*s", SLICE_FMT(why)).p;
}

/* One of the upstream's `limits` is reached: recorded with its place. What the client is told. */
static const char *
exceed(struct exchange *x, enum reason_id reason, const char *name, unsigned value, const char *what)
{
    struct decision *d = decision_add(&x->px.log, "limits", x->px.upstream_name, VERDICT_REFUSE);
    d->reason = reason_get(reason)->code;
    d->detail = slice_str(x->target->cluster->limits_detail);
    d->at = x->target->cluster->limits_at;
    return limit_words(x->px.arena, name, LIMIT_COUNT, value, what).p;
}

static const char *
exceed_lease(struct exchange *x, const struct lease_failure *f)
{
    static const struct {
        const char *name, *what;
    } words[] = {
        [LEASE_LIMIT_CONNECTIONS] = { "limits connections", "all connections that the upstream may have are busy" },
        [LEASE_LIMIT_PENDING] = { "limits pending", "too many requests wait for a connection to the upstream" },
        [LEASE_LIMIT_WAIT] = { "limits connections", "no connection that the upstream may have came free in time" },
    };
    const struct cluster *c = x->target->cluster;
    unsigned value = f->limit == LEASE_LIMIT_PENDING ? c->limit_pending : c->limit_connections;
    return exceed(x, f->reason, words[f->limit].name, value, words[f->limit].what);
}

static void
on_lease_failed(const struct lease_failure *f, void *arg)
{
    struct exchange *x = arg;
    enum step next = attempt_fail(x, result_of(f->reason), f->reason, f->detail);
    if (f->reason == REASON_UPSTREAM_TLS_ERROR)
        x->failure.text = refused_certificate(x, f->detail);
    else if (f->limit)
        x->failure.text = exceed_lease(x, f);
    lease_answered(x, next);
}

static const struct lease_events lease_events = { on_lease_ready, on_lease_failed };

static nsec_t
attempt_deadline(const struct exchange *x)
{
    nsec_t per_try = x->target->cluster->retry.per_try_timeout;
    nsec_t end = x->attempt_started + per_try;
    return per_try && end < x->deadline ? end : x->deadline;
}

/* For whom the connection is: the client as weir believes it, and where that came in. */
static struct slice
announcement(struct exchange *x, int version)
{
    char *header = arena_alloc(x->px.arena, PROXY_WRITTEN_MAX);
    return slice_of(header, proxy_protocol_write(header, version, x->px.client, x->ds->local));
}

static enum step
lease_connection(struct exchange *x)
{
    struct cluster *c = x->target->cluster;
    struct lease_wish wish = { .fresh = x->retried_stale, .deadline = attempt_deadline(x) };
    bool done = false;
    if (c->proxy_protocol)
        wish.announce = announcement(x, c->proxy_protocol);
    x->leasing = true;
    struct lease *l = pool_lease(x->worker->pool, c, x->endpoint, &wish, &lease_events, x, &done);
    x->leasing = false;
    if (done)
        return x->after_lease;
    x->lease = l;
    return STEP_WAIT;
}

/* Takes one of the upstream's `limits requests`, once per exchange. false: none is left, and the reason is noted. */
static bool
enter_upstream(struct exchange *x)
{
    if (x->entered)
        return true;
    if (!cluster_enter(x->target->cluster)) {
        exchange_refuse(x, REASON_OVERFLOW_REQUESTS,
                        exceed(x, REASON_OVERFLOW_REQUESTS, "limits requests", x->target->cluster->limit_requests,
                               "the upstream has as many requests as it may"));
        return false;
    }
    x->entered = true;
    return true;
}

enum step
step_attempt(struct exchange *x)
{
    struct target *t = x->target;
    if (!enter_upstream(x))
        return STEP_REFUSE;
    x->attempts++;
    x->attempt_started = clock_now();
    x->answered = 0;
    x->px.grpc.known = false;
    x->failure.stale = false;
    if (chain_attempt(&x->px, t->chain) == CHAIN_REFUSED) {
        x->attempts--;
        return exchange_refused_by_policy(x);
    }
    x->attempt_open = true;
    if (x->attempts == 1 && t->hash_key) {
        struct slice key = template_text(t->hash_key, &x->px);
        x->pick.hash = hash_stable(key);
    }
    x->endpoint = cluster_pick(t->cluster, &x->pick);
    struct decision *d =
        decision_add(&x->px.log, "endpoint", x->px.upstream_name, x->endpoint ? VERDICT_PASS : VERDICT_REFUSE);
    d->at = t->cluster->at;
    if (!x->endpoint) {
        d->reason = "no_healthy_endpoint";
        x->attempts--;
        attempt_settle(x, WEIR_RESULT_CANCELLED, 0);
        return exchange_refuse(x, REASON_NO_HEALTHY_ENDPOINT, "the upstream has no endpoint that can be used now");
    }
    x->px.endpoint_address = arena_slice(x->px.arena, slice_str(x->endpoint->address));
    d->detail = x->px.endpoint_address;
    timer_set(&x->timer, attempt_deadline(x));
    return lease_connection(x);
}

static void
send_replay(struct exchange *x)
{
    if (!x->replay.len)
        return;
    struct iobuf copy;
    struct iovec iov[16];
    iobuf_init(&copy, REPLAY_MAX);
    int n = iobuf_iov(&x->replay, iov, 16);
    for (int i = 0; i < n; i++)
        iobuf_add(&copy, iov[i].iov_base, iov[i].iov_len);
    x->us->ops->send(x->us, &copy, copy.len);
    iobuf_fini(&copy);
}

enum step
step_send(struct exchange *x)
{
    struct http_request *r = &x->ds->req;
    forward_host(&x->px, x->target, x->endpoint);
    forward_client_cert(&x->px, x->target);
    if (!x->decorated)
        forward_decorate(&x->px, x->ds->peer, x->peer_trusted);
    x->decorated = true;
    if (x->grpc_deadline)
        grpc_shorten(x);
    struct body_framing body = x->px.filters ? filtered_request(x) : r->body;
    if (x->px.grpc.is && !pump_within_cap(x)) /* now that it is known who looks at it */
        return exchange_refuse_body(x);
    x->us->ops->request(x->us, r, forward_target(r, x->route), body);
    x->body_sent = r->body.kind == BODY_NONE;
    send_replay(x);
    if (!x->body_wanted) {
        x->body_wanted = true;
        x->ds->ops->want_body(x->ds);
    }
    pump_request(x);
    return STEP_WAIT;
}

/* ---- events of the origin's side ---- */

static void
on_interim(struct up_stream *us, const struct http_response *r)
{
    struct exchange *x = us->user;
    struct http_response interim = *r;
    /* 100 is weir's own to give; HTTP/1.0 clients know no interim responses (RFC 9110 15.2). */
    if (r->status == 100 || x->head_sent || x->ds->req.version == HTTP_1_0)
        return;
    forward_interim(&interim);
    x->ds->ops->interim(x->ds, &interim);
}

static void
on_head(struct up_stream *us)
{
    exchange_run(us->user, STEP_RESPONSE);
}

static void
on_error(struct up_stream *us, enum up_error error, const char *detail)
{
    struct exchange *x = us->user;
    if (x->lasting && x->lasting->leaving) { /* the client was told already */
        attempt_release(x);
        return;
    }
    if (x->head_sent) {
        /* The client must see that this is not the end: no last chunk, no full length. */
        x->reason = reason_get(REASON_BODY_ABORTED);
        struct decision *d = decision_add(&x->px.log, "upstream_body", x->px.upstream_name, VERDICT_ERROR);
        d->reason = "body_aborted";
        d->detail = arena_slice(x->px.arena, slice_str(detail));
        attempt_settle(x, WEIR_RESULT_RESET, 0);
        if (grpc_cut(x, GRPC_UNAVAILABLE, SLICE("the upstream's answer ended early")))
            return;
        attempt_release(x);
        x->ds->ops->reset(x->ds);
        exchange_run(x, STEP_FINISH);
        return;
    }
    bool bad = error == UP_BAD_RESPONSE || error == UP_HEAD_TOO_LARGE;
    bool stale = error == UP_CLOSED_EARLY && us->reused;
    enum step next = attempt_fail(x, bad ? WEIR_RESULT_BAD_RESPONSE : WEIR_RESULT_RESET,
                                  bad ? REASON_UPSTREAM_BAD_RESPONSE : REASON_UPSTREAM_RESET, detail);
    x->failure.stale = stale;
    if (error == UP_HEAD_TOO_LARGE)
        x->failure.text = "the head of the upstream's answer is larger than the limits allow";
    exchange_run(x, next);
}

/* ---- after a failure ---- */

static struct retry_answer
ask_retry(struct exchange *x, int status)
{
    struct retry_facts f = {
        .method = x->ds->req.method,
        .wrote = x->us && x->us->wrote,
        .stale = x->failure.stale,
        .stale_used = x->retried_stale,
        .left_out = x->us && x->us->left_out,
        .responded = x->head_sent,
        .body_replayable = !x->replay_lost,
        .attempts = x->attempts,
        .left = x->deadline - clock_now(),
        .result = status ? WEIR_RESULT_ERROR_STATUS : x->failure.result,
        .status = status,
    };
    if (status && grpc_trailers_only(x)) {
        f.grpc = (enum grpc_status)x->px.grpc.status;
        f.told_to_wait = grpc_told_to_wait(x);
    }
    struct retry_answer a = retry_decide(&x->target->cluster->retry, &f);
    if (a.again && a.budget && !cluster_retry_admit(x->target->cluster))
        a = (struct retry_answer){ .why = "retry_budget" };
    return a;
}

struct decision *
attempt_record(struct exchange *x, enum verdict verdict, const char *reason)
{
    struct decision *d = decision_add(&x->px.log, "attempt", x->px.upstream_name, verdict);
    d->reason = reason;
    d->at = x->target->cluster->at;
    return d;
}

static void
retry_record(struct exchange *x, const struct retry_answer *a)
{
    struct decision *d =
        decision_add(&x->px.log, "retry", x->px.upstream_name, a->again ? VERDICT_PASS : VERDICT_REFUSE);
    d->reason = a->why;
    d->at = x->target->cluster->at;
}

bool
attempt_again(struct exchange *x, enum weir_result result, int status)
{
    struct retry_answer a = ask_retry(x, status);
    retry_record(x, &a);
    if (status && !a.again)
        return false;
    /* The stale connection says nothing about the endpoint's health. */
    attempt_settle(x, a.again && a.fresh ? WEIR_RESULT_CANCELLED : result, status);
    x->retry_counted = a.again && a.budget;
    x->retried_stale |= a.again && a.fresh;
    attempt_release(x);
    return a.again;
}

enum step
step_attempt_failed(struct exchange *x)
{
    static const struct {
        enum reason_id reason;
        const char *text; /* for the client: no address in it */
    } words[] = {
        { REASON_CONNECT_FAILED, "the upstream could not be reached" },
        { REASON_CONNECT_TIMEOUT, "the upstream did not accept a connection in time" },
        { REASON_UPSTREAM_TLS_ERROR, "no trusted TLS connection to the upstream could be made" },
        { REASON_UPSTREAM_RESET, "the upstream closed the connection before it answered" },
        { REASON_UPSTREAM_TIMEOUT, "the upstream did not answer in time" },
        { REASON_UPSTREAM_BAD_RESPONSE, "the upstream's answer is not valid HTTP" },
        { REASON_OVERFLOW_CONNECTIONS, "the gateway can open no further connection" },
    };
    enum reason_id reason = x->failure.reason;
    attempt_record(x, VERDICT_ERROR, reason_get(reason)->code)->detail = x->failure.detail;
    if (attempt_again(x, x->failure.result, 0))
        return STEP_ATTEMPT;
    const char *text = x->failure.text;
    for (size_t i = 0; i < sizeof words / sizeof *words && !text; i++)
        if (words[i].reason == reason)
            text = words[i].text;
    return exchange_refuse(x, reason, text);
}
