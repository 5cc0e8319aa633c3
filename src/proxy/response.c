/* The origin's head: another attempt, or on its way to the client. */
#include "exchange.h"

#include "../base/parse.h"
#include "forward.h"

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
    if (r->body.kind == BODY_LENGTH)
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
    timer_set(&x->timer, clock_now() + x->route->idle_timeout);
}

enum step
step_response(struct exchange *x)
{
    struct http_response *r = &x->us->res;
    bool error = r->status >= 500;

    if (r->status == 101 && !x->ds->req.upgrade.n)
        return bad_upgrade(x);
    if (error) {
        x->failure.result = WEIR_RESULT_ERROR_STATUS;
        x->failure.stale = false;
        x->failure.detail = SLICE_NONE;
        if (attempt_again(x, WEIR_RESULT_ERROR_STATUS, r->status))
            return STEP_ATTEMPT;
    }
    struct decision *d = decision_add(&x->px.log, "attempt", x->px.upstream_name, error ? VERDICT_ERROR : VERDICT_PASS);
    d->at = x->target->cluster->at;
    d->reason = error ? "error_status" : NULL;
    attempt_settle(x, error ? WEIR_RESULT_ERROR_STATUS : WEIR_RESULT_OK, r->status);

    struct body_framing body = framing_for_client(x, r);
    forward_response(x, r);
    x->px.res = r;
    chain_response(&x->px);
    begin_response(x, body);
    if (r->status == 101)
        open_tunnel(x);
    if (r->body.kind == BODY_NONE && r->status != 101) {
        x->response_done = true;
        attempt_release(x);
        return STEP_WAIT;
    }
    pump_response(x);
    return STEP_WAIT;
}
