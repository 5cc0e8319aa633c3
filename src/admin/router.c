/* Paths of the admin listener. */
#include "request.h"

static bool
is(const struct admin_request *r, unsigned i, const char *word)
{
    return i < r->n && slice_eq(r->segment[i], slice_str(word));
}

static bool
reads(const struct admin_request *r)
{
    return r->ds->req.method == METHOD_GET || r->ds->req.method == METHOD_HEAD;
}

static void
health(struct admin_request *r)
{
    answer_text(r, 200, "application/json", SLICE("{\"status\":\"ok\"}\n"));
}

static void
ready(struct admin_request *r)
{
    bool good;
    json_t *view = view_ready(&good);
    answer_json(r, good ? 200 : 503, view);
}

static void
metrics(struct admin_request *r)
{
    struct strbuf text;
    strbuf_init(&text, 64u << 20);
    view_metrics(&text);
    struct slice body = arena_slice(&r->ds->arena, strbuf_slice(&text));
    strbuf_fini(&text);
    answer_text(r, 200, "text/plain; version=0.0.4; charset=utf-8", body);
}

static const struct {
    const char *name;
    json_t *(*view)(struct generation *g);
} views[] = {
    { "config", view_config }, { "routes", view_routes }, { "upstreams", view_upstreams },
    { "stores", view_stores }, { "status", view_status }, { "generations", view_generations },
};

/* /api/v1/NAME: the views. true: answered. */
static bool
view(struct admin_request *r, struct generation *g)
{
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        if (!is(r, 2, views[i].name))
            continue;
        if (!reads(r))
            answer_not_allowed(r, "GET, HEAD");
        else
            answer_json(r, 200, views[i].view(g));
        return true;
    }
    if (!is(r, 2, "modules"))
        return false;
    if (reads(r))
        answer_json(r, 200, view_modules());
    else
        answer_not_allowed(r, "GET, HEAD");
    return true;
}

static bool
operation(struct admin_request *r)
{
    bool reload = is(r, 2, "reload"), drain = is(r, 2, "drain");
    if (!reload && !drain)
        return false;
    if (r->ds->req.method != METHOD_POST)
        answer_not_allowed(r, "POST");
    else if (reload)
        order_reload(r);
    else
        order_drain(r);
    return true;
}

static void
named(struct admin_request *r)
{
    enum http_method m = r->ds->req.method;
    if (r->n == 6 && is(r, 2, "upstreams") && is(r, 4, "endpoints")) {
        if (m == METHOD_PATCH)
            order_endpoint(r, r->segment[3], r->segment[5]);
        else
            answer_not_allowed(r, "PATCH");
        return;
    }
    if (r->n == 5 && (is(r, 2, "upstreams") || is(r, 2, "routes"))) {
        if (m == METHOD_PATCH || m == METHOD_POST)
            order_policy(r, r->segment[2], r->segment[3], r->segment[4]);
        else
            answer_not_allowed(r, "PATCH, POST");
        return;
    }
    answer_problem(r, 404, "not_found", "no such resource");
}

void
admin_route(struct admin_request *r)
{
    static const struct {
        const char *name;
        void (*run)(struct admin_request *r);
    } plain[] = { { "health", health }, { "ready", ready }, { "metrics", metrics } };
    struct generation *g = admin_services->generation();

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (r->n != 1 || !is(r, 0, plain[i].name))
            continue;
        if (reads(r))
            plain[i].run(r);
        else
            answer_not_allowed(r, "GET, HEAD");
        return;
    }
    if (!is(r, 0, "api") || !is(r, 1, "v1") || r->n < 3) {
        answer_problem(r, 404, "not_found", "no such resource");
        return;
    }
    if (!g) {
        answer_problem(r, 503, "starting", "the first configuration is not live yet");
        return;
    }
    if (r->n == 3 && (view(r, g) || operation(r)))
        return;
    named(r);
}
