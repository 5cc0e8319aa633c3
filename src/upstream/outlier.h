/*
 * outlier: passive detection. `consecutive` failures in a row (5xx, resets, timeouts, failed connects) take an endpoint
 * out for `eject`, longer each time (eject times the number of ejections, at most the larger of eject and 300 s); every
 * `interval` in good standing takes one step of that growth back. At most `max_ejected` of the endpoints are out at
 * once (but one may always be, unless it says 0%), and never the last usable one.
 */
#ifndef UPSTREAM_OUTLIER_H
#define UPSTREAM_OUTLIER_H

#include "../base/clock.h"

#include <stdbool.h>
#include <weir/types.h>

struct cluster_private;
struct endpoint_state;

struct outlier_conf {
    unsigned consecutive;
    nsec_t interval, eject;
    double max_ejected; /* percent */
};

#define OUTLIER_EJECT_MAX (300 * NSEC_PER_SEC)

/* Is this result the endpoint's fault? Cancelled attempts say nothing (neither failure nor success). */
bool outlier_is_failure(enum weir_result result, int status);
/* On a worker, after an attempt. */
void outlier_report(struct cluster_private *p, struct endpoint_state *e, enum weir_result result, int status);
/* How long the next ejection lasts, and how many there have been then; for tests. */
nsec_t outlier_eject_time(const struct outlier_conf *o, nsec_t now, nsec_t ejected_until, unsigned *ejections);

#endif
