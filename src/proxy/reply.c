#include "reply.h"

#include "../base/strbuf.h"
#include "grpc.h"
#include "route.h"

/* What a policy says of a request may quote it: no more than this is shown to the client. */
#define DETAIL_MAX 1024

struct slice
reply_problem(struct arena *a, const struct reason *r, struct slice detail, struct slice request_id)
{
    struct strbuf b;
    if (detail.n == 0)
        detail = slice_str(r->title);
    if (detail.n > DETAIL_MAX)
        detail.n = DETAIL_MAX;
    strbuf_init(&b, 16 * DETAIL_MAX);
    strbuf_addf(&b, "{\"type\":\"urn:weir:reason:%s\",\"title\":\"%s\",\"status\":%d,\"detail\":\"", r->code, r->title,
                r->status);
    strbuf_addjson(&b, detail);
    strbuf_addf(&b, "\",\"reason\":\"%s\",\"request_id\":\"", r->code);
    strbuf_addjson(&b, request_id);
    strbuf_adds(&b, "\"}\n");
    struct slice body = arena_slice(a, strbuf_slice(&b));
    strbuf_fini(&b);
    return body;
}

static void
begin(struct http_response *r, struct weir_exchange *x, int status)
{
    *r = (struct http_response){ .status = status, .version = HTTP_1_1 };
    r->reason_phrase = slice_str(status_phrase(status));
    fields_init(&r->fields, x->arena);
    fields_add_id(&r->fields, FIELD_X_REQUEST_ID, x->id);
    if (x->hsts.n)
        fields_add(&r->fields, SLICE("Strict-Transport-Security"), x->hsts);
    x->res = r;
}

static struct decision *
record(struct weir_exchange *x, enum verdict verdict, const char *reason)
{
    struct decision *d = decision_add(&x->log, "reply", x->route_name, verdict);
    d->reason = reason;
    return d;
}

struct slice
reply_refusal(struct http_response *r, struct weir_exchange *x, const struct refusal *refusal)
{
    const struct reason *why = refusal->reason;
    struct fields *f = &r->fields;

    record(x, VERDICT_REFUSE, why->code)->detail = refusal->detail;
    begin(r, x, why->status);
    if (x->grpc.is)
        grpc_reply(r, x, grpc_of_reason(why), refusal->detail.n ? refusal->detail : slice_str(why->title));
    else
        fields_add_id(f, FIELD_CONTENT_TYPE, SLICE("application/problem+json"));
    fields_add_id(f, FIELD_PROXY_STATUS, arena_printf(x->arena, "weir; error=%s", why->proxy_error));
    if (refusal->allow.n)
        fields_add_id(f, FIELD_ALLOW, refusal->allow);
    if (refusal->retry_after)
        fields_add_id(f, FIELD_RETRY_AFTER, arena_printf(x->arena, "%u", refusal->retry_after));
    return x->grpc.is ? SLICE_NONE : reply_problem(x->arena, why, refusal->detail, x->id);
}

/* An error of a policy or a route, for a gRPC client: the text of its document, if it has one, is the message. */
static bool
told_grpc(struct http_response *r, struct weir_exchange *x, struct slice type, struct slice body)
{
    struct reason said = { .status = r->status };

    if (!x->grpc.is || r->status < 400)
        return false;
    if (!body.n || !slice_ieq(slice_of(type.p, type.n < 5 ? type.n : 5), SLICE("text/")))
        body = r->reason_phrase;
    grpc_reply(r, x, grpc_of_reason(&said), body);
    return true;
}

struct slice
reply_policy(struct http_response *r, struct weir_exchange *x)
{
    begin(r, x, x->refusal.status);
    if (told_grpc(r, x, x->refusal.content_type, x->refusal.body))
        return SLICE_NONE;
    if (x->refusal.content_type.n)
        fields_add_id(&r->fields, FIELD_CONTENT_TYPE, x->refusal.content_type);
    return x->refusal.body;
}

struct slice
reply_options(struct http_response *r, struct weir_exchange *x, struct slice allow)
{
    record(x, VERDICT_PASS, "options");
    begin(r, x, 204);
    fields_add_id(&r->fields, FIELD_ALLOW, allow);
    return SLICE_NONE;
}

struct slice
reply_https(struct http_response *r, struct weir_exchange *x, const struct route *route)
{
    struct slice uri, port = SLICE_NONE;
    record(x, VERDICT_PASS, "https")->at = route->https_at;
    begin(r, x, route->https_status);
    variable_text(x, SLICE("request.uri"), &uri);
    if (route->https_port != 443)
        port = arena_printf(x->arena, ":%d", route->https_port);
    fields_add_id(
        &r->fields, FIELD_LOCATION,
        arena_printf(x->arena, "https://%.*s%.*s%.*s", SLICE_FMT(x->req->host), SLICE_FMT(port), SLICE_FMT(uri)));
    return SLICE_NONE;
}

struct slice
reply_route(struct http_response *r, struct weir_exchange *x, const struct route *route)
{
    bool redirect = route->action == ROUTE_REDIRECT;
    struct slice body = SLICE_NONE, type = SLICE_NONE;

    record(x, VERDICT_PASS, redirect ? "redirect" : "respond")->at = route->at;
    begin(r, x, route->status);
    if (redirect)
        fields_add_id(&r->fields, FIELD_LOCATION, template_field(route->text, x));
    else if (route->text)
        body = template_text(route->text, x);
    if (body.n)
        type = template_field(route->content_type, x);
    if (told_grpc(r, x, type, body))
        return SLICE_NONE;
    if (body.n)
        fields_add_id(&r->fields, FIELD_CONTENT_TYPE, type);
    return body;
}
