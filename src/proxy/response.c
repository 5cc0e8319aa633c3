/* The origin's head: another attempt, or on its way to the client. */
#include "exchange.h"

#include "../base/parse.h"
#include "forward.h"
#include "grpc.h"
#include "lasting.h"
#include "worker.h"

/* How the client will see the end of the body. A HEAD answer keeps the length that GET would have had. */
static struct body_framing
framing_for_client(struct exchange *x, const struct http_response *r)
{
    const struct field *length = fields_find(&r->fields, FIELD_CONTENT_LENGTH);
    uint64_t n;
    if (r->body.kind == BODY_NONE) {
        if (length && x->ds->req.method == METHOD_HEAD && parse_u64(length->value, INT64_MAX, &n) == 0)
            return (struct body_framing){ BODY_LENGTH, n };
        return r->body;
    }
    if (x->px.grpc.is && grpc_trailers_only(x)) {
        fields_remove(&x->us->res.fields, FIELD_CONTENT_LENGTH);
        return (struct body_framing){ BODY_NONE, 0 };
    }
    if (r->body.kind == BODY_LENGTH && !x->ends_by_status) /* whose end must be free to tell why */
        return r->body;
    return (struct body_framing){ BODY_CHUNKED, 0 };
}

static enum step
bad_upgrade(struct exchange *x)
{
    return attempt_fail(x, WEIR_RESULT_BAD_RESPONSE, REASON_UPSTREAM_BAD_RESPONSE,
                        "101 without an upgrade that was asked for");
}

static void
open_tunnel(struct exchange *x)
{
    x->tunnel = true;
    generation_count_tunnel(x->gen, x->worker->worker->id, 1);
    x->body_sent = false; /* raw bytes from now on */
    iobuf_fini(&x->replay);
    x->ds->ops->upgraded(x->ds);
    x->us->ops->upgraded(x->us);
    pump_request(x);
}

/* A request whose upload is still going on must not be cut by the deadline of its head any more; silence is what counts
 * now. */
static void
begin_response(struct exchange *x, struct body_framing body)
{
    struct http_response *r = &x->us->res;
    x->status = r->status;
    x->head_sent = true;
    x->ds->ops->respond(x->ds, r, body, false);
    timer_set(&x->timer, exchange_patience(x));
    if (body.kind != BODY_LENGTH || x->route->max_duration)
        lasting_begin(x);
}

static bool
lists(struct slice list, struct slice token)
{
    struct slice member;
    while (field_list_next(&list, &member))
        if (slice_ieq(member, token))
            return true;
    return false;
}

/* To something else than the client offered no origin may switch (RFC 9110 7.8): it would open a tunnel for a protocol
 * that was taken out of the offer. An origin that does not say what to is taken at the offer. */
static bool
was_offered(struct slice offer, const struct http_response *r)
{
    for (const struct field *f = fields_find(&r->fields, FIELD_UPGRADE); f; f = fields_next(&r->fields, f)) {
        struct slice rest = f->value, member;
        while (field_list_next(&rest, &member))
            if (!lists(offer, member))
                return false;
    }
    return true;
}

/* 101 ends HTTP on both sides: only when it was asked for and nothing of the request is left to send. */
static bool
may_switch(const struct exchange *x)
{
    const struct slice offer = x->ds->req.upgrade;
    return offer.n && x->body_sent && was_offered(offer, &x->us->res);
}

/* Some origins end an idle connection with a 408, which may cross the next request on its way (RFC 9110 15.5.9). */
static bool
gave_up_waiting(const struct exchange *x)
{
    return x->us->res.status == 408 && x->us->reused && !x->us->res.keep_alive && x->body_sent;
}

/* Is it an answer after which another attempt could be made, by what `on` lists? */
static bool
may_be_listed(const struct exchange *x)
{
    const struct retry_conf *retry = &x->target->cluster->retry;

    if (retry->grpc && grpc_trailers_only(x))
        return retry->grpc >> x->px.grpc.status & 1;
    return retry_on_status(retry, x->us->res.status);
}

enum step
step_response(struct exchange *x)
{
    struct http_response *r = &x->us->res;
    int status = r->status;
    bool error = status >= 500;

    if (r->status == 101 && !may_switch(x))
        return bad_upgrade(x);
    x->failure.stale = gave_up_waiting(x);
    attempt_record(x, error ? VERDICT_ERROR : VERDICT_PASS, error ? "error_status" : NULL);
    bool settled = !x->px.grpc.is || grpc_settled(x, &status);
    enum weir_result result = status >= 500 ? WEIR_RESULT_ERROR_STATUS : WEIR_RESULT_OK;
    if (x->failure.stale || may_be_listed(x))
        if (attempt_again(x, result, status))
            return STEP_ATTEMPT;
    if (settled)
        attempt_settle(x, result, status);
    else
        x->answered = clock_now();

    struct body_framing body = framing_for_client(x, r);
    x->response_named = forward_response(r, x->px.id);
    if (x->px.hsts.n) /* what is configured here counts, whatever the origin says */
        fields_set(&r->fields, SLICE("Strict-Transport-Security"), x->px.hsts);
    x->px.res = r;
    chain_response(&x->px);
    if (x->px.filters)
        body = filtered_response(x, body);
    begin_response(x, body);
    if (r->status == 101)
        open_tunnel(x);
    else if (r->body.kind == BODY_NONE)
        pump_finish_response(x);
    pump_response(x);
    return STEP_WAIT;
}
