#include "outlier.h"
#include "../base/log.h"
#include "cluster_private.h"

#include <stdio.h>

bool
outlier_is_failure(enum weir_result result, int status)
{
    switch (result) {
    case WEIR_RESULT_CONNECT_FAILED:
    case WEIR_RESULT_CONNECT_TIMEOUT:
    case WEIR_RESULT_RESET:
    case WEIR_RESULT_TIMEOUT:
    case WEIR_RESULT_BAD_RESPONSE:
        return true;
    case WEIR_RESULT_ERROR_STATUS:
        return status >= 500;
    default:
        return false;
    }
}

nsec_t
outlier_eject_time(const struct outlier_conf *o, nsec_t now, nsec_t ejected_until, unsigned *ejections)
{
    nsec_t most = o->eject > OUTLIER_EJECT_MAX ? o->eject : OUTLIER_EJECT_MAX;
    nsec_t good = ejected_until && now > ejected_until ? now - ejected_until : 0;
    nsec_t steps_back = good / o->interval;

    *ejections = steps_back >= *ejections ? 0 : *ejections - (unsigned)steps_back;
    ++*ejections;
    return o->eject > most / *ejections ? most : o->eject * *ejections;
}

/* Would one more still leave max_ejected in place, and somebody to send to? */
static bool
may_eject(const struct outlier_conf *o, const struct endpoint_set *set, const struct endpoint_state *e, nsec_t now)
{
    unsigned i, ejected = 0, others = 0, allowed;

    for (i = 0; i < set->n; i++) {
        const struct endpoint_state *other = set->entries[i].e;

        if (atomic_load(&other->ejected_until) > now)
            ejected++;
        else if (other != e && endpoint_usable(other, now))
            others++;
    }
    if (o->max_ejected <= 0 || others == 0)
        return false;
    allowed = (unsigned)((double)set->n * o->max_ejected / 100);
    return ejected < (allowed ? allowed : 1);
}

static void
eject(struct cluster_private *p, const struct endpoint_set *set, struct endpoint_state *e)
{
    nsec_t now = clock_now(), lasts = 0;
    unsigned ejections;
    char subject[256];

    pthread_mutex_lock(&p->state->lock); /* two workers must not each take the last but one */
    if (atomic_load(&e->ejected_until) <= now && may_eject(&p->outlier, set, e, now)) {
        ejections = atomic_load(&e->ejections);
        lasts = outlier_eject_time(&p->outlier, now, atomic_load(&e->ejected_until), &ejections);
        atomic_store(&e->ejections, ejections);
        atomic_store(&e->ejected_until, now + lasts);
        endpoint_changed();
    }
    atomic_store(&e->consecutive, 0);
    pthread_mutex_unlock(&p->state->lock);
    if (lasts) {
        snprintf(subject, sizeof(subject), "upstream %s %s", e->upstream, e->address);
        log_warning(subject, "ejected for %lld ms after %u failures in a row", (long long)(lasts / NSEC_PER_MSEC),
                    p->outlier.consecutive);
    }
}

void
outlier_report(struct cluster_private *p, struct endpoint_state *e, enum weir_result result, int status)
{
    struct view *v;

    if (result == WEIR_RESULT_CANCELLED)
        return;
    if (!outlier_is_failure(result, status)) {
        if (atomic_load_explicit(&e->consecutive, memory_order_relaxed))
            atomic_store_explicit(&e->consecutive, 0, memory_order_relaxed);
        return;
    }
    if (atomic_load_explicit(&e->ejected_until, memory_order_relaxed) > clock_now())
        return; /* requests from before it was ejected */
    v = cluster_view(p);
    if (atomic_fetch_add(&e->consecutive, 1) + 1 >= p->outlier.consecutive && v && v->set)
        eject(p, v->set, e);
}
