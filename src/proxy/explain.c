#include "explain.h"

#include "forward.h"
#include "reply.h"

/* ---- what policies ask for; nothing leaves the process ---- */

static _Thread_local struct generation
    *explained; /* offline and on the service thread alike: one at a time per thread */

static bool
dry_upstream_healthy(struct weir_exchange *px, struct slice upstream)
{
    (void)px;
    struct target *t = generation_target(explained, upstream);
    return t && cluster_healthy(t->cluster);
}

static struct weir_call *
dry_store_eval(struct weir_exchange *px, struct weir_str store, const char *script, struct weir_str key,
               const struct weir_str *args, unsigned n, weir_store_done done, void *arg)
{
    (void)px, (void)store, (void)script, (void)key, (void)args, (void)n, (void)done, (void)arg;
    return NULL;
}

static void
dry_store_cancel(struct weir_call *c)
{
    (void)c;
}

static void
dry_resumed(struct weir_exchange *px)
{
    (void)px;
}

static const struct exchange_services dry_services = {
    .upstream_healthy = dry_upstream_healthy,
    .store_eval = dry_store_eval,
    .store_cancel = dry_store_cancel,
    .resumed = dry_resumed,
};

/* ---- the request ---- */

static int
read_url(struct explanation *x, struct slice url, struct err *e)
{
    struct http_request *r = &x->req;
    struct url u;
    r->target = arena_slice(&x->arena, url);
    r->scheme = SLICE("http");
    if (url.n && url.p[0] != '/') {
        if (!url_parse(r->target, &u))
            return err_set(e, ERR_INPUT, "`%.*s` is not a URL; expected http://HOST/PATH or /PATH", SLICE_FMT(url));
        r->scheme = u.tls ? SLICE("https") : SLICE("http");
    }
    const char *wrong = uri_parse_target(r, &(struct uri_rules){ 0 }, &x->arena);
    if (wrong)
        return err_set(e, ERR_INPUT, "the path is refused: %s", wrong);
    if (!r->authority.n) {
        const struct field *host = fields_find(&r->fields, FIELD_HOST);
        r->authority = host ? host->value : SLICE("localhost");
    }
    fields_set_id(&r->fields, FIELD_HOST, r->authority);
    wrong = uri_parse_authority(r, &x->arena);
    return wrong ? err_set(e, ERR_INPUT, "the host is refused: %s", wrong) : 0;
}

static int
read_request(struct explanation *x, const struct explain_request *in, struct err *e)
{
    struct http_request *r = &x->req;
    if (!field_is_token(in->method))
        return err_set(e, ERR_INPUT, "`%.*s` is not a method", SLICE_FMT(in->method));
    r->method_text = arena_slice(&x->arena, in->method);
    r->method = method_lookup(r->method_text);
    r->version = HTTP_1_1;
    fields_init(&r->fields, &x->arena);
    for (unsigned i = 0; i < in->fields.n; i++) {
        const struct field *f = &in->fields.v[i];
        if (!field_is_token(f->name) || !field_is_value(f->value))
            return err_set(e, ERR_INPUT, "`%.*s` is not a header field", SLICE_FMT(f->name));
        fields_add(&r->fields, arena_slice(&x->arena, f->name), arena_slice(&x->arena, f->value));
    }
    return read_url(x, in->url, e);
}

/* ---- the walk: the same steps as the exchange's, with nothing to wait for ---- */

static void
refuse(struct explanation *x, enum reason_id id, const char *detail)
{
    x->reason = reason_get(id);
    struct decision *d = decision_add(&x->px.log, "reply", x->px.route_name, VERDICT_REFUSE);
    d->reason = x->reason->code;
    d->detail = slice_str(detail);
}

static void
refused_by_policy(struct explanation *x)
{
    x->reason = x->px.refusal.reason;
    if (!x->reason) { /* host->reply */
        x->status = x->px.refusal.status;
        x->body = x->px.refusal.body;
    }
}

static bool
passes(struct explanation *x, enum chain_result (*phase)(struct weir_exchange *))
{
    enum chain_result r = phase(&x->px);
    if (r == CHAIN_REFUSED)
        refused_by_policy(x);
    return r == CHAIN_PASS;
}

static void
local_answer(struct explanation *x)
{
    const struct route *r = x->route;
    struct decision *d = decision_add(&x->px.log, "reply", r->name, VERDICT_PASS);
    d->at = r->at;
    d->reason = r->action == ROUTE_REDIRECT ? "redirect" : "respond";
    x->status = r->status;
    x->outcome = r->action == ROUTE_REDIRECT ? EXPLAIN_REDIRECT : EXPLAIN_REPLY;
    if (r->action == ROUTE_REDIRECT) {
        fields_add_id(&x->res.fields, FIELD_LOCATION, template_field(r->text, &x->px));
        return;
    }
    x->body = r->text ? template_text(r->text, &x->px) : SLICE_NONE;
    if (x->body.n)
        fields_add_id(&x->res.fields, FIELD_CONTENT_TYPE, template_field(r->content_type, &x->px));
}

