/*
 * circuit_breaker: stops sending to an upstream that fails, and lets a few probes find out when it is well again. What
 * this module's files share: the compiled block, and the state that all generations and workers share.
 */
#ifndef CIRCUIT_BREAKER_H
#define CIRCUIT_BREAKER_H

#include "breaker.h"

#include <weir/module.h>

/* What counts as a failure: one bit per enum weir_result, and one per status 500..599. */
struct cb_failures {
    unsigned results;
    uint64_t statuses[2];
};

/* Keyed by the upstream's name alone, so that a reload, whatever it changes in the block, keeps what the breaker has
 * learnt. */
struct cb_state {
    struct breaker breaker;
    struct weir_metric
        *gauges[BREAKER_NAMES]; /* made once, while the first generation is built; 1 for the current state, else 0 */
};

struct cb_config {
    struct breaker_rules rules;
    struct cb_failures failures;
    struct weir_str upstream;
    struct weir_state *hold;   /* put in release */
    struct cb_state *state;
};

extern const struct weir_host *cb_host;
extern const struct weir_directive cb_rows[];

int cb_configure(struct weir_policy *p, const struct weir_conf *block, void **config);
void cb_release(void *config);
/* Whether the outcome of an attempt counts as a failure under these rules. */
bool cb_is_failure(const struct cb_failures *f, enum weir_result result, int status);
/* Writes the gauges; the breaker calls it at each change, under its lock. */
void cb_publish(struct breaker *b);

#endif
