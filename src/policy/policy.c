#include "policy.h"
#include "host.h"
#include "order.h"

#include "../base/hash.h"
#include "../base/parse.h"

const char *
policy_mode_name(enum policy_mode m)
{
    static const char *const names[] = {
        [POLICY_ENFORCE] = "enforce", [POLICY_SHADOW] = "shadow", [POLICY_OFF] = "off"
    };

    return names[m];
}

/* ---- which policies hold where ---- */

struct collection {
    struct policy_use *uses;
    unsigned n;
};

static void
collect_line(struct collection *c, const struct weir_conf *line, struct slice scope)
{
    unsigned i = 0;

    while (i < c->n && strcmp(conf_name(c->uses[i].line), conf_name(line)) != 0)
        i++;
    if (conf_is_off(line)) {
        if (i < c->n)
            memmove(&c->uses[i], &c->uses[i + 1], (--c->n - i) * sizeof(*c->uses));
        return;
    }
    if (i == POLICY_MAX) {
        conf_error(line, -1, "more than %d policies hold here", POLICY_MAX);
        return;
    }
    c->uses[i] = (struct policy_use){ line, scope };
    if (i == c->n)
        c->n++;
}

static bool
is_policy(const struct weir_conf *line)
{
    const struct weir_directive *row = conf_row(line);

    return row && (row->flags & WEIR_D_POLICY);
}

static void
collect_block(struct collection *c, const struct weir_conf *block, struct slice scope)
{
    const struct weir_conf *line, *bundle, *inner;

    for (line = conf_first(block); line; line = conf_sibling(line)) {
        if (is_policy(line)) {
            collect_line(c, line, scope);
            continue;
        }
        if (strcmp(conf_name(line), "apply") != 0)
            continue;
        bundle = conf_find_named(conf_of(block), "policy", conf_arg(line, 0));
        if (!bundle)
            continue; /* apply_check has reported it */
        for (inner = conf_first(bundle); inner; inner = conf_sibling(inner))
            if (is_policy(inner))
                collect_line(c, inner, conf_arg(bundle, 0));
    }
}

static struct slice
scope_of(const struct weir_conf *block)
{
    return conf_parent(block) ? conf_arg(block, 0) : SLICE("top");
}

/* What holds in `block` for all that stands in it; NULL: nothing. Kept for the block asked about last at its level, so
 * that ten thousand routes do not each walk over all the lines around them. */
static void
collect_around(struct policy_scope *s, const struct weir_conf *block, struct collection *c)
{
    struct policy_around *a = block ? &s->around[conf_parent(block) ? 1 : 0] : NULL;

    if (!a)
        return;
    if (a->block != block) {
        struct collection mine = { a->uses, 0 };

        collect_around(s, conf_parent(block), &mine);
        collect_block(&mine, block, scope_of(block));
        a->block = block;
        a->n = mine.n;
    }
    memmove(c->uses, a->uses, a->n * sizeof(*a->uses));
    c->n = a->n;
}

static unsigned
collect(struct policy_scope *s, const struct weir_conf *block, struct slice name, struct policy_use *out)
{
    struct collection c = { out, 0 };

    if (strcmp(conf_name(block), "upstream") != 0)
        collect_around(s, conf_parent(block), &c);
    collect_block(&c, block, name);
    return c.n;
}

unsigned
policy_collect(const struct weir_conf *block, struct slice name, struct policy_use out[POLICY_MAX])
{
    struct policy_scope s = { 0 };

    return collect(&s, block, name, out);
}

/* ---- one policy ---- */

/* `mode` and `percent` belong to every policy's block; the directive rows come with WEIR_D_POLICY (conf). */
static void
read_host_part(struct weir_policy *p)
{
    const struct weir_conf *mode = conf_find(p->line, "mode"), *percent = conf_find(p->line, "percent");
    double share = 100;

    p->mode = POLICY_ENFORCE;
    if (mode && slice_eq(conf_arg(mode, 0), SLICE("shadow")))
        p->mode = POLICY_SHADOW;
    else if (mode && slice_eq(conf_arg(mode, 0), SLICE("off")))
        p->mode = POLICY_OFF;
    if (percent)
        parse_percent(conf_arg(percent, 0), &share);
    p->partial = share < 100;
    p->threshold = p->partial ? (uint64_t)(share / 100 * 18446744073709551615.0) : UINT64_MAX;
    p->salt = hash_stable(p->name);
}

/* Whose configure runs on this thread. */
static __thread struct {
    struct policy_scope *scope;
    const struct weir_policy *policy;
} configuring;

