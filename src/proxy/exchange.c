#include "exchange.h"

#include "../net/client_cert.h"
#include "choice.h"
#include "forward.h"
#include "grpc.h"
#include "lasting.h"
#include "metrics.h"
#include "services.h"
#include "worker.h"

#include <assert.h>

static enum step step_route(struct exchange *x);
static enum step step_request_policies(struct exchange *x);
static enum step step_target(struct exchange *x);
static enum step step_finish(struct exchange *x);

static const struct {
    const char *name;
    enum step (*run)(struct exchange *x);
} steps[] = {
    [STEP_ROUTE] = { "route", step_route },
    [STEP_REQUEST_POLICIES] = { "request_policies", step_request_policies },
    [STEP_TARGET] = { "target", step_target },
    [STEP_ATTEMPT] = { "attempt", step_attempt },
    [STEP_SEND] = { "send", step_send },
    [STEP_ATTEMPT_FAILED] = { "attempt_failed", step_attempt_failed },
    [STEP_RESPONSE] = { "response", step_response },
    [STEP_RESPOND] = { "respond", step_respond },
    [STEP_HTTPS] = { "https", step_https },
    [STEP_OPTIONS] = { "options", step_options },
    [STEP_REFUSE] = { "refuse", step_refuse },
    [STEP_FINISH] = { "finish", step_finish },
};

void
exchange_run(struct exchange *x, enum step step)
{
    while (step != STEP_WAIT) {
        bool last = step == STEP_FINISH;
        x->waiting_in = step;
        step = steps[step].run(x);
        if (last)
            return; /* x is gone */
    }
}

enum step
exchange_refuse(struct exchange *x, enum reason_id reason, const char *detail)
{
    x->reason = reason_get(reason);
    x->reason_detail = slice_str(detail);
    return STEP_REFUSE;
}

enum step
exchange_refuse_body(struct exchange *x)
{
    struct decision *d = decision_add(&x->px.log, "max_body", x->px.route_name, VERDICT_REFUSE);
    d->reason = reason_get(REASON_BODY_TOO_LARGE)->code;
    d->at = x->route->max_body_at;
    d->detail = limit_words(x->px.arena, "max_body", LIMIT_BYTES, (int64_t)x->route->max_body,
                            x->by_message && !x->request_way ? "a message is larger than this route accepts"
                                                             : "the request body is larger than this route accepts");
    return exchange_refuse(x, REASON_BODY_TOO_LARGE, d->detail.p);
}

enum step
exchange_refused_by_policy(struct exchange *x)
{
    x->reason = x->px.refusal.reason;
    x->reason_detail = x->px.refusal.detail;
    return STEP_REFUSE;
}

void
exchange_interrupt(struct exchange *x)
{
    chain_cancel(&x->px);
    attempt_settle(x, WEIR_RESULT_CANCELLED, 0);
    attempt_release(x);
}

/* ---- events of the client's side ---- */

/* The bound of the listener that is behind what the session says. */
static void
record_limit(struct exchange *x, enum verdict verdict, const char *reason, const char *detail)
{
    enum limit_id limit = x->ds->limit;
    if (limit == LIMIT_NONE)
        return;
    struct decision *d = decision_add(&x->px.log, limit_block(limit), slice_str(limit_name(limit)), verdict);
    d->reason = reason;
    d->detail = slice_str(detail);
    d->at = x->ds->limit_at;
}

/* The client left or broke its framing. What can still be answered is answered; the connection ends either way. */
static void
on_abort(struct down_stream *ds, enum reason_id reason, const char *detail)
{
    struct exchange *x = ds->user;
    if (!x->reason)
        x->reason = reason_get(reason);
    struct decision *d = decision_add(&x->px.log, "downstream", SLICE_NONE, VERDICT_ERROR);
    d->reason = reason_get(reason)->code;
    d->detail = slice_str(detail);
    if (x->ds->limit != LIMIT_REQUESTS) /* which ends nothing */
        record_limit(x, VERDICT_REFUSE, reason_get(reason)->code, detail);
    exchange_interrupt(x);
    if (down_answerable(reason) && !x->head_sent) {
        exchange_run(x, exchange_refuse(x, reason, detail));
        return;
    }
    exchange_run(x, STEP_FINISH);
}

static void
on_sent(struct down_stream *ds)
{
    exchange_run(ds->user, STEP_FINISH);
}

static const struct down_events down_events = {
    .on_body = pump_down_body,
    .on_writable = pump_down_writable,
    .on_abort = on_abort,
    .on_sent = on_sent,
};

