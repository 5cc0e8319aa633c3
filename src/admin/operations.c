/* Orders. Each answers with the new state: 200; 400 for a bad body, 404 for an unknown name, 409 for what is impossible
 * now. */
#include "../policy/module.h"
#include "../policy/str.h"
#include "request.h"

/* ---- the daemon ---- */

/* Is the client still there? Else its request is over. */
static bool
still_waits(struct admin_request *r)
{
    bool gone = r->gone; /* r goes with its stream */
    r->waiting = false;
    if (gone)
        r->ds->ops->release(r->ds);
    return !gone;
}

static void
on_planned(bool ok, const char *message, void *arg)
{
    struct admin_request *r = arg;
    if (!still_waits(r))
        return;
    if (ok)
        answer_text(r, 200, "application/json", slice_str(message));
    else
        answer_problem(r, 409, "bad_configuration", message);
}

static void
on_reloaded(bool ok, const char *message, void *arg)
{
    struct admin_request *r = arg;
    if (!still_waits(r))
        return;
    if (ok)
        answer_json(r, 200, json_pack("{s:b, s:s}", "ok", 1, "message", message));
    else
        answer_problem(r, 409, "reload_failed", message);
}

void
order_reload(struct admin_request *r)
{
    struct slice query = r->ds->req.query;
    bool dry = slice_eq(query, SLICE("dry=on"));
    if (!dry && query.n && !slice_eq(query, SLICE("dry=off"))) {
        answer_problem(r, 400, "bad_query", "`dry=on` or `dry=off` is expected");
        return;
    }
    r->waiting = true;
    if (dry)
        admin_services->dry_reload(on_planned, r);
    else
        admin_services->reload(on_reloaded, r);
}

void
order_drain(struct admin_request *r)
{
    admin_services->drain();
    answer_json(r, 200, json_pack("{s:b}", "draining", 1));
}

/* ---- endpoints ---- */

static struct target *
find_target(struct slice name)
{
    return generation_target(admin_services->generation(), name);
}

/* {"state": "up|down|drain", "weight": N}: both, or one. NULL when good. */
static const char *
read_endpoint_order(struct admin_request *r, json_t *body, const char **state, int *weight)
{
    json_t *s = json_object_get(body, "state"), *w = json_object_get(body, "weight");
    if (!json_is_object(body) || json_object_size(body) != (size_t)(s != NULL) + (size_t)(w != NULL) || (!s && !w))
        return "expected an object with `state`, `weight` or both";
    if (s && !json_is_string(s))
        return "`state` is one of up, down, drain";
    if (w && (!json_is_integer(w) || json_integer_value(w) < 0 || json_integer_value(w) > ENDPOINT_WEIGHT_MAX))
        return arena_printf(&r->ds->arena, "`weight` is a number from 0 to %d", ENDPOINT_WEIGHT_MAX).p;
    *state = json_string_value(s);
    *weight = w ? (int)json_integer_value(w) : -1;
    return NULL;
}

void
order_endpoint(struct admin_request *r, struct slice upstream, struct slice address)
{
    struct target *t = find_target(upstream);
    struct endpoint_state *e = t ? cluster_endpoint(t->cluster, address) : NULL;
    if (!e) {
        answer_problem(r, 404, "not_found", t ? "this upstream has no such endpoint" : "no such upstream");
        return;
    }
    const char *state = NULL;
    int weight = -1;
    json_t *body = json_loadb(r->body.p ? r->body.p : "", r->body.n, JSON_REJECT_DUPLICATES, NULL);
    const char *wrong = read_endpoint_order(r, body, &state, &weight);
    if (!wrong && endpoint_order(e, state, weight) != 0)
        wrong = "`state` is one of up, down, drain";
    json_decref(body);
    if (wrong)
        answer_problem(r, 400, "bad_body", wrong);
    else
        answer_json(r, 200, view_endpoint(e));
}

/* ---- policies that take orders ---- */

static const struct chain *
find_chain(struct slice kind, struct slice name, bool *found)
{
    struct generation *g = admin_services->generation();
    *found = false;
    if (slice_eq(kind, SLICE("upstreams"))) {
        struct target *t = find_target(name);
        *found = t != NULL;
        return t ? t->chain : NULL;
    }
    for (unsigned i = 0; i < route_table_count(g->routes); i++) {
        const struct route *r = route_table_get(g->routes, i);
        if (slice_eq(r->name, name)) {
            *found = true;
            return r->chain;
        }
    }
    return NULL;
}

static const struct weir_policy *
find_policy(const struct chain *chain, struct slice view)
{
    for (unsigned i = 0; chain && i < chain_count(chain); i++) {
        const struct weir_module *m = policy_module(chain_get(chain, i));
        if (m->view_name && m->control && slice_eq(slice_str(m->view_name), view))
            return chain_get(chain, i);
    }
    return NULL;
}

/* Does any loaded module answer to that name at all? Then the route or upstream merely has no such policy (409). */
static bool
known_view(struct slice view)
{
    for (const struct module *m = modules_all(); m; m = m->next)
        if (m->def->view_name && m->def->control && slice_eq(slice_str(m->def->view_name), view))
            return true;
    return slice_eq(view, SLICE("breaker"));
}

void
order_policy(struct admin_request *r, struct slice kind, struct slice name, struct slice view)
{
    bool found;
    const struct chain *chain = find_chain(kind, name, &found);
    const struct weir_policy *p = find_policy(chain, view);
    const char *error = "this order was refused";
    if (!found || (!p && !known_view(view))) {
        answer_problem(r, 404, "not_found", found ? "no such resource" : "no such route or upstream");
        return;
    }
    if (!p) {
        answer_problem(r, 409, "conflict", "no such policy is configured here");
        return;
    }
    int rc = policy_module(p)->control(policy_config(p), str_of_slice(r->body), &error);
    if (rc == 0)
        answer_json(r, 200, view_policy(p));
    else
        answer_problem(r, rc, rc == 409 ? "conflict" : "bad_body", error);
}
