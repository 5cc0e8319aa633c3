#include "filter.h"
#include "run.h"

#include "../base/hash.h"
#include "../base/log.h"

#include <time.h>

#define SLOW_CALL (50 * NSEC_PER_MSEC) /* the coarse clock and a busy host make less of it meaningless */

static const struct {
    const char *name;
    const char *step; /* of its rows in the decision record */
} phases[PHASE_COUNT] = {
    [PHASE_NONE] = { "none", "policy" },
    [PHASE_REQUEST] = { "request", "policy" },
    [PHASE_TARGET] = { "target", "target" },
    [PHASE_ATTEMPT] = { "attempt", "policy" },
    [PHASE_OUTCOME] = { "outcome", "policy" },
    [PHASE_RESPONSE] = { "response", "policy" },
    [PHASE_REQUEST_BODY] = { "request_body", "policy" },
    [PHASE_RESPONSE_BODY] = { "response_body", "policy" },
    [PHASE_FINISH] = { "finish", "policy" },
    [PHASE_CANCEL] = { "cancel", "policy" },
};

const char *
phase_name(enum phase p)
{
    return phases[p].name;
}

const char *
phase_step(enum phase p)
{
    return phases[p].step;
}

/* ---- the record ---- */

/* The series is looked up when the first such verdict falls, not at load: of ten thousand routes only those with
 * traffic take one out of the capped number. Threads that race for it find the same id. */
static void
count_verdict(const struct chain_link *link, enum verdict v)
{
    _Atomic uint64_t *series = (_Atomic uint64_t *)&link->series[v];
    uint64_t id = atomic_load_explicit(series, memory_order_relaxed);

    if (!id) {
        struct slice values[] = { link->chain->subject, link->policy->name, slice_str(verdict_name(v)),
                                  slice_str(policy_mode_name(link->policy->mode)) };

        id = (uint64_t)stats_series(chain_verdicts_family(), values) + 1;
        atomic_store_explicit(series, id, memory_order_relaxed);
    }
    stats_add((stats_id)(id - 1), 1);
}

struct decision *
run_record(struct policy_run *run, enum verdict v, const char *reason)
{
    struct link_run *lr = run->current;
    const struct weir_policy *p = lr->link->policy;
    struct decision_log *log = &run->x->log;
    struct decision *d = decision_add(log, phase_step(run->phase), p->name, v);

    d->reason = reason;
    d->mode = policy_mode_name(p->mode);
    d->at = p->at;
    lr->row = d == &log->rows[log->n - 1] ? (int)log->n - 1 : -1;
    if (v < VERDICT_SKIP)
        count_verdict(lr->link, v);
    return d;
}

/* ---- a run ---- */

static struct link_run *
links_fill(struct link_run *lr, const struct chain *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        lr[i].link = &c->links[i];
        lr[i].row = -1;
    }
    return lr;
}

static void
on_resume_task(struct task *t)
{
    struct policy_run *run = (struct policy_run *)((char *)t - offsetof(struct policy_run, resume));

    if (run->suspended)
        run->x->services->resumed(run->x);
}

static struct policy_run *
run_new(struct weir_exchange *x, const struct chain *route)
{
    unsigned n = chain_count(route), n_shared = modules_count();
    struct policy_run *run =
        arena_zalloc(x->arena, sizeof(*run) + n * sizeof(struct link_run) + n_shared * sizeof(*run->shared));

    run->x = x;
    run->route.chain = route;
    run->route.links = (struct link_run *)(run + 1);
    if (n)
        links_fill(run->route.links, route);
    run->shared = (void **)(run->route.links + n);
    run->n_shared = n_shared;
    run->resume.run = on_resume_task;
    x->run = run;
    if (route)
        x->filters |= route->filters;
    return run;
}

void
chain_begin(struct weir_exchange *x, const struct chain *route)
{
    if (chain_count(route))
        run_new(x, route);
}

static struct chain_run *
run_upstream(struct policy_run *run, const struct chain *c)
{
    struct chain_run *cr;

    for (cr = run->upstreams; cr; cr = cr->next)
        if (cr->chain == c)
            return cr;
    cr = arena_zalloc(run->x->arena, sizeof(*cr) + c->n * sizeof(struct link_run));
    cr->chain = c;
    cr->links = links_fill((struct link_run *)(cr + 1), c);
    cr->next = run->upstreams;
    run->upstreams = cr;
    run->x->filters |= c->filters;
    return cr;
}

/* ---- one call ---- */

/* Coarse on purpose: it costs a quarter of a precise reading, twice per call, and a slow one is slow by more than a
 * tick. */
