#include "loop.h"
#include "../base/log.h"
#include "../base/xalloc.h"
#include "loop_impl.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>

#define TASK_ROUNDS_MAX 1000u

static __thread struct loop *current;

static void
on_libevent_log(int severity, const char *msg)
{
    if (severity == EVENT_LOG_ERR)
        log_error("libevent", "%s", msg);
    else if (severity == EVENT_LOG_WARN)
        log_warning("libevent", "%s", msg);
    else
        log_debug("libevent", "%s", msg);
}

/* Without locks: nothing of a base is touched by another thread. Without libevent's timers (timer.c has its own) its
 * time cache is of no use and would cost a clock read per turn. Without the change list: a descriptor is registered
 * once, so there is nothing to merge, and an error of epoll_ctl is known at once. */
static struct event_base *
base_new(void)
{
    const int flags = EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME | EVENT_BASE_FLAG_IGNORE_ENV;
    struct event_config *cfg = event_config_new();
    struct event_base *base = NULL;

    if (!cfg)
        return NULL;
    event_set_log_callback(on_libevent_log);
    if (event_config_set_flag(cfg, flags) == 0 &&
        event_config_require_features(cfg, EV_FEATURE_ET | EV_FEATURE_O1) == 0)
        base = event_base_new_with_config(cfg);
    event_config_free(cfg);
    return base;
}

struct loop *
loop_new(const char *name)
{
    struct loop *l = xcalloc(1, sizeof(*l));

    snprintf(l->name, sizeof(l->name), "%s", name);
    l->tasks_end = &l->tasks;
    l->base = base_new();
    if (!l->base) {
        free(l);
        return NULL;
    }
    if (timers_init(l) < 0) {
        event_base_free(l->base);
        free(l);
        return NULL;
    }
    return l;
}

/* Freeing one thing may defer the freeing of another. */
static void
run_deferred(struct loop *l)
{
    while (l->n_deferred) {
        struct deferred d = l->deferred[--l->n_deferred];

        d.fn(d.p);
    }
}

void
loop_free(struct loop *l)
{
    if (!l)
        return;
    run_deferred(l);
    timers_fini(l);
    event_base_free(l->base);
    recycle_empty(&l->events, sizeof(struct event));
    free(l->deferred);
    free(l);
}

void
loop_turn_begin(struct loop *l)
{
    if (__atomic_load_n(&l->turn_started, __ATOMIC_RELAXED))
        return;
    clock_update();
    l->events_seen = 0;
    l->bytes_read = 0;
    l->cut_short = false;
    __atomic_store_n(&l->turn_started, clock_now(), __ATOMIC_RELAXED);
}

/* One round: what was queued when it began. A task may cancel any other, so each is unlinked just before it runs. */
static void
run_task_round(struct loop *l)
{
    struct task *round = l->tasks, *t;

    round->link = &round;
    l->tasks = NULL;
    l->tasks_end = &l->tasks;
    while ((t = round)) {
        round = t->next;
        if (round)
            round->link = &round;
        t->queued = false;
        t->run(t);
    }
}

static void
run_tasks(struct loop *l)
{
    unsigned rounds;

    for (rounds = 0; l->tasks && rounds < TASK_ROUNDS_MAX; rounds++)
        run_task_round(l);
    if (l->tasks)
        log_error(l->name, "tasks keep adding tasks: the rest waits for the next turn");
}

/* All events that were known by then have been told. No timer that is due later fires: what a peer has sent in time
 * counts, also where a turn has not come to it. */
static nsec_t
told_until(struct loop *l)
{
    unsigned left = 0;

    if (l->cut_short)
        left = (unsigned)event_base_get_num_events(l->base, EVENT_BASE_COUNT_ACTIVE);
    if (!left) {
        l->untold = 0;
        return clock_now();
    }
    if (!l->untold) {
        l->untold = left;
        l->known_at = clock_now();
        return 0;
    }
    l->untold -= l->untold < l->events_seen ? l->untold : l->events_seen;
    return l->untold ? 0 : l->known_at;
}

static void
turn_end(struct loop *l)
{
    nsec_t now, lag;

    timers_run(l, told_until(l));
    run_tasks(l);
    run_deferred(l);
    now = clock_precise();
    l->due = timers_arm(l, now);
    lag = now - __atomic_load_n(&l->turn_started, __ATOMIC_RELAXED);
    if (lag > __atomic_load_n(&l->lag_max, __ATOMIC_RELAXED))
        __atomic_store_n(&l->lag_max, lag, __ATOMIC_RELAXED);
    __atomic_store_n(&l->turn_started, 0, __ATOMIC_RELAXED);
}

void
loop_run(struct loop *l)
{
    struct loop *outer = current;

    current = l;
    loop_turn_begin(l); /* for what was asked before the first wait */
    turn_end(l);
    while (!l->stop) {
        int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;

        /* Without ONCE it would go on for as long as there is always some event, and the end of the turn would wait. */
        if (l->tasks || l->due)
            flags |= EVLOOP_NONBLOCK;
        if (event_base_loop(l->base, flags) < 0) {
            log_error(l->name, "event loop failed: %m");
            break;
        }
        loop_turn_begin(l);
        turn_end(l);
    }
    l->stop = false;
    current = outer;
}

void
loop_stop(struct loop *l)
{
    l->stop = true;
}

void
loop_last_turn(struct loop *l)
{
    struct loop *outer = current;

    current = l;
    run_tasks(l);
    run_deferred(l);
    current = outer;
}

void
loop_note_read(struct loop *l, size_t n)
{
    l->bytes_read += n;
}

struct loop *
loop_current(void)
{
    return current;
}

const char *
loop_name(const struct loop *l)
{
    return l->name;
}

nsec_t
loop_turn_started(const struct loop *l)
{
    return __atomic_load_n(&l->turn_started, __ATOMIC_RELAXED);
}

nsec_t
loop_lag_max(struct loop *l)
{
    return __atomic_exchange_n(&l->lag_max, 0, __ATOMIC_RELAXED);
}

void
loop_at_turn_end(struct loop *l, struct task *t)
{
    if (t->queued)
        return;
    t->queued = true;
    t->next = NULL;
    t->link = l->tasks_end;
    *l->tasks_end = t;
    l->tasks_end = &t->next;
}

void
task_cancel(struct loop *l, struct task *t)
{
    if (!t->queued)
        return;
    t->queued = false;
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    else if (l->tasks_end == &t->next)
        l->tasks_end = t->link;
}

void
loop_defer_free(struct loop *l, void (*fn)(void *), void *p)
{
    if (l->n_deferred == l->deferred_room) {
        l->deferred_room = l->deferred_room ? 2 * l->deferred_room : 16;
        l->deferred = xrealloc(l->deferred, l->deferred_room * sizeof(*l->deferred));
    }
    l->deferred[l->n_deferred++] = (struct deferred){ fn, p };
}
