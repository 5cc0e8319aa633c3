#include "filter.h"
#include "filter_call.h"
#include "run.h"

#include "../http/limit.h"

struct filter_stage {
    struct link_run *who;
    struct iobuf in; /* what it holds, and behind that the piece that it looks at */
    bool changes;
    bool done; /* it is not asked any more: all passes as it comes */
};

static const enum phase phase_of[] = {
    [WEIR_BODY_REQUEST] = PHASE_REQUEST_BODY,
    [WEIR_BODY_RESPONSE] = PHASE_RESPONSE_BODY,
};

/* ---- who looks ---- */

static void
add_stages(struct filter *f, struct chain_run *cr)
{
    struct policy_run *run = f->x->run;
    uint64_t left = cr->chain ? cr->chain->phases[phase_of[f->of]] : 0;

    for (; left; left &= left - 1) {
        struct link_run *lr = &cr->links[__builtin_ctzll(left)];
        struct filter_stage *s = &f->stages[f->n];

        if (lr->cancelled || lr->use[f->of] == WEIR_BODY_SKIP || !run_selected(run, lr, phase_of[f->of]))
            continue;
        s->who = lr;
        s->changes = lr->use[f->of] == WEIR_BODY_CHANGE;
        iobuf_init(&s->in, SIZE_MAX);
        f->changes |= s->changes && lr->link->policy->mode == POLICY_ENFORCE;
        f->n++;
    }
}

/* The last of those that the request has passed has the first look at the answer. */
static void
turn_round(struct filter *f)
{
    for (unsigned i = 0, j = f->n; i + 1 < j; i++) {
        struct filter_stage last = f->stages[--j];

        f->stages[j] = f->stages[i];
        f->stages[i] = last;
    }
}

struct filter *
filter_new(struct weir_exchange *x, enum weir_body_of of, const struct filter_cap *cap)
{
    struct policy_run *run = x->run;
    unsigned most;
    struct filter *f;

    if (!run || !(x->filters >> of & 1))
        return NULL;
    most = chain_count(run->route.chain);
    for (struct chain_run *cr = run->upstreams; cr; cr = cr->next)
        most += cr->chain->n;
    f = arena_zalloc(x->arena, sizeof(*f) + most * sizeof(*f->stages));
    f->x = x;
    f->of = of;
    f->cap = *cap;
    f->stages = (struct filter_stage *)(f + 1);
    iobuf_init(&f->out, SIZE_MAX);
    add_stages(f, &run->route);
    for (struct chain_run *cr = run->upstreams; cr; cr = cr->next)
        add_stages(f, cr);
    run->phase = PHASE_NONE;
    if (!f->n)
        return NULL;
    if (of == WEIR_BODY_RESPONSE)
        turn_round(f);
    run->filters[of] = f;
    return f;
}

void
filter_fini(struct filter *f)
{
    if (!f)
        return;
    for (unsigned i = 0; i < f->n; i++)
        iobuf_fini(&f->stages[i].in);
    iobuf_fini(&f->out);
}

/* ---- one policy and one piece ---- */

static bool
enforced(const struct filter_stage *s)
{
    return s->who->link->policy->mode == POLICY_ENFORCE;
}

/* What it has let pass is not shown to it again. */
static void
stop_asking(struct filter_stage *s)
{
    iobuf_fini(&s->in);
    s->done = true;
}

static enum chain_result
refuse_hold(struct filter *f, struct filter_stage *s)
{
    struct policy_run *run = f->x->run;
    const struct weir_policy *p = s->who->link->policy;
    const struct reason *reason = reason_get(REASON_BODY_HOLD_EXCEEDED);
    struct decision *d = run_record(run, VERDICT_REFUSE, reason->code);

    d->detail = limit_words(f->x->arena, "body_hold", LIMIT_BYTES, (int64_t)f->cap.hold,
                            "a policy would have to hold more of the body than it may");
    d->at = f->cap.at;
    if (!enforced(s))
        return CHAIN_PASS;
    f->x->refusal.reason = reason;
    f->x->refusal.detail = d->detail;
    f->x->refusal.policy = p->name;
    f->x->refusal.at = f->cap.at;
    return CHAIN_REFUSED;
}

