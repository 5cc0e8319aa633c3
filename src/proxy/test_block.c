/* `test` blocks: a request and what must come of it. Run by `weir check` and every load; nothing is sent anywhere. */
#include "../net/client_cert.h"
#include "explain.h"

#define TEXT(name_) (const struct weir_arg[]){ { .name = name_, .type = WEIR_T_STRING }, { 0 } }
#define TWO(a_, b_) \
    (const struct weir_arg[]){ { .name = a_, .type = WEIR_T_STRING }, { .name = b_, .type = WEIR_T_STRING }, { 0 } }

const struct weir_directive test_rows[] = {
    { .name = "test", .in = "main", .args = TEXT("TITLE"), .block = "test", .flags = WEIR_D_REPEAT,
      .help = "A request and what must come of it; run by `weir check` and every reload." },
    { .name = "request", .in = "test", .args = TWO("METHOD", "URL"), .flags = WEIR_D_REQUIRED, .help = "The request." },
    { .name = "header", .in = "test", .args = TWO("NAME", "VALUE"), .flags = WEIR_D_REPEAT,
      .help = "A header field of the request." },
    { .name = "client", .in = "test", .args = TEXT("ADDRESS"),
      .help = "Where the request comes from. Default: 127.0.0.1." },
    { .name = "claims", .in = "test", .args = TEXT("JSON"), .help = "Stands for a valid token with these claims." },
    { .name = "client_cert", .in = "test",
      .args = (const struct weir_arg[]){ { .name = "FILE", .type = WEIR_T_PATH }, { 0 } },
      .help = "Stands for a verified certificate of the client (PEM, a chain behind it); the request comes by https." },
    { .name = "expect", .in = "test",
      .args = (const struct weir_arg[]){
          { .name = "WHAT", .type = WEIR_T_WORD, .choices = "route|status|reason|upstream|header|body" },
          { .name = "VALUE", .type = WEIR_T_STRING, .flags = WEIR_ARG_REPEAT }, { 0 } },
      .flags = WEIR_D_REPEAT | WEIR_D_REQUIRED,
      .help = "What must come of it: route NAME, status N, reason CODE, upstream NAME, header NAME VALUE, body TEXT." },
    { 0 },
};

static void
unmet(const struct weir_conf *line, struct slice got)
{
    conf_error(line, 0, "test \"%s\": expected %s `%s`, got %s%.*s%s", conf_arg(conf_parent(line), 0).p,
               conf_arg(line, 0).p, conf_arg(line, conf_args(line) - 1).p, got.n ? "`" : "none", SLICE_FMT(got),
               got.n ? "`" : "");
}

static bool
expect_text(const struct weir_conf *line, struct slice got)
{
    if (slice_eq(got, conf_arg(line, 1)))
        return true;
    unmet(line, got);
    return false;
}

static bool
expect_upstream(const struct weir_conf *line, const struct explanation *x)
{
    /* A random split may lead to any of its upstreams. */
    for (const struct explain_variant *v = x->px.variants; v; v = v->next)
        if (v->share > 0 && slice_eq(v->upstream, conf_arg(line, 1)))
            return true;
    return expect_text(line, x->upstream);
}

static bool
expect_header(const struct weir_conf *line, const struct explanation *x)
{
    const struct fields *f = x->outcome == EXPLAIN_PROXY ? &x->req.fields : &x->res.fields;
    if (conf_args(line) != 3) {
        conf_error(line, 0, "`expect header` takes a name and a value");
        return false;
    }
    const struct field *got = fields_find_name(f, conf_arg(line, 1));
    for (const struct field *l = got; l; l = fields_next(f, l))
        if (slice_eq(l->value, conf_arg(line, 2)))
            return true;
    unmet(line, got ? got->value : SLICE_NONE);
    return false;
}

static bool
expectation_holds(const struct weir_conf *line, struct explanation *x)
{
    struct slice what = conf_arg(line, 0);
    if (slice_eq(what, SLICE("header")))
        return expect_header(line, x);
    if (conf_args(line) != 2) {
        conf_error(line, 0, "`expect %s` takes one value", what.p);
        return false;
    }
    if (slice_eq(what, SLICE("route")))
        return expect_text(line, x->px.route_name);
    if (slice_eq(what, SLICE("upstream")))
        return expect_upstream(line, x);
    if (slice_eq(what, SLICE("reason")))
        return expect_text(line, slice_str(x->reason ? x->reason->code : NULL));
    if (slice_eq(what, SLICE("body")))
        return expect_text(line, x->body);
    return expect_text(line, x->status ? arena_printf(&x->arena, "%d", x->status) : SLICE_NONE);
}

static bool
expectations_hold(struct generation *g, const struct weir_conf *block, const struct explain_request *in)
{
    struct explanation x;
    struct err e;
    bool good = true;

    if (explain(g, in, &x, &e) != 0) {
        conf_error(conf_find(block, "request"), 1, "%s", e.text);
        good = false;
    } else {
        for (const struct weir_conf *l = conf_find(block, "expect"); l; l = conf_next(l))
            good &= expectation_holds(l, &x);
    }
    explanation_fini(&x);
    return good;
}

/* Who the request comes from. False: reported. */
static bool
read_client(const struct weir_conf *block, struct explain_request *in, struct addr *room)
{
    const struct weir_conf *client = conf_find(block, "client"), *claims = conf_find(block, "claims"),
                           *cert = conf_find(block, "client_cert");
    struct err e;

    if (client && addr_parse_ip(conf_arg(client, 0), room) != 0) {
        conf_error(client, 0, "`%s` is not an address", conf_arg(client, 0).p);
        return false;
    }
    if (client)
        in->client = room;
    if (claims)
        in->claims = conf_arg(claims, 0);
    if (cert && !(in->cert = client_cert_load(conf_input(cert, conf_arg(cert, 0)).p, &e))) {
        conf_error(cert, 0, "%s", e.text);
        return false;
    }
    return true;
}

static bool
run(struct generation *g, const struct weir_conf *block)
{
    const struct weir_conf *request = conf_find(block, "request");
    struct explain_request in = { .method = conf_arg(request, 0), .url = conf_arg(request, 1) };
    struct addr from;
    bool good;

    fields_init(&in.fields, conf_arena(g->conf));
    for (const struct weir_conf *h = conf_find(block, "header"); h; h = conf_next(h))
        fields_add(&in.fields, conf_arg(h, 0), conf_arg(h, 1));
    good = read_client(block, &in, &from) && expectations_hold(g, block, &in);
    client_cert_put(in.cert);
    return good;
}

unsigned
test_blocks_run(struct generation *g, unsigned *n)
{
    unsigned failed = 0;
    *n = 0;
    for (const struct weir_conf *l = conf_find(conf_root(g->conf), "test"); l; l = conf_next(l)) {
        ++*n;
        failed += !run(g, l);
    }
    return failed;
}
