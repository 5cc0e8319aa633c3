#include "cluster.h"
#include "cluster_state.h"

/* Enough for a quiet upstream, where a share of few requests would round to none. */
#define RETRIES_ALWAYS 3

bool
cluster_retry_admit(struct cluster *c)
{
    unsigned active = atomic_load_explicit(&c->state->requests, memory_order_relaxed);
    unsigned most = (unsigned)((double)active * c->retry.budget / 100), n;

    if (most < RETRIES_ALWAYS)
        most = RETRIES_ALWAYS;
    n = atomic_fetch_add(&c->state->retries, 1);
    if (n < most)
        return true;
    atomic_fetch_sub(&c->state->retries, 1);
    return false;
}

void
cluster_retry_done(struct cluster *c)
{
    atomic_fetch_sub(&c->state->retries, 1);
}