/* The piece, without what is held of it, or what was made of it goes on; in shadow it has done so already. */
static void
let_pass(struct filter_stage *s, const struct filter_call *call)
{
    size_t gone = s->in.len - call->hold;

    if (!enforced(s) || call->wrote)
        iobuf_consume(&s->in, gone);
    else
        iobuf_move(call->passed, &s->in, gone);
}

/* A policy that had no chance to say anything else shows here that it ran. */
static void
record_end(struct filter *f, const struct filter_stage *s)
{
    const struct chain *c = s->who->link->chain;
    unsigned i = (unsigned)(s->who->link - c->links);

    if (!((c->phases[PHASE_REQUEST] | c->phases[PHASE_TARGET] | c->phases[PHASE_ATTEMPT] | c->phases[PHASE_RESPONSE]) >>
              i &
          1))
        run_pass(f->x->run);
}

/* What is wrong with what the policy has done; NULL: nothing. */
static const char *
fault(enum weir_verdict v, const struct filter_call *call)
{
    if (v == WEIR_SUSPENDED)
        return "a body phase cannot suspend";
    if (v == WEIR_REFUSED)
        return "it refused without a reason";
    if (v != WEIR_CONTINUE)
        return "internal error of the policy";
    if (call->end && call->hold)
        return "it holds bytes at the end of the body";
    return call->wrong;
}

/* In shadow all may go on, but who would have ended the exchange is not asked again. */
static enum chain_result
settle(struct filter *f, struct filter_stage *s, enum weir_verdict v, const struct filter_call *call)
{
    struct policy_run *run = f->x->run;
    enum chain_result result;

    if (run->decided)
        result = run->refused ? CHAIN_REFUSED : CHAIN_PASS;
    else if (fault(v, call))
        result = run_fail(run, fault(v, call));
    else if (call->hold > f->cap.hold)
        result = refuse_hold(f, s);
    else {
        let_pass(s, call);
        if (call->end)
            record_end(f, s);
        return CHAIN_PASS;
    }
    stop_asking(s);
    return result;
}

static enum chain_result
ask(struct filter *f, struct filter_stage *s, struct filter_call *call)
{
    struct policy_run *run = f->x->run;
    struct weir_body body = { .size = sizeof(body), .end = call->end };
    enum chain_result result;
    enum weir_verdict v;

    body.piece = (struct weir_str){ iobuf_pullup(&s->in, s->in.len), s->in.len };
    call->piece = s->in.len;
    call->wrote = false;
    call->hold = 0;
    run->body_call = call;
    v = run_call(run, s->who, phase_of[f->of], &body);
    run->body_call = NULL;
    result = settle(f, s, v, call);
    run->phase = PHASE_NONE;
    return result;
}

/* All that is in `in` goes through one policy to `passed`. */
static enum chain_result
run_stage(struct filter *f, struct filter_stage *s, struct iobuf *in, bool end, struct iobuf *passed,
          struct fields *trailers)
{
    struct filter_call call = { .passed = passed, .trailers = trailers, .changes = s->changes, .shadow = !enforced(s) };
    enum chain_result result = CHAIN_PASS;

    while (result == CHAIN_PASS && !s->done && !call.end && (in->len || end)) {
        struct slice piece = iobuf_front(in);

        call.end = end && piece.n == in->len;
        if (call.shadow)
            iobuf_adds(passed, piece);
        iobuf_move(&s->in, in, piece.n);
        result = ask(f, s, &call);
    }
    if (result == CHAIN_PASS)
        iobuf_move(passed, in, in->len);
    return result;
}

enum chain_result
filter_feed(struct filter *f, struct iobuf *in, size_t n, bool end, struct fields *trailers)
{
    enum chain_result result = CHAIN_PASS;
    struct iobuf now, next;

    iobuf_init(&now, SIZE_MAX);
    iobuf_move(&now, in, n);
    for (unsigned i = 0; i < f->n && result == CHAIN_PASS; i++) {
        iobuf_init(&next, SIZE_MAX);
        result = run_stage(f, &f->stages[i], &now, end, &next, trailers);
        iobuf_fini(&now);
        now = next;
    }
    if (result == CHAIN_PASS)
        iobuf_move(&f->out, &now, now.len);
    iobuf_fini(&now);
    f->ended |= end;
    f->refused |= result != CHAIN_PASS;
    return result;
}