struct weir_state *
policy_state_get(const char *key, size_t size, void (*init)(void *), void (*fini)(void *))
{
    struct weir_state *state = keyed_state_get(key, size, init, fini);
    struct policy_scope *s = configuring.scope;
    struct policy_hold *h;

    if (!s)
        return state;
    h = arena_alloc(s->arena, sizeof(*h));
    *h = (struct policy_hold){ configuring.policy, state, NULL };
    if (s->last_hold)
        s->last_hold->next = h;
    else
        s->holds = h;
    s->last_hold = h;
    return state;
}

static int
configure(struct policy_scope *s, struct weir_policy *p)
{
    int rc;

    configuring.scope = s;
    configuring.policy = p;
    rc = p->def->configure(p, p->line, &p->config);
    configuring.scope = NULL;
    return rc;
}

static struct weir_policy *
make(struct policy_scope *s, const struct weir_conf *line, struct slice scope_name)
{
    const struct module *m = module_of_row(conf_row(line));
    struct weir_policy *p;
    unsigned errors = conf_errors(conf_of(line));

    if (!m) {
        conf_error(line, -1, "no loaded module provides the policy `%s`", conf_name(line));
        return NULL;
    }
    p = arena_zalloc(s->arena, sizeof(*p));
    p->module = m;
    p->def = m->def;
    p->line = line;
    p->arena = s->arena;
    p->name = slice_str(conf_row(line)->name);
    p->scope = arena_slice(s->arena, scope_name);
    p->at = conf_at(line);
    read_host_part(p);
    if (configure(s, p) != 0) {
        p->released = true; /* what it had made so far is its own to undo */
        if (conf_errors(conf_of(line)) == errors)
            conf_error(line, -1, "module `%s` refused this block without saying why", m->def->name);
    }
    p->broken = conf_errors(conf_of(line)) != errors;
    return p;
}

/* The policy of that line: the one configured before, or a new one. NULL after a reported error. */
static struct weir_policy *
policy_get(struct policy_scope *s, const struct policy_use *use)
{
    struct weir_policy *p;

    HASH_FIND_PTR(s->policies, &use->line, p);
    if (!p) {
        p = make(s, use->line, use->scope);
        if (p)
            HASH_ADD_PTR(s->policies, line, p); /* a broken one too: its errors are reported once, not per route */
    }
    return p && !p->broken ? p : NULL;
}

struct chain *
chain_build(struct policy_scope *s, const struct weir_conf *block, struct slice name)
{
    struct policy_use uses[POLICY_MAX];
    struct weir_policy *policies[POLICY_MAX];
    unsigned n = collect(s, block, name, uses);
    bool good = true;

    for (unsigned i = 0; i < n; i++)
        if (!(policies[i] = policy_get(s, &uses[i])))
            good = false;
    if (!good)
        return NULL;
    if (strcmp(conf_name(block), "upstream") != 0) /* whose policies follow those of any route */
        order_check(policies, n, block);
    return chain_new(s->arena, policies, n, name);
}

void
policy_start(struct weir_policy *p)
{
    if (p->started)
        return;
    p->started = true;
    if (p->def->start && p->mode != POLICY_OFF)
        p->def->start(p->config);
}

void
policy_release(struct weir_policy *p)
{
    if (p->released)
        return;
    p->released = true;
    if (p->def->release)
        p->def->release(p->config);
}

bool
policy_scope_warm(const struct policy_scope *s, void (*fn)(const struct weir_policy *p, void *arg), void *arg)
{
    bool all = true;

    for (struct weir_policy *p = s->policies; p; p = p->hh.next) {
        if (!p->def->warm || p->mode == POLICY_OFF || p->started || p->def->warm(p->config))
            continue;
        all = false;
        if (fn)
            fn(p, arg);
    }
    return all;
}

void
policy_scope_start(struct policy_scope *s)
{
    for (struct weir_policy *p = s->policies; p; p = p->hh.next)
        policy_start(p);
}

void
policy_scope_release(struct policy_scope *s)
{
    for (struct weir_policy *p = s->policies; p; p = p->hh.next)
        policy_release(p);
    HASH_CLEAR(hh, s->policies);
}

/* ---- showing ---- */

const char *
policy_name(const struct weir_policy *p)
{
    return p->name.p;
}

const char *
policy_mode(const struct weir_policy *p)
{
    return policy_mode_name(p->mode);
}

struct slice
policy_scope_name(const struct weir_policy *p)
{
    return p->scope;
}

const char *
policy_line(const struct weir_policy *p)
{
    return p->at;
}

bool
policy_names_target(const struct weir_policy *p)
{
    return p->def->target != NULL;
}

struct slice
policy_default_target(const struct weir_policy *p)
{
    return p->default_target;
}

const struct weir_module *
policy_module(const struct weir_policy *p)
{
    return p->def;
}

void *
policy_config(const struct weir_policy *p)
{
    return p->config;
}