static void
choose_upstream(struct explanation *x, struct generation *g)
{
    struct target *t = x->route->target;
    if (!passes(x, chain_target))
        return;
    if (x->px.target.n)
        t = generation_target(g, x->px.target);
    if (!t && !x->px.variants) {
        refuse(x, REASON_POLICY_ERROR, "no upstream was chosen");
        return;
    }
    x->outcome = EXPLAIN_PROXY;
    if (x->px.variants) {
        decision_add(&x->px.log, "target", SLICE_NONE, VERDICT_PASS)->reason = "random";
        return;
    }
    x->upstream = x->px.upstream_name = slice_str(t->cluster->name);
    struct decision *d = decision_add(&x->px.log, "target", x->upstream, VERDICT_PASS);
    d->at = t->cluster->at;
    if (chain_attempt(&x->px, t->chain) == CHAIN_REFUSED) {
        refused_by_policy(x);
        return;
    }
    struct weir_outcome o = { .size = sizeof o, .result = WEIR_RESULT_CANCELLED };
    chain_outcome(&x->px, t->chain, &o);
}

static void
walk(struct explanation *x, struct generation *g)
{
    struct route_match m;
    if (x->req.method == METHOD_CONNECT || x->req.method == METHOD_TRACE) {
        refuse(x, REASON_METHOD_NOT_ALLOWED, "this method is not served by a gateway");
        return;
    }
    bool found = route_find(g->routes, &x->px, &m);
    x->route = m.route;
    x->px.route_name = m.route ? m.route->name : SLICE_NONE;
    struct decision *d =
        decision_add(&x->px.log, "route", x->px.route_name, found && !m.method_refused ? VERDICT_PASS : VERDICT_REFUSE);
    d->at = m.route ? m.route->at : NULL;
    if (!found) {
        refuse(x, REASON_NO_ROUTE, "no route is configured for this host and path");
        return;
    }
    if (m.method_refused) {
        fields_set_id(&x->res.fields, FIELD_ALLOW, m.allow);
        refuse(x, REASON_METHOD_NOT_ALLOWED, "this path does not accept this method");
        return;
    }
    chain_begin(&x->px, m.route->chain);
    if (!passes(x, chain_request))
        return;
    if (m.route->action == ROUTE_RESPOND || m.route->action == ROUTE_REDIRECT)
        local_answer(x);
    else
        choose_upstream(x, g);
}

/* The heads as they would leave: towards the origin, or to the client. */
static void
finish_heads(struct explanation *x)
{
    if (x->outcome == EXPLAIN_PROXY && !x->reason && !x->status) {
        forward_decorate(&x->req, x->px.client, false, x->px.id);
        x->req.target = forward_target(&x->req, x->route);
        return;
    }
    if (x->reason) {
        x->status = x->reason->status;
        fields_add_id(&x->res.fields, FIELD_CONTENT_TYPE, SLICE("application/problem+json"));
        fields_add_id(&x->res.fields, FIELD_PROXY_STATUS,
                      arena_printf(&x->arena, "weir; error=%s", x->reason->proxy_error));
        x->body = reply_problem(&x->arena, x->reason, x->px.refusal.detail, x->px.id);
    }
    x->outcome = x->outcome == EXPLAIN_REDIRECT ? EXPLAIN_REDIRECT : EXPLAIN_REPLY;
    x->res.status = x->status;
    x->px.res = &x->res;
    if (x->px.run)
        chain_response(&x->px);
}

int
explain(struct generation *g, const struct explain_request *in, struct explanation *x, struct err *e)
{
    static const struct addr *local;
    static struct addr loopback;
    *x = (struct explanation){ .outcome = EXPLAIN_REPLY };
    arena_init(&x->arena);
    if (!local) {
        addr_parse_ip(SLICE("127.0.0.1"), &loopback);
        local = &loopback;
    }
    x->px.arena = &x->arena;
    x->px.loop = loop_current();
    x->px.services = &dry_services;
    x->px.req = &x->req;
    x->px.client = in->client ? in->client : local;
    x->px.edits_end = &x->px.edits;
    x->px.started = clock_now();
    x->px.explaining = true;
    x->px.explain_claims = in->claims;
    x->px.id = SLICE("00000000000000000000000000000000");
    decision_init(&x->px.log, &x->arena);
    fields_init(&x->res.fields, &x->arena);
    if (read_request(x, in, e) != 0)
        return -1;
    x->px.client_tls = x->req.scheme.n == 5;
    explained = g;
    forward_clean(&x->req, g->underscores);
    walk(x, g);
    finish_heads(x);
    chain_finish(&x->px);
    explained = NULL;
    return 0;
}

void
explanation_fini(struct explanation *x)
{
    arena_fini(&x->arena);
}
