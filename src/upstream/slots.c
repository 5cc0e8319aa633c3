#include "slots.h"
#include "../base/xalloc.h"
#include "../event/worker.h"

#include <stdlib.h>

#define ASK_EVERY (10 * NSEC_PER_MSEC)

bool
slots_acquire(struct cluster_state *st, unsigned limit)
{
    unsigned n = atomic_load(&st->connections);

    atomic_store_explicit(&st->limit, limit, memory_order_relaxed);
    do {
        if (limit && n >= limit)
            return false;
    } while (!atomic_compare_exchange_weak(&st->connections, &n, n + 1));
    return true;
}

static struct slot_waits *
waits_of(struct cluster_state *st)
{
    struct slot_waits *w = atomic_load(&st->waits), *made;

    if (w)
        return w;
    made = xcalloc(1, sizeof(*made) + (workers_count() + 1) * sizeof(made->since[0]));
    made->n = workers_count() + 1;
    if (atomic_compare_exchange_strong(&st->waits, &w, made))
        return made;
    free(made);
    return w;
}

/* The worker whose oldest request waits longest; false: none waits. */
static bool
oldest_worker(struct cluster_state *st, unsigned *id, nsec_t *since)
{
    struct slot_waits *w = atomic_load(&st->waits);
    unsigned i;

    *since = 0;
    for (i = 0; w && i < w->n; i++) {
        nsec_t t = atomic_load(&w->since[i]);

        if (t && (*since == 0 || t < *since)) {
            *since = t;
            *id = i;
        }
    }
    return *since != 0;
}

static void
on_slot(void *arg)
{
    struct cluster_state *st = arg;

    pool_on_slot(st);
    cluster_state_put(st);
}

static void
pass_on(struct cluster_state *st, unsigned id)
{
    if (id == worker_self_id()) {
        pool_on_slot(st);
        return;
    }
    cluster_state_hold(st);
    worker_post(id, on_slot, st);
}

/*
 * Who waits announces itself first and then tries once more to acquire; who releases frees first and then looks once
 * more for somebody who waits. So one of the two sees the other. The pool's timer covers a wait that begins or ends in
 * between.
 */
void
slots_release(struct cluster_state *st)
{
    unsigned id = 0, round;
    nsec_t since;

    for (round = 0; round < 3; round++) {
        if (atomic_load(&st->pending) && oldest_worker(st, &id, &since)) {
            pass_on(st, id);
            return;
        }
        atomic_fetch_sub(&st->connections, 1);
        if (!atomic_load(&st->pending) || !slots_acquire(st, atomic_load(&st->limit)))
            return;
    }
    atomic_fetch_sub(&st->connections, 1);
}

bool
slots_wait_begin(struct cluster_state *st, unsigned limit, nsec_t oldest_here)
{
    struct slot_waits *w = waits_of(st);
    unsigned n = atomic_load(&st->pending), id = worker_self_id();

    do {
        if (n >= limit)
            return false;
    } while (!atomic_compare_exchange_weak(&st->pending, &n, n + 1));
    if (id < w->n)
        atomic_store(&w->since[id], oldest_here);
    return true;
}

void
slots_wait_end(struct cluster_state *st, nsec_t oldest_here)
{
    struct slot_waits *w = waits_of(st);
    unsigned id = worker_self_id();

    if (id < w->n)
        atomic_store(&w->since[id], oldest_here);
    atomic_fetch_sub(&st->pending, 1);
}

nsec_t
slots_oldest_elsewhere(struct cluster_state *st)
{
    unsigned id = 0;
    nsec_t since;

    return oldest_worker(st, &id, &since) && id != worker_self_id() ? since : 0;
}

static void
on_ask_idle(void *arg)
{
    struct cluster_state *st = arg;

    pool_on_ask_idle(st);
    cluster_state_put(st);
}

void
slots_ask_idle(struct cluster_state *st)
{
    nsec_t now = clock_now(), last = atomic_load(&st->shed_at);
    unsigned id, self = worker_self_id();

    if (now - last < ASK_EVERY || !atomic_compare_exchange_strong(&st->shed_at, &last, now))
        return;
    for (id = 0; id <= workers_count(); id++) {
        if (id == self)
            continue;
        cluster_state_hold(st);
        worker_post(id, on_ask_idle, st);
    }
}
