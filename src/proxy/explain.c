#include "explain.h"

#include "choice.h"
#include "forward.h"
#include "grpc.h"
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

/* A path that is refused is no error here: a client would get an answer too. Who brings a certificate comes by TLS. */
static int
read_url(struct explanation *x, const struct generation *g, const struct explain_request *in, struct err *e)
{
    struct slice url = in->url;
    struct http_request *r = &x->req;
    struct url u;
    r->target = arena_slice(&x->arena, url);
    r->scheme = in->cert ? SLICE("https") : SLICE("http");
    if (url.n && url.p[0] != '/') {
        if (!url_parse(r->target, &u))
            return err_set(e, ERR_INPUT, "`%.*s` is not a URL; expected http://HOST/PATH or /PATH", SLICE_FMT(url));
        if (in->cert && !u.tls)
            return err_set(e, ERR_INPUT, "a client certificate comes with https alone, not with `%.*s`",
                           SLICE_FMT(url));
        r->scheme = u.tls ? SLICE("https") : SLICE("http");
    }
    x->malformed = uri_parse_target(r, &g->uri, &x->arena);
    if (x->malformed)
        r->path = SLICE_NONE;
    if (!r->authority.n) {
        const struct field *host = fields_find(&r->fields, FIELD_HOST);
        r->authority = host ? host->value : SLICE("localhost");
    }
    fields_set_id(&r->fields, FIELD_HOST, r->authority);
    const char *wrong = uri_parse_authority(r, &x->arena);
    return wrong ? err_set(e, ERR_INPUT, "the host is refused: %s", wrong) : 0;
}

static int
read_request(struct explanation *x, const struct generation *g, const struct explain_request *in, struct err *e)
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
    return read_url(x, g, in, e);
}

/* ---- the walk: the same steps as the exchange's, with nothing to wait for ---- */

static void
refuse(struct explanation *x, const struct reason *reason, struct slice detail, struct slice allow)
{
    struct refusal refusal = { .reason = reason, .detail = detail, .allow = allow };
    x->reason = reason;
    x->body = reply_refusal(&x->res, &x->px, &refusal);
}

static void
refused_by_policy(struct explanation *x)
{
    if (x->px.refusal.reason)
        refuse(x, x->px.refusal.reason, x->px.refusal.detail, SLICE_NONE);
    else
        x->body = reply_policy(&x->res, &x->px);
}

static bool
passes(struct explanation *x, enum chain_result (*phase)(struct weir_exchange *))
{
    enum chain_result r = phase(&x->px);
    if (r == CHAIN_REFUSED)
        refused_by_policy(x);
    return r == CHAIN_PASS;
}

/* The route leads to t. Its policies may still refuse. */
static void
to_upstream(struct explanation *x, struct target *t)
{
    struct weir_outcome o = { .size = sizeof o, .result = WEIR_RESULT_CANCELLED };
    x->upstream = x->px.upstream_name = slice_str(t->cluster->name);
    decision_add(&x->px.log, "target", x->upstream, VERDICT_PASS)->at = t->cluster->at;
    if (chain_attempt(&x->px, t->chain) == CHAIN_REFUSED) {
        refused_by_policy(x);
        return;
    }
    chain_outcome(&x->px, t->chain, &o);
    x->outcome = EXPLAIN_PROXY;
    forward_host(&x->px, t, NULL);
    forward_client_cert(&x->px, t);
}

static void
choose_upstream(struct explanation *x, struct generation *g)
{
    struct target *t = x->route->target;
    if (!passes(x, chain_target))
        return;
    if (x->px.target.n)
        t = generation_target(g, x->px.target);
    if (x->px.variants) {
        decision_add(&x->px.log, "target", SLICE_NONE, VERDICT_PASS)->reason = "random";
        x->outcome = EXPLAIN_PROXY;
    } else if (t) {
        to_upstream(x, t);
    } else {
        refuse(x, reason_get(REASON_POLICY_ERROR), SLICE("no upstream was chosen"), SLICE_NONE);
    }
}

static void
walk(struct explanation *x, struct generation *g)
{
    struct choice c;
    choose(g->routes, &x->px, &c);
    x->route = c.route;
    if (c.what == CHOICE_OPTIONS) {
        x->body = reply_options(&x->res, &x->px, c.allow);
        return;
    }
    if (c.route)
        chain_begin(&x->px, c.route->chain);
    if (c.what == CHOICE_HTTPS) {
        x->outcome = EXPLAIN_REDIRECT;
        x->body = reply_https(&x->res, &x->px, c.route);
        return;
    }
    if (c.what == CHOICE_REFUSE) {
        refuse(x, reason_get(c.reason), slice_str(c.detail), c.allow);
        return;
    }
    if (!passes(x, chain_request))
        return;
    if (!x->px.grpc.is) /* a policy may have made it a call */
        grpc_receive(&x->px);
    if (c.route->action != ROUTE_RESPOND && c.route->action != ROUTE_REDIRECT) {
        choose_upstream(x, g);
        return;
    }
    x->outcome = c.route->action == ROUTE_REDIRECT ? EXPLAIN_REDIRECT : EXPLAIN_REPLY;
    x->body = reply_route(&x->res, &x->px, c.route);
}

/* From the head as it came to the heads as they would leave: towards the origin, or to the client. */
static void
go(struct explanation *x, struct generation *g, const struct addr *peer)
{
    enum reason_id reason = REASON_BAD_REQUEST;
    const char *wrong = x->malformed;
    grpc_receive(&x->px);
    if (!wrong)
        wrong = choice_refuses_head(&x->px, &reason);
    bool trusted = forward_receive(&x->px, g, peer);

    if (wrong)
        refuse(x, reason_get(reason), slice_str(wrong), SLICE_NONE);
    else
        walk(x, g);
    if (x->outcome == EXPLAIN_PROXY) {
        forward_decorate(&x->px, peer, trusted);
        x->req.target = forward_target(&x->req, x->route);
    } else {
        chain_response(&x->px);
        if (x->px.grpc.http)
            grpc_pushback(&x->px);
        x->status = x->px.grpc.http ? x->px.grpc.http : x->res.status;
    }
    chain_finish(&x->px);
}

int
explain(struct generation *g, const struct explain_request *in, struct explanation *x, struct err *e)
{
    *x = (struct explanation){ .outcome = EXPLAIN_REPLY };
    arena_init(&x->arena);
    struct addr *loopback = arena_zalloc(&x->arena, sizeof *loopback);
    addr_parse_ip(SLICE("127.0.0.1"), loopback);
    x->px.arena = &x->arena;
    x->px.loop = loop_current();
    x->px.services = &dry_services;
    x->px.req = &x->req;
    x->px.edits_end = &x->px.edits;
    x->px.started = clock_now();
    x->px.explaining = true;
    x->px.explain_claims = in->claims;
    x->px.client_cert = in->cert;
    x->px.id = SLICE("00000000000000000000000000000000");
    decision_init(&x->px.log, &x->arena);
    fields_init(&x->res.fields, &x->arena);
    if (read_request(x, g, in, e) != 0)
        return -1;
    x->px.client_tls = x->req.scheme.n == 5;
    explained = g;
    go(x, g, in->client ? in->client : loopback);
    explained = NULL;
    return 0;
}

void
explanation_fini(struct explanation *x)
{
    arena_fini(&x->arena);
}
