#include "run.h"

static const char *const label_names[] = { "route", "policy", "verdict", "mode" };

struct stats_family *
chain_verdicts_family(void)
{
    return stats_family("weir_policy_verdicts_total", STATS_COUNTER, "Verdicts of policies.", label_names, 4, NULL, 0);
}

static void
link_add_phases(struct chain *c, unsigned i)
{
    const struct weir_module *m = c->links[i].policy->def;
    uint64_t bit = UINT64_C(1) << i;

    if (c->links[i].policy->mode == POLICY_OFF)
        return;
    if (m->request)
        c->phases[PHASE_REQUEST] |= bit;
    if (m->target)
        c->phases[PHASE_TARGET] |= bit;
    if (m->attempt)
        c->phases[PHASE_ATTEMPT] |= bit;
    if (m->outcome)
        c->phases[PHASE_OUTCOME] |= bit;
    if (m->response)
        c->phases[PHASE_RESPONSE] |= bit;
    if (m->request_body)
        c->phases[PHASE_REQUEST_BODY] |= bit;
    if (m->response_body)
        c->phases[PHASE_RESPONSE_BODY] |= bit;
    if (m->finish)
        c->phases[PHASE_FINISH] |= bit;
}

struct chain *
chain_new(struct arena *arena, struct weir_policy *const *policies, unsigned n, struct slice subject)
{
    struct chain *c = arena_zalloc(arena, sizeof(*c));

    c->subject = arena_slice(arena, subject);
    c->n = n < POLICY_MAX ? n : POLICY_MAX;
    c->links = arena_zalloc(arena, c->n * sizeof(*c->links));
    for (unsigned i = 0; i < c->n; i++) {
        c->links[i].policy = policies[i];
        c->links[i].chain = c;
        link_add_phases(c, i);
    }
    c->filters = (unsigned char)((c->phases[PHASE_REQUEST_BODY] != 0) << WEIR_BODY_REQUEST |
                                 (c->phases[PHASE_RESPONSE_BODY] != 0) << WEIR_BODY_RESPONSE);
    return c;
}

void
chain_forget(struct slice subject)
{
    stats_drop(chain_verdicts_family(), subject);
}

unsigned
chain_count(const struct chain *c)
{
    return c ? c->n : 0;
}

struct weir_policy *
chain_get(const struct chain *c, unsigned i)
{
    return i < c->n ? c->links[i].policy : NULL;
}