/* All that came was handed on, and the origin would take more. */
static bool
client_owes_body(const struct exchange *x)
{
    return x->us && !x->ds->in_end && x->ds->in.len == 0 && x->us->ops->room(x->us) > 0;
}

/* The route's `timeout` is over, or the client's own. What is to be said of it. */
static const char *
exceed_timeout(struct exchange *x, enum reason_id reason, const char *what)
{
    if (grpc_gave_up(x))
        return grpc_record_timeout(x, reason_get(reason)->code, what);
    struct decision *d = decision_add(&x->px.log, "timeout", x->px.route_name, VERDICT_REFUSE);
    d->reason = reason_get(reason)->code;
    d->detail = limit_words(x->px.arena, "timeout", LIMIT_TIME, x->route->timeout, what);
    d->at = x->route->timeout_at;
    return d->detail.p;
}

/* A deadline passed while the body was coming: the origin has no part in that. */
static void
late_body(struct exchange *x)
{
    nsec_t now = clock_now(), per_try = x->target->cluster->retry.per_try_timeout;
    if (now < x->deadline) { /* of the attempt: the origin's time begins with the whole request */
        timer_set(&x->timer, now + per_try < x->deadline ? now + per_try : x->deadline);
        return;
    }
    const char *detail =
        exceed_timeout(x, REASON_REQUEST_TIMEOUT, "the body was not complete before the deadline of the request");
    exchange_interrupt(x);
    exchange_run(x, exchange_refuse(x, REASON_REQUEST_TIMEOUT, detail));
}

/* An attempt is under way and its deadline has passed, or that of the whole request. */
static void
late_answer(struct exchange *x)
{
    const char *what = "the upstream did not answer in time", *detail;
    if (clock_now() >= x->deadline)
        detail = exceed_timeout(x, REASON_UPSTREAM_TIMEOUT, what);
    else
        detail =
            limit_words(x->px.arena, "per_try_timeout", LIMIT_TIME, x->target->cluster->retry.per_try_timeout, what).p;
    /* A client that gives up says nothing about the origin, as one that leaves: it does both at once. */
    enum weir_result result = grpc_gave_up(x) ? WEIR_RESULT_CANCELLED : WEIR_RESULT_TIMEOUT;
    enum step failed = attempt_fail(x, result, REASON_UPSTREAM_TIMEOUT, detail);
    x->failure.text = detail;
    exchange_run(x, failed);
}

void
exchange_break_off(struct exchange *x, enum grpc_status status, struct slice message)
{
    attempt_settle(x, WEIR_RESULT_CANCELLED, 0);
    if (lasting_leave(x) || grpc_cut(x, status, message))
        return;
    attempt_release(x);
    x->ds->ops->reset(x->ds);
    exchange_run(x, STEP_FINISH);
}

/* Nothing moved for as long as the route allows: the answer, or the tunnel, is cut. */
static void
fell_silent(struct exchange *x)
{
    struct decision *d = decision_add(&x->px.log, "idle_timeout", x->px.upstream_name, VERDICT_ERROR);
    x->reason = reason_get(REASON_UPSTREAM_TIMEOUT);
    d->reason = x->tunnel ? "tunnel_idle" : "body_idle";
    d->detail =
        limit_words(x->px.arena, "idle_timeout", LIMIT_TIME, x->route->idle_timeout, "nothing came for too long");
    d->at = x->route->idle_timeout_at;
    exchange_break_off(x, GRPC_UNAVAILABLE, d->detail);
}

/* The client's own deadline passed while the answer was coming. */
static void
gave_up(struct exchange *x)
{
    const char *detail =
        grpc_record_timeout(x, reason_get(REASON_UPSTREAM_TIMEOUT)->code, "the answer was not complete in time");
    x->reason = reason_get(REASON_UPSTREAM_TIMEOUT);
    exchange_break_off(x, GRPC_DEADLINE_EXCEEDED, slice_str(detail));
}

/* The deadline: of the attempt or the whole request until the response head, of silence after it. */
static void
on_timer(struct timer *t)
{
    struct exchange *x = (struct exchange *)((char *)t - offsetof(struct exchange, timer));
    if (x->lasting && x->lasting->leaving) {
        exchange_break_off(x, GRPC_UNAVAILABLE, SLICE_NONE);
    } else if (x->head_sent && grpc_gave_up(x)) {
        gave_up(x);
    } else if (x->head_sent) {
        fell_silent(x);
    } else if (client_owes_body(x)) {
        late_body(x);
    } else if (x->attempt_open) {
        late_answer(x);
    } else {
        const char *detail = exceed_timeout(x, REASON_UPSTREAM_TIMEOUT, "the request could not be sent in time");
        exchange_interrupt(x);
        exchange_run(x, exchange_refuse(x, REASON_UPSTREAM_TIMEOUT, detail));
    }
}

