/*
 * chain: the policies of one route (or one upstream) in the order they apply, compiled at load. Running a phase costs one indirect call per policy that
 * has an interest in it. `mode` and `percent` are applied here, not in modules: a shadow policy's verdict is recorded and counted, not applied, and what it
 * changes (headers, target) does not happen.
 */
#ifndef POLICY_CHAIN_H
#define POLICY_CHAIN_H

#include "../conf/conf.h"
#include "../stats/stats.h"
#include "exchange.h"
#include "module.h"

struct weir_policy; /* one configured use of a module */

/* Where a generation's policies find what their configuration names. */
struct policy_scope {
    struct arena *arena;               /* of the generation */
    const struct weir_conf *root;      /* to resolve upstream and store names, `apply NAME` bundles */
};

/* Configures the policy of one line, whose row has WEIR_D_POLICY. scope_name: route name, host, policy name, upstream name or "top". NULL after a reported error. */
struct weir_policy *policy_new(const struct policy_scope *s, const struct weir_conf *line, struct slice scope_name);
void policy_start(struct weir_policy *p);   /* service thread, once the generation is live */
void policy_release(struct weir_policy *p); /* the generation is gone */
const char *policy_name(const struct weir_policy *p);      /* "jwt" */
const char *policy_mode(const struct weir_policy *p);      /* "enforce" "shadow" "off" */
const char *policy_line(const struct weir_policy *p);      /* "gateway.conf:40" */
bool policy_names_target(const struct weir_policy *p);     /* has a target phase */
struct slice policy_default_target(const struct weir_policy *p);
const struct weir_module *policy_module(const struct weir_policy *p);
void *policy_config(const struct weir_policy *p);

/* The chain of a route: list of policies, outermost first. Several chains may share policies (one in `host` serves all its routes). subject: for metrics (route or upstream). */
struct chain *chain_new(struct arena *arena, struct weir_policy *const *policies, unsigned n, struct slice subject);
unsigned chain_count(const struct chain *c);
struct weir_policy *chain_get(const struct chain *c, unsigned i);

/* Per exchange, before the first phase; `route` (and later the upstream's) chain. */
void chain_begin(struct weir_exchange *x, const struct chain *route);

enum chain_result {
    CHAIN_PASS,
    CHAIN_REFUSED,   /* x->refusal says how to answer */
    CHAIN_SUSPENDED  /* services->resumed will be called: then call the same function again; it goes on where it was */
};
enum chain_result chain_request(struct weir_exchange *x);
enum chain_result chain_target(struct weir_exchange *x);  /* x->target afterwards; the default target where the policy is not applied */
/* Attempt and outcome run both the upstream's chain. chain_attempt never suspends. */
enum chain_result chain_attempt(struct weir_exchange *x, const struct chain *upstream);
void chain_outcome(struct weir_exchange *x, const struct chain *upstream, const struct weir_outcome *o);
void chain_response(struct weir_exchange *x);              /* then applies x->edits to x->res */
void chain_finish(struct weir_exchange *x);                /* always, last; cancels a suspension first */

#endif
