#include "order.h"
#include "run.h"
#include "variable.h"

/* A variable of another module's that a policy reads. */
struct policy_read {
    const struct variable *variable;
    struct slice rest; /* of its name, behind a prefix */
    bool warned;
    struct policy_read *next;
};

void
order_note(struct weir_policy *p, const struct template *t)
{
    const struct variable *v;
    struct slice rest;

    for (unsigned i = 0; template_piece(t, i, &v, &rest); i++) {
        struct policy_read *r = p->reads;

        if (!v || !v->owner || v->owner == p->module)
            continue;
        while (r && !(r->variable == v && slice_eq(r->rest, rest)))
            r = r->next;
        if (r)
            continue;
        r = arena_zalloc(p->arena, sizeof(*r));
        *r = (struct policy_read){ v, rest, false, p->reads };
        p->reads = r;
    }
}

/* The phase a policy first runs in: there it reads, and there it gives its variables their values. */
static enum phase
first_phase(const struct weir_module *m)
{
    return m->request    ? PHASE_REQUEST
           : m->target   ? PHASE_TARGET
           : m->attempt  ? PHASE_ATTEMPT
           : m->outcome  ? PHASE_OUTCOME
           : m->response ? PHASE_RESPONSE
                         : PHASE_FINISH;
}

/* The response phase goes through the chain from its end. */
static bool
runs_before(const struct weir_policy *a, unsigned ia, const struct weir_policy *b, unsigned ib)
{
    enum phase pa = first_phase(a->def), pb = first_phase(b->def);

    if (pa != pb)
        return pa < pb;
    return pa == PHASE_RESPONSE ? ia > ib : ia < ib;
}

static void
warn_missing(const struct weir_policy *p, const struct policy_read *r, const struct weir_policy *off,
             const struct weir_conf *block)
{
    const char *owner = r->variable->owner->def->name;

    if (off)
        conf_warning(p->line, -1,
                     "`${%s%.*s}` has no value here: `%s` (%s), which provides it, is off\n"
                     "turn that on, or key `%s` by something else",
                     r->variable->name, SLICE_FMT(r->rest), off->name.p, off->at, p->name.p);
    else
        conf_warning(p->line, -1,
                     "`${%s%.*s}` has no value in `%s %.*s` (%s): no policy of module `%s`, which provides it, holds "
                     "there\nadd one there or further out, or write `%s off;` there",
                     r->variable->name, SLICE_FMT(r->rest), conf_name(block), SLICE_FMT(conf_arg(block, 0)),
                     conf_at(block), owner, p->name.p);
}

static void
warn_late(const struct weir_policy *p, const struct policy_read *r, const struct weir_policy *giver,
          const struct weir_conf *block)
{
    const char *name = p->name.p, *giver_name = giver->name.p;

    if (first_phase(p->def) == first_phase(giver->def))
        conf_warning(p->line, -1,
                     "`${%s%.*s}` has no value here: `%s` (%s), which provides it, runs after `%s` in `%s %.*s` (%s)\n"
                     "policies run from the outermost inwards, and one that is written again keeps the place of the "
                     "one it replaces: write `%s` before the outermost `%s`",
                     r->variable->name, SLICE_FMT(r->rest), giver_name, giver->at, name, conf_name(block),
                     SLICE_FMT(conf_arg(block, 0)), conf_at(block), giver_name, name);
    else
        conf_warning(p->line, -1,
                     "`${%s%.*s}` has no value here: `%s` (%s), which provides it, decides only after `%s` in `%s "
                     "%.*s` (%s)\nno order of the lines changes that: `%s` needs another variable",
                     r->variable->name, SLICE_FMT(r->rest), giver_name, giver->at, name, conf_name(block),
                     SLICE_FMT(conf_arg(block, 0)), conf_at(block), name);
}

static void
check_read(struct weir_policy *const *policies, unsigned n, unsigned at, struct policy_read *r,
           const struct weir_conf *block)
{
    const struct weir_policy *late = NULL, *off = NULL;

    for (unsigned i = 0; i < n; i++) {
        const struct weir_policy *giver = policies[i];

        if (giver->module != r->variable->owner)
            continue;
        if (giver->mode == POLICY_OFF)
            off = giver;
        else if (runs_before(giver, i, policies[at], at))
            return;
        else
            late = giver;
    }
    r->warned = true;
    if (late)
        warn_late(policies[at], r, late, block);
    else
        warn_missing(policies[at], r, off, block);
}

void
order_check(struct weir_policy *const *policies, unsigned n, const struct weir_conf *block)
{
    for (unsigned i = 0; i < n; i++) {
        if (policies[i]->mode == POLICY_OFF)
            continue;
        for (struct policy_read *r = policies[i]->reads; r; r = r->next)
            if (!r->warned)
                check_read(policies, n, i, r, block);
    }
}
