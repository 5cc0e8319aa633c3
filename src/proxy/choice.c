#include "choice.h"

#include "../base/parse.h"
#include "forward.h"
#include "grpc.h"

/* What weir understands, whatever the routes say. */
#define METHODS_SERVED SLICE("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH")

const char *
choice_refuses_head(struct weir_exchange *x, enum reason_id *reason)
{
    const struct http_request *r = x->req;

    for (const struct field *f = fields_find(&r->fields, FIELD_EXPECT); f; f = fields_next(&r->fields, f)) {
        *reason = REASON_EXPECTATION_FAILED;
        if (!slice_ieq(f->value, SLICE("100-continue")))
            return "the only expectation that can be met is 100-continue";
    }
    *reason = REASON_LOOP_DETECTED;
    if (forward_loops(r))
        return "this request has passed through here too many times";
    *reason = REASON_BAD_REQUEST;
    return x->grpc.is ? grpc_refuses_timeout(x) : NULL;
}

/* RFC 9110 7.6.2: is weir its last stop? Else it goes on with one forward less. */
static bool
forwards_used_up(struct http_request *r)
{
    const struct field *f = fields_find(&r->fields, FIELD_MAX_FORWARDS);
    uint64_t left;
    if (!f || parse_u64(f->value, INT32_MAX, &left) != 0)
        return false;
    if (left == 0)
        return true;
    fields_set_id(&r->fields, FIELD_MAX_FORWARDS, arena_printf(r->fields.arena, "%u", (unsigned)left - 1));
    return false;
}

static struct decision *
refuse(struct weir_exchange *x, struct choice *c, enum reason_id reason, const char *detail)
{
    struct decision *d = decision_add(&x->log, "route", x->route_name, VERDICT_REFUSE);
    d->reason = reason_get(reason)->code;
    c->what = CHOICE_REFUSE;
    c->reason = reason;
    c->detail = detail;
    return d;
}

/* OPTIONS that is meant for the gateway itself: `*` without a route of its own, or no forward left. */
static bool
meant_for_weir(struct http_request *r, bool found)
{
    if (r->method != METHOD_OPTIONS)
        return false;
    return (!found && slice_eq(r->path, SLICE("*"))) || forwards_used_up(r);
}

/* Before any method or policy is looked at: what the client has to show, it shall not show in the open. */
static void
to_https(struct weir_exchange *x, struct choice *c)
{
    if (!x->req->host.n) {
        refuse(x, c, REASON_BAD_REQUEST, "this is served by https alone, and no host is named to go to");
        return;
    }
    c->what = CHOICE_HTTPS;
    decision_add(&x->log, "route", x->route_name, VERDICT_PASS)->at = c->route->at;
}

void
choose(const struct route_table *t, struct weir_exchange *x, struct choice *out)
{
    struct http_request *r = x->req;
    struct route_match m;

    *out = (struct choice){ .what = CHOICE_ROUTE };
    if (r->method == METHOD_CONNECT || r->method == METHOD_TRACE) {
        out->allow = METHODS_SERVED;
        refuse(x, out, REASON_METHOD_NOT_ALLOWED, "this method is not served by a gateway");
        return;
    }
    bool found = route_find(t, x, &m);
    if (meant_for_weir(r, found)) {
        out->what = CHOICE_OPTIONS;
        out->allow = METHODS_SERVED;
        decision_add(&x->log, "route", SLICE_NONE, VERDICT_PASS)->reason = "options";
        return;
    }
    if (!found) {
        refuse(x, out, REASON_NO_ROUTE, "no route is configured for this host and path");
        return;
    }
    out->route = m.route;
    x->route_name = m.route->name;
    if (x->client_tls)
        x->hsts = m.route->hsts;
    else if (m.route->https_status) {
        to_https(x, out);
        return;
    }
    if (m.method_refused) {
        out->allow = m.allow;
        refuse(x, out, REASON_METHOD_NOT_ALLOWED, "this path does not accept this method")->at = m.route->at;
        return;
    }
    decision_add(&x->log, "route", x->route_name, VERDICT_PASS)->at = m.route->at;
}