/* ---- beginning ---- */

static struct exchange *
exchange_new(struct proxy_worker *w, struct down_stream *ds)
{
    struct exchange *x = arena_zalloc(&ds->arena, sizeof *x);
    x->worker = w;
    x->gen = w->gen;
    x->ds = ds;
    x->px.arena = &ds->arena;
    x->px.loop = w->worker->loop;
    x->px.services = &proxy_services;
    x->px.req = &ds->req;
    x->px.started = ds->started;
    x->px.edits_end = &x->px.edits;
    x->px.client = ds->peer;
    x->px.client_tls = ds->is_tls;
    x->px.client_cert = ds->client_cert;
    if (x->px.client_cert)
        client_cert_hold(x->px.client_cert);
    x->upstream_duration = -1;
    decision_init(&x->px.log, &ds->arena);
    iobuf_init(&x->replay, REPLAY_MAX);
    timer_init(&x->timer, w->worker->loop, on_timer);
    generation_hold(x->gen, w->worker->id);
    if (ds->req.version == HTTP_2) {
        grpc_receive(&x->px);
        ds->paced = x->px.grpc.is;
    }
    ds->events = &down_events;
    ds->user = x;
    w->exchanges++;
    return x;
}

/* Who sent it, and under which id. */
static void
receive(struct exchange *x)
{
    x->peer_trusted = forward_receive(&x->px, x->gen, x->ds->peer);
    if (!x->px.id.n)
        x->px.id = forward_new_id(x->px.arena);
}

void
exchange_start(struct proxy_worker *w, struct down_stream *ds)
{
    struct exchange *x = exchange_new(w, ds);
    record_limit(x, VERDICT_PASS, "connection_ends", NULL);
    exchange_run(x, STEP_ROUTE);
}

void
exchange_start_bad(struct proxy_worker *w, struct down_stream *ds, enum reason_id reason, const char *detail)
{
    struct exchange *x = exchange_new(w, ds);
    receive(x);
    record_limit(x, VERDICT_REFUSE, reason_get(reason)->code, detail);
    exchange_run(x, exchange_refuse(x, reason, detail));
}

/* ---- steps ---- */

static bool
body_too_large(struct exchange *x)
{
    const struct body_framing *body = &x->ds->req.body;

    if (x->by_message)
        return !grpc_within_cap(x);
    /* What came along with the head counts too; all that comes later passes pump_down_body. */
    return (body->kind == BODY_LENGTH && body->length > x->route->max_body) || x->ds->in.len > x->route->max_body;
}

/* false: its client's time is up already, which is the reason noted. */
static bool
begin_call(struct exchange *x)
{
    if (grpc_begin(x))
        return true;
    exchange_refuse(x, REASON_UPSTREAM_TIMEOUT,
                    exceed_timeout(x, REASON_UPSTREAM_TIMEOUT, "the client's time was up when it called"));
    return false;
}

/* Has a policy made a call of gRPC of the request (grpc_web)? From here on it is one. false: it is refused. */
static bool
adopt_call(struct exchange *x)
{
    const char *wrong;

    if (x->px.grpc.claimed)
        return true;
    grpc_receive(&x->px);
    if (!x->px.grpc.is)
        return true;
    x->ds->paced = true;
    wrong = grpc_refuses_timeout(&x->px);
    if (wrong) {
        exchange_refuse(x, REASON_BAD_REQUEST, wrong);
        return false;
    }
    if (!begin_call(x))
        return false;
    timer_set(&x->timer, x->deadline);
    return true;
}

static enum step
step_route(struct exchange *x)
{
    enum reason_id reason;
    const char *wrong = choice_refuses_head(&x->px, &reason);
    struct choice c;

    receive(x);
    if (wrong)
        return exchange_refuse(x, reason, wrong);
    choose(x->gen->routes, &x->px, &c);
    x->allow = c.allow;
    x->route = c.route;
    if (c.what == CHOICE_OPTIONS)
        return STEP_OPTIONS;
    /* Also before a refusal: policies decorate every answer that a route gives. */
    if (c.route)
        chain_begin(&x->px, c.route->chain);
    if (x->px.run && !x->px.grpc.is)
        grpc_note_claim(&x->px);
    if (c.what == CHOICE_HTTPS)
        return STEP_HTTPS;
    if (c.what == CHOICE_REFUSE)
        return exchange_refuse(x, c.reason, c.detail);
    x->deadline = clock_now() + x->route->timeout;
    if (x->px.grpc.is && !begin_call(x))
        return STEP_REFUSE;
    timer_set(&x->timer, x->deadline);
    x->by_message = x->px.grpc.is;
    if (body_too_large(x))
        return exchange_refuse_body(x);
    return STEP_REQUEST_POLICIES;
}

