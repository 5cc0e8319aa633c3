/* Answers made by weir itself: refusals as problem documents (RFC 9457), and routes' own `respond` and `redirect`. */
#include "exchange.h"

#include "../base/strbuf.h"
#include "reply.h"

struct slice
reply_problem(struct arena *a, const struct reason *r, struct slice detail, struct slice request_id)
{
    struct strbuf b;
    strbuf_init(&b, 4096);
    strbuf_addf(&b, "{\"type\":\"urn:weir:reason:%s\",\"title\":\"%s\",\"status\":%d,\"detail\":\"", r->code, r->title,
                r->status);
    strbuf_addjson(&b, detail.n ? detail : slice_str(r->title));
    strbuf_addf(&b, "\",\"reason\":\"%s\",\"request_id\":\"", r->code);
    strbuf_addjson(&b, request_id);
    strbuf_adds(&b, "\"}\n");
    struct slice body = arena_slice(a, strbuf_slice(&b));
    strbuf_fini(&b);
    return body;
}

static void
begin(struct exchange *x, int status)
{
    struct http_response *r = &x->local;
    *r = (struct http_response){ .status = status, .version = HTTP_1_1 };
    r->reason_phrase = slice_str(status_phrase(status));
    fields_init(&r->fields, x->px.arena);
    fields_add_id(&r->fields, FIELD_X_REQUEST_ID, x->px.id);
    x->px.res = r;
    x->status = status;
}

/* Policies decorate answers made here as they do the origins' (CORS, limits): a client must be able to read why it was
 * refused. */
static enum step
finish_reply(struct exchange *x, struct slice body, bool close)
{
    struct http_response *r = &x->local;
    struct body_framing framing = { BODY_LENGTH, body.n };
    chain_response(&x->px);
    if (status_has_no_body(r->status))
        framing = (struct body_framing){ BODY_NONE, 0 };
    x->status = r->status;
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

/* A policy's own answer (host->reply) has a status and a body but no reason. */
static enum step
policy_reply(struct exchange *x)
{
    begin(x, x->px.refusal.status);
    if (x->px.refusal.content_type.n)
        fields_add_id(&x->local.fields, FIELD_CONTENT_TYPE, x->px.refusal.content_type);
    return finish_reply(x, x->px.refusal.body, false);
}

enum step
step_refuse(struct exchange *x)
{
    const struct reason *r = x->reason;

    attempt_settle(x, WEIR_RESULT_CANCELLED, 0);
    attempt_release(x);
    if (!r)
        return policy_reply(x);
    if (x->head_sent || r->status == 0) {
        x->ds->ops->reset(x->ds);
        return STEP_FINISH;
    }
    struct decision *d = decision_add(&x->px.log, "reply", x->px.route_name, VERDICT_REFUSE);
    d->reason = r->code;
    d->detail = x->reason_detail;
    begin(x, r->status);
    struct fields *f = &x->local.fields;
    fields_add_id(f, FIELD_CONTENT_TYPE, SLICE("application/problem+json"));
    fields_add_id(f, FIELD_PROXY_STATUS, arena_printf(x->px.arena, "weir; error=%s", r->proxy_error));
    if (x->allow.n)
        fields_add_id(f, FIELD_ALLOW, x->allow);
    if (retry_after(x))
        fields_add_id(f, FIELD_RETRY_AFTER, arena_printf(x->px.arena, "%u", retry_after(x)));
    struct slice body = reply_problem(x->px.arena, r, x->reason_detail, x->px.id);
    return finish_reply(x, body, r->close);
}

enum step
step_options(struct exchange *x)
{
    struct decision *d = decision_add(&x->px.log, "reply", SLICE_NONE, VERDICT_PASS);
    d->reason = "options";
    begin(x, 204);
    fields_add_id(&x->local.fields, FIELD_ALLOW, x->allow);
    return finish_reply(x, SLICE_NONE, false);
}

enum step
step_respond(struct exchange *x)
{
    const struct route *r = x->route;
    struct decision *d = decision_add(&x->px.log, "reply", r->name, VERDICT_PASS);
    d->at = r->at;
    d->reason = r->action == ROUTE_REDIRECT ? "redirect" : "respond";
    begin(x, r->status);
    if (r->action == ROUTE_REDIRECT) {
        fields_add_id(&x->local.fields, FIELD_LOCATION, template_field(r->text, &x->px));
        return finish_reply(x, SLICE_NONE, false);
    }
    struct slice text = r->text ? template_text(r->text, &x->px) : SLICE_NONE;
    if (text.n)
        fields_add_id(&x->local.fields, FIELD_CONTENT_TYPE, template_field(r->content_type, &x->px));
    return finish_reply(x, text, false);
}