static nsec_t
coarse_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (nsec_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static enum weir_verdict
dispatch(struct weir_exchange *x, const struct weir_policy *p, enum phase phase, const void *arg)
{
    switch (phase) {
    case PHASE_REQUEST:
        return p->def->request(x, p->config);
    case PHASE_TARGET:
        return p->def->target(x, p->config);
    case PHASE_ATTEMPT:
        return p->def->attempt(x, p->config);
    case PHASE_OUTCOME:
        p->def->outcome(x, p->config, arg);
        break;
    case PHASE_RESPONSE:
        p->def->response(x, p->config);
        break;
    case PHASE_REQUEST_BODY:
        return p->def->request_body(x, p->config, arg);
    case PHASE_RESPONSE_BODY:
        return p->def->response_body(x, p->config, arg);
    case PHASE_FINISH:
        p->def->finish(x, p->config);
        break;
    case PHASE_CANCEL:
        p->def->cancel(x, p->config);
        break;
    default:
        break;
    }
    return WEIR_CONTINUE;
}

enum weir_verdict
run_call(struct policy_run *run, struct link_run *lr, enum phase phase, const void *arg)
{
    const struct weir_policy *p = lr->link->policy;
    enum weir_verdict v;
    nsec_t began, took;

    run->current = lr;
    run->phase = phase;
    run->decided = run->refused = run->resume_wanted = false;
    began = coarse_now();
    v = dispatch(run->x, p, phase, arg);
    took = coarse_now() - began;
    if (took > SLOW_CALL)
        log_warning(p->def->name, "phase %s took about %lld ms and held up its worker (%s, request %.*s)",
                    phase_name(phase), (long long)(took / NSEC_PER_MSEC), p->at, SLICE_FMT(run->x->id));
    return v;
}

/* Is this exchange among the share that the policy applies to? Asked once per exchange and policy, so that all its
 * phases agree. */
bool
run_selected(struct policy_run *run, struct link_run *lr, enum phase phase)
{
    const struct weir_policy *p = lr->link->policy;

    if (!p->partial || lr->selected)
        return lr->selected >= 0;
    lr->selected = hash_mix(hash_stable(run->x->id), p->salt) < p->threshold ? 1 : -1;
    if (lr->selected < 0) {
        run->current = lr;
        run->phase = phase;
        run_record(run, VERDICT_SKIP, "percent");
    }
    return lr->selected > 0;
}

/* An internal error of a policy: enforced, it ends the exchange; the gateway does not guess what the verdict would have
 * been. */
enum chain_result
run_fail(struct policy_run *run, const char *what)
{
    struct weir_exchange *x = run->x;
    const struct weir_policy *p = run->current->link->policy;

    run_record(run, VERDICT_ERROR, "policy_error")->detail = slice_str(what);
    if (p->mode != POLICY_ENFORCE)
        return CHAIN_PASS;
    x->refusal.reason = reason_get(REASON_POLICY_ERROR);
    x->refusal.detail = SLICE_NONE; /* what went wrong inside is not the client's to know */
    x->refusal.policy = p->name;
    x->refusal.at = p->at;
    return CHAIN_REFUSED;
}

enum chain_result
run_pass(struct policy_run *run)
{
    struct link_run *lr = run->current;
    struct decision *d;

    if (!run->decided) { /* a shadow refusal has its row */
        d = run_record(run, VERDICT_PASS, lr->note_reason);
        d->detail = lr->note_detail;
        if (run->phase == PHASE_TARGET && !d->detail.n)
            d->detail = run->x->target;
    }
    lr->note_reason = NULL;
    lr->note_detail = SLICE_NONE;
    return CHAIN_PASS;
}

static enum chain_result
suspend(struct policy_run *run)
{
    if (run->phase == PHASE_ATTEMPT)
        return run_fail(run, "the attempt phase cannot suspend");
    if (!run->x->loop || run->x->explaining)
        return run_fail(run, "it suspended where nothing can resume it");
    run->suspended = true;
    if (run->resume_wanted)
        loop_at_turn_end(run->x->loop, &run->resume);
    return CHAIN_SUSPENDED;
}

static enum chain_result
settle(struct policy_run *run, enum weir_verdict v)
{
    if (run->refused) /* whatever it returned: it has said no */
        return CHAIN_REFUSED;
    switch (v) {
    case WEIR_CONTINUE:
        return run_pass(run);
    case WEIR_SUSPENDED:
        return suspend(run);
    case WEIR_REFUSED:
        return run_fail(run, "it refused without a reason");
    case WEIR_FAILED:
        return run_fail(run, "internal error of the policy");
    }
    return run_fail(run, "it returned no verdict");
}

static enum chain_result
run_phase(struct policy_run *run, struct chain_run *cr, enum phase phase, unsigned from)
{
    uint64_t left = cr->chain ? cr->chain->phases[phase] & (UINT64_MAX << from) : 0;
    enum chain_result result = CHAIN_PASS;

    for (; left && result == CHAIN_PASS; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctzll(left);

        if (!run_selected(run, &cr->links[i], phase))
            continue;
        result = settle(run, run_call(run, &cr->links[i], phase, NULL));
        run->position = i;
    }
    if (result != CHAIN_SUSPENDED)
        run->phase = PHASE_NONE;
    return result;
}

/* Where a phase of the route's chain goes on: behind a suspension, or at its beginning. */
static unsigned
take_up(struct policy_run *run, enum phase phase)
{
    if (!run->suspended || run->phase != phase)
        return 0;
    run->suspended = false;
    if (run->x->loop)
        task_cancel(run->x->loop, &run->resume);
    return run->position;
}

/* ---- phases ---- */

enum chain_result
chain_request(struct weir_exchange *x)
{
    struct policy_run *run = x->run;

    return run ? run_phase(run, &run->route, PHASE_REQUEST, take_up(run, PHASE_REQUEST)) : CHAIN_PASS;
}

/* What a route without an effective target policy falls back on: the first default there is. */
static struct slice
default_target(const struct chain *c)
{
    for (unsigned i = 0; i < chain_count(c); i++)
        if (c->links[i].policy->default_target.n)
            return c->links[i].policy->default_target;
    return SLICE_NONE;
}

enum chain_result
chain_target(struct weir_exchange *x)
{
    struct policy_run *run = x->run;
    enum chain_result result;

    if (!run)
        return CHAIN_PASS;
    result = run_phase(run, &run->route, PHASE_TARGET, take_up(run, PHASE_TARGET));
    if (result == CHAIN_PASS && !x->target.n)
        x->target = default_target(run->route.chain);
    return result;
}

static void
admit(struct policy_run *run, struct chain_run *cr)
{
    uint64_t left = cr->chain ? cr->chain->phases[PHASE_OUTCOME] : 0;

    for (; left; left &= left - 1) {
        struct link_run *lr = &cr->links[__builtin_ctzll(left)];

        lr->admitted = run_selected(run, lr, PHASE_OUTCOME);
    }
}

static void
outcomes(struct policy_run *run, struct chain_run *cr, const struct weir_outcome *o)
{
    uint64_t left = cr->chain ? cr->chain->phases[PHASE_OUTCOME] : 0;

    for (; left; left &= left - 1) {
        struct link_run *lr = &cr->links[__builtin_ctzll(left)];

        if (!lr->admitted)
            continue;
        lr->admitted = false;
        run_call(run, lr, PHASE_OUTCOME, o);
    }
    run->phase = PHASE_NONE;
}

static void
outcomes_cancelled(struct policy_run *run)
{
    const struct weir_outcome o = { .size = sizeof(o),
                                    .result = WEIR_RESULT_CANCELLED,
                                    .upstream = str_of_slice(run->x->upstream_name),
                                    .endpoint = str_of_slice(run->x->endpoint_address) };

    outcomes(run, &run->route, &o);
    for (struct chain_run *cr = run->upstreams; cr; cr = cr->next)
        outcomes(run, cr, &o);
}

/* Those before the one that refused (run->position) have admitted the attempt. */
static void
admit_before(struct chain_run *cr, unsigned refused)
{
    uint64_t left;

    if (!cr->chain || refused == 0)
        return;
    left = cr->chain->phases[PHASE_OUTCOME] & cr->chain->phases[PHASE_ATTEMPT] & (UINT64_MAX >> (POLICY_MAX - refused));
    for (; left; left &= left - 1) {
        struct link_run *lr = &cr->links[__builtin_ctzll(left)];

        lr->admitted = lr->selected >= 0;
    }
}

static enum chain_result
attempt_refused(struct policy_run *run, struct chain_run *cr)
{
    if (cr != &run->route)
        admit_before(&run->route, run->route.chain ? run->route.chain->n : 0);
    admit_before(cr, run->position);
    outcomes_cancelled(run);
    return CHAIN_REFUSED;
}

enum chain_result
chain_attempt(struct weir_exchange *x, const struct chain *upstream)
{
    struct policy_run *run = x->run;
    struct chain_run *cr = NULL;

    if (!run && !chain_count(upstream))
        return CHAIN_PASS;
    if (!run)
        run = run_new(x, NULL);
    if (chain_count(upstream))
        cr = run_upstream(run, upstream);
    if (run_phase(run, &run->route, PHASE_ATTEMPT, 0) == CHAIN_REFUSED)
        return attempt_refused(run, &run->route);
    if (cr && run_phase(run, cr, PHASE_ATTEMPT, 0) == CHAIN_REFUSED)
        return attempt_refused(run, cr);
    admit(run, &run->route);
    if (cr)
        admit(run, cr);
    return CHAIN_PASS;
}

void
chain_outcome(struct weir_exchange *x, const struct chain *upstream, const struct weir_outcome *o)
{
    struct policy_run *run = x->run;

    if (!run)
        return;
    outcomes(run, &run->route, o);
    if (chain_count(upstream))
        outcomes(run, run_upstream(run, upstream), o);
}

static void
apply_edits(struct weir_exchange *x)
{
    if (!x->res)
        return;
    for (struct header_edit *e = x->edits; e; e = e->next) {
        if (e->op == EDIT_SET)
            fields_set(&x->res->fields, e->name, e->value);
        else if (e->op == EDIT_ADD)
            fields_push(&x->res->fields, e->name, e->value, e->id);
        else
            fields_remove_name(&x->res->fields, e->name);
    }
    x->edits = NULL;
    x->edits_end = &x->edits;
}

static void
respond(struct policy_run *run, struct chain_run *cr)
{
    const struct chain *c = cr->chain;
    uint64_t left = c ? c->phases[PHASE_RESPONSE] : 0;

    while (left) {
        unsigned i = 63u - (unsigned)__builtin_clzll(left);
        struct link_run *lr = &cr->links[i];

        left &= ~(UINT64_C(1) << i);
        if (lr->cancelled || !run_selected(run, lr, PHASE_RESPONSE))
            continue;
        run_call(run, lr, PHASE_RESPONSE, NULL);
        apply_edits(run->x); /* so that the next one sees them */
        if (!((c->phases[PHASE_REQUEST] | c->phases[PHASE_TARGET] | c->phases[PHASE_ATTEMPT]) >> i & 1))
            run_pass(run); /* a policy without any other verdict shows here that it ran */
    }
    run->phase = PHASE_NONE;
}

void
chain_response(struct weir_exchange *x)
{
    struct policy_run *run = x->run;

    apply_edits(x);
    if (!run)
        return;
    for (struct chain_run *cr = run->upstreams; cr; cr = cr->next)
        respond(run, cr);
    respond(run, &run->route);
}

/* ---- the end ---- */

static void
finish(struct policy_run *run, struct chain_run *cr)
{
    uint64_t left = cr->chain ? cr->chain->phases[PHASE_FINISH] : 0;

    for (; left; left &= left - 1) {
        struct link_run *lr = &cr->links[__builtin_ctzll(left)];

        if (run_selected(run, lr, PHASE_FINISH))
            run_call(run, lr, PHASE_FINISH, NULL);
    }
    run->phase = PHASE_NONE;
}

static void
cancel(struct policy_run *run)
{
    struct weir_exchange *x = run->x;
    struct store_wait *w;

    while ((w = run->waits)) {
        run->waits = w->next;
        x->services->store_cancel(w->call);
    }
    if (x->loop)
        task_cancel(x->loop, &run->resume);
    if (!run->suspended)
        return;
    run->suspended = false;
    run->current->cancelled = true;
    if (run->current->link->policy->def->cancel)
        run_call(run, run->current, PHASE_CANCEL, NULL);
    run->phase = PHASE_NONE;
}

void
chain_cancel(struct weir_exchange *x)
{
    if (x->run && x->run->suspended)
        cancel(x->run);
}

void
chain_finish(struct weir_exchange *x)
{
    struct policy_run *run = x->run;

    if (!run || run->finished)
        return;
    run->finished = true;
    cancel(run);
    for (unsigned i = 0; i < 2; i++)
        filter_fini(run->filters[i]);
    outcomes_cancelled(run);
    finish(run, &run->route);
    for (struct chain_run *cr = run->upstreams; cr; cr = cr->next)
        finish(run, cr);
}

void
run_resume(struct weir_exchange *x)
{
    struct policy_run *run = x->run;

    if (!run || run->finished)
        return;
    if (run->suspended)
        loop_at_turn_end(x->loop, &run->resume);
    else if (run->phase == PHASE_REQUEST || run->phase == PHASE_TARGET)
        run->resume_wanted = true;
}
