/* The steps in which weir answers by itself. */
#include "exchange.h"

#include "grpc.h"
#include "reply.h"

/* Policies decorate answers made here as they do the origins' (CORS, limits): a client must be able to read why it was
 * refused. */
static enum step
give(struct exchange *x, struct slice body, bool close)
{
    struct http_response *r = &x->local;
    struct body_framing framing = { BODY_LENGTH, body.n };

    chain_response(&x->px);
    if (x->px.grpc.http)
        grpc_pushback(&x->px);
    if (status_has_no_body(r->status) || x->px.grpc.http)
        framing = (struct body_framing){ BODY_NONE, 0 };
    x->status = x->px.grpc.http ? x->px.grpc.http : r->status;
    x->head_sent = true;
    x->response_done = true;
    timer_clear(&x->timer);
    x->ds->ops->respond(x->ds, r, framing, close);
    if (framing.kind == BODY_NONE)
        return STEP_WAIT;
    if (body.n && x->ds->req.method != METHOD_HEAD) {
        struct iobuf out;
        iobuf_init(&out, body.n);
        iobuf_adds(&out, body);
        x->ds->ops->send(x->ds, &out, body.n);
        iobuf_fini(&out);
    }
    x->ds->ops->end(x->ds, NULL);
    return STEP_WAIT;
}

/* Seconds after which trying again makes sense; 0: nobody knows. Requests that fill a limit are soon over; endpoints
 * that failed their checks are looked at again when the next one is due. */
static unsigned
retry_after(const struct exchange *x)
{
    if (x->reason == reason_get(REASON_OVERFLOW_CONNECTIONS) || x->reason == reason_get(REASON_OVERFLOW_PENDING) ||
        x->reason == reason_get(REASON_OVERFLOW_REQUESTS))
        return 1;
    if (x->reason == reason_get(REASON_NO_HEALTHY_ENDPOINT))
        return (unsigned)((x->target->check_interval + NSEC_PER_SEC - 1) / NSEC_PER_SEC);
    return 0;
}

enum step
step_refuse(struct exchange *x)
{
    const struct reason *r = x->reason;

    attempt_settle(x, WEIR_RESULT_CANCELLED, 0);
    attempt_release(x);
    if (x->head_sent || (r && r->status == 0)) {
        x->ds->ops->reset(x->ds);
        return STEP_FINISH;
    }
    if (!r) /* a policy's own answer: host->reply */
        return give(x, reply_policy(&x->local, &x->px), false);
    struct refusal refusal = {
        .reason = r, .detail = x->reason_detail, .allow = x->allow, .retry_after = retry_after(x)
    };
    return give(x, reply_refusal(&x->local, &x->px, &refusal), r->close);
}

enum step
step_https(struct exchange *x)
{
    return give(x, reply_https(&x->local, &x->px, x->route), false);
}

enum step
step_options(struct exchange *x)
{
    return give(x, reply_options(&x->local, &x->px, x->allow), false);
}

enum step
step_respond(struct exchange *x)
{
    return give(x, reply_route(&x->local, &x->px, x->route), false);
}
