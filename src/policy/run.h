/*
 * run: what the policies of one exchange have done so far. Lives in the exchange's arena; made by chain_begin when the
 * route has policies, else by the first chain_attempt whose upstream has some.
 */
#ifndef POLICY_RUN_H
#define POLICY_RUN_H

#include "policy.h"

#include <stdatomic.h>

enum phase {
    PHASE_NONE,
    PHASE_REQUEST,
    PHASE_TARGET,
    PHASE_ATTEMPT,
    PHASE_OUTCOME,
    PHASE_RESPONSE,
    PHASE_REQUEST_BODY,
    PHASE_RESPONSE_BODY,
    PHASE_FINISH,
    PHASE_CANCEL,
    PHASE_COUNT
};

struct chain_link {
    struct weir_policy *policy;
    const struct chain *chain;
    _Atomic uint64_t series[3]; /* of verdict pass, refuse, error: stats_id + 1; 0: not looked up yet */
};

struct chain {
    struct slice subject;
    struct chain_link *links;
    unsigned n;
    uint64_t phases[PHASE_COUNT]; /* bit i: link i is to be called in that phase */
    unsigned char filters;        /* bit per enum weir_body_of: some link has a phase for that body */
};

struct link_run {
    const struct chain_link *link;
    void *slot;              /* the module's */
    signed char selected;    /* by `percent`: 1, -1; 0: not asked yet */
    bool admitted;           /* an attempt waits for its outcome */
    bool cancelled;          /* no phase but finish follows */
    unsigned char use[2];    /* enum weir_body_use, by enum weir_body_of */
    int row;                 /* of its last verdict in the decision log; -1: none */
    const char *note_reason; /* told by host->note for the row to come */
    struct slice note_detail;
};

struct chain_run {
    const struct chain *chain;
    struct link_run *links;
    struct chain_run *next; /* of the upstreams that were tried */
};

struct store_wait { /* a store call under way */
    struct policy_run *run;
    struct link_run *who;
    struct weir_call *call;
    weir_store_done done;
    void *arg;
    struct store_wait *next, **link;
};

struct policy_run {
    struct weir_exchange *x;
    struct chain_run route;
    struct chain_run *upstreams;
    void **shared; /* per module, by its index */
    unsigned n_shared;
    struct link_run *current; /* whose phase runs; while suspended: whose phase it was */
    enum phase phase;         /* that runs or is suspended; NONE between phases */
    unsigned position;        /* suspended: the link to call again */
    bool suspended;
    bool resume_wanted; /* host->resume came inside the phase that is about to suspend */
    bool decided;       /* the running phase has its row already (refuse, reply) */
    bool refused;       /* ... and it counts */
    bool finished;
    struct task resume;
    struct store_wait *waits;
    struct filter *filters[2];     /* by enum weir_body_of; NULL: none */
    struct filter_call *body_call; /* of the body phase that runs */
};

static inline bool
run_in_shadow(const struct policy_run *run)
{
    return run->current && run->current->link->policy->mode == POLICY_SHADOW;
}

struct stats_family *chain_verdicts_family(void); /* chain.c: weir_policy_verdicts_total */
const char *phase_name(enum phase p);
const char *phase_step(enum phase p); /* what its rows bear as `step` */
/* One row and one count for the current policy. Returns the row to fill further. */
struct decision *run_record(struct policy_run *run, enum verdict v, const char *reason);
void run_resume(struct weir_exchange *x); /* host->resume */
/* One call of a phase; arg: what the phase is given beside the exchange (outcome, body). */
enum weir_verdict run_call(struct policy_run *run, struct link_run *lr, enum phase phase, const void *arg);
/* Is this exchange among the share that the policy applies to? */
bool run_selected(struct policy_run *run, struct link_run *lr, enum phase phase);
/* What the current policy has come to: it lets pass, which has a row unless there is one; or an internal error. */
enum chain_result run_pass(struct policy_run *run);
enum chain_result run_fail(struct policy_run *run, const char *what);

#endif
