/*
 * chain: the policies of one route (or one upstream) in the order they apply, compiled at load. Running a phase costs
 * one indirect call per policy that has an interest in it. `mode` and `percent` are applied here, not in modules: a
 * shadow policy's verdict is recorded and counted, not applied, and what it changes (headers, target) does not happen.
 */
#ifndef POLICY_CHAIN_H
#define POLICY_CHAIN_H

#include "../conf/conf.h"
#include "../stats/stats.h"
#include "exchange.h"
#include "module.h"

struct weir_policy; /* one configured use of a module */

/* A policy that holds for a route (or upstream): its line and the name of the place it is written in. */
struct policy_use {
    const struct weir_conf *line;
    struct slice scope; /* route name, host, policy name, upstream name or "top" */
};

#define POLICY_MAX 64 /* policies of one route */

/* A run-time state that a policy asked for when it was configured. */
struct policy_hold {
    const struct weir_policy *policy;
    const struct weir_state *state; /* compared, never followed */
    struct policy_hold *next;
};

/* The policies of a generation configured so far. Zero all but the arena; policy_scope_release gives back what it
 * holds. */
struct policy_scope {
    struct arena *arena;          /* of the generation */
    struct weir_policy *policies; /* by line: a policy written in `host` is configured once and shared by its routes */
    struct policy_hold *holds, *last_hold; /* those of one policy follow each other */
    struct policy_around { /* what holds at the top, and in the host that was asked about last */
        const struct weir_conf *block;
        struct policy_use uses[POLICY_MAX];
        unsigned n;
    } around[2];
};

/* The policies that hold in a block, outermost first: those of the top, of its host, of itself, with `apply NAME`
 * expanded where it stands. One named again further in (or later in the same block) replaces the outer one and keeps
 * its place in the order; `NAME off` drops it. For an `upstream` block only its own count. name: of the block, as
 * scope. Returns how many; past POLICY_MAX it reports an error. */
unsigned policy_collect(const struct weir_conf *block, struct slice name, struct policy_use out[POLICY_MAX]);

/* All of it in one go: collect, configure, chain. NULL after a reported error; empty when nothing holds there. */
struct chain *chain_build(struct policy_scope *s, const struct weir_conf *block, struct slice name);
/* Asks each policy to get what it will need, as weir_module.warm says. true: all have it, or have failed to get it;
 * else fn (may be NULL) is called with those that have not. Service thread; may be followed by policy_scope_release. */
bool policy_scope_warm(const struct policy_scope *s, void (*fn)(const struct weir_policy *p, void *arg), void *arg);
void policy_scope_start(struct policy_scope *s);   /* policy_start for all */
void policy_scope_release(struct policy_scope *s); /* policy_release for all; before the arena goes */

void policy_start(struct weir_policy *p);              /* service thread, once the generation is live; idempotent */
void policy_release(struct weir_policy *p);            /* the generation is gone; idempotent */
const char *policy_name(const struct weir_policy *p);  /* "jwt" */
const char *policy_mode(const struct weir_policy *p);  /* "enforce" "shadow" "off" */
struct slice policy_scope_name(const struct weir_policy *p); /* where it is written: a route's name, a host, "top" */
const char *policy_line(const struct weir_policy *p);  /* "gateway.conf:40" */
bool policy_names_target(const struct weir_policy *p); /* has a target phase */
struct slice policy_default_target(const struct weir_policy *p);
const struct weir_module *policy_module(const struct weir_policy *p);
void *policy_config(const struct weir_policy *p);

/* The chain of a route: list of policies (at most POLICY_MAX), outermost first. Several chains may share policies (one
 * in `host` serves all its routes). subject: for metrics (route or upstream). */
struct chain *chain_new(struct arena *arena, struct weir_policy *const *policies, unsigned n, struct slice subject);
/* Drops the series of a subject that no generation has any more. */
void chain_forget(struct slice subject);
unsigned chain_count(const struct chain *c);
struct weir_policy *chain_get(const struct chain *c, unsigned i);

/* Per exchange, before the first phase; `route` (and later the upstream's) chain. */
void chain_begin(struct weir_exchange *x, const struct chain *route);

enum chain_result {
    CHAIN_PASS,
    CHAIN_REFUSED,  /* x->refusal says how to answer */
    CHAIN_SUSPENDED /* services->resumed will be called: then call the same function again; it goes on where it was */
};
enum chain_result chain_request(struct weir_exchange *x);
/* x->target afterwards; the default target where the policy is not applied. */
enum chain_result chain_target(struct weir_exchange *x);
/* Attempt and outcome run the route's chain, then the upstream's (which may be NULL). chain_attempt never suspends;
 * when it refuses, `outcome` has run (as cancelled) for those that had admitted it: do not call chain_outcome then. */
enum chain_result chain_attempt(struct weir_exchange *x, const struct chain *upstream);
void chain_outcome(struct weir_exchange *x, const struct chain *upstream, const struct weir_outcome *o);
/* Innermost first (the upstream's, then the route's backwards), so that the outermost has the last word; then applies
 * x->edits to x->res. Once per final response. */
void chain_response(struct weir_exchange *x);
/* The exchange goes on without the phase that is suspended (the client broke its body, the deadline passed): it and all
 * store calls are cancelled. Nothing to do without a suspension; outcome, response and finish still come. */
void chain_cancel(struct weir_exchange *x);
/* Always, last; idempotent. Cancels a suspension and store calls first; attempts without an outcome get one
 * (cancelled). */
void chain_finish(struct weir_exchange *x);

#endif