static enum step
step_request_policies(struct exchange *x)
{
    switch (chain_request(&x->px)) {
    case CHAIN_SUSPENDED:
        return STEP_WAIT;
    case CHAIN_REFUSED:
        return exchange_refused_by_policy(x);
    case CHAIN_PASS:
        break;
    }
    if (x->px.run && !x->px.grpc.is && !adopt_call(x))
        return STEP_REFUSE;
    if (x->route->action == ROUTE_RESPOND || x->route->action == ROUTE_REDIRECT)
        return STEP_RESPOND;
    return STEP_TARGET;
}

static enum step
step_target(struct exchange *x)
{
    x->target = x->route->target;
    switch (chain_target(&x->px)) {
    case CHAIN_SUSPENDED:
        return STEP_WAIT;
    case CHAIN_REFUSED:
        return exchange_refused_by_policy(x);
    case CHAIN_PASS:
        break;
    }
    if (x->px.target.n)
        x->target = generation_target(x->gen, x->px.target);
    if (!x->target)
        return exchange_refuse(x, REASON_POLICY_ERROR, "no upstream was chosen");
    x->px.upstream_name = slice_str(x->target->cluster->name);
    /* Who is sent HTTP/1.1 understands no gRPC: a client that only calls its request so gets no larger body by that. */
    if (x->by_message && x->target->cluster->protocol == ORIGIN_HTTP1) {
        x->by_message = false;
        if (body_too_large(x))
            return exchange_refuse_body(x);
    }
    return STEP_ATTEMPT;
}

void
exchange_resumed(struct weir_exchange *px)
{
    struct exchange *x = (struct exchange *)px;
    assert(x->waiting_in == STEP_REQUEST_POLICIES || x->waiting_in == STEP_TARGET);
    exchange_run(x, x->waiting_in);
}

/* ---- end ---- */

static void
write_log(struct exchange *x, nsec_t duration)
{
    const struct http_request *r = &x->ds->req;
    struct access_record rec = {
        .time_wall = clock_wall(),
        .duration = duration,
        .upstream_duration = x->upstream_duration,
        .request_id = x->px.id,
        .client = exchange_client_ip(&x->px),
        .method = r->method_text,
        .scheme = r->scheme,
        .host = r->host,
        .path = r->path,
        .query = r->query,
        .protocol = r->version == HTTP_1_0 ? SLICE("HTTP/1.0")
                    : r->version == HTTP_2 ? SLICE("HTTP/2")
                                           : SLICE("HTTP/1.1"),
        .status = x->status,
        .bytes_in = x->ds->bytes_in,
        .bytes_out = x->ds->bytes_out,
        .upstream = x->px.upstream_name,
        .endpoint = x->px.endpoint_address,
        .route = x->px.route_name,
        .attempts = x->attempts,
        .reason = x->reason ? x->reason->code : NULL,
        .why = &x->px.log,
    };
    access_log_write(x->gen->log, &rec);
}

static enum step
step_finish(struct exchange *x)
{
    struct proxy_worker *w = x->worker;
    struct generation *g = x->gen;
    struct down_stream *ds = x->ds;
    nsec_t duration = clock_now() - x->px.started;

    attempt_settle(x, WEIR_RESULT_CANCELLED, 0);
    attempt_release(x);
    if (x->entered)
        cluster_leave(x->target->cluster);
    if (x->px.grpc.is)
        grpc_count(x);
    chain_finish(&x->px);
    metrics_request(x->route ? x->route->stats : NULL, ds->req.method, x->status, duration);
    if (g->log)
        write_log(x, duration);
    timer_fini(&x->timer);
    if (x->lasting)
        lasting_end(x);
    iobuf_fini(&x->replay);
    client_cert_put(x->px.client_cert);
    w->exchanges--;
    if (x->tunnel)
        generation_count_tunnel(g, w->worker->id, -1);
    ds->ops->release(ds);
    generation_put(g, w->worker->id, g == w->gen);
    return STEP_WAIT;
}
