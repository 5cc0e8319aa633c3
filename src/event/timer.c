/*
 * Timers are kept here rather than in libevent: its cheap clock ticks every 4 ms, which is too coarse for a store's
 * deadline of 5 ms, and its precise one sets a timerfd before every wait. Here the timerfd is set only when the
 * earliest armed moment comes sooner.
 */
#include "../base/xalloc.h"
#include "loop.h"
#include "loop_impl.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void
place(struct timer_heap *h, unsigned i, struct timer_entry e)
{
    h->entries[i] = e;
    e.timer->slot = i + 1;
}

static void
sift_up(struct timer_heap *h, unsigned i, struct timer_entry e)
{
    while (i) {
        unsigned parent = (i - 1) / 2;

        if (h->entries[parent].armed <= e.armed)
            break;
        place(h, i, h->entries[parent]);
        i = parent;
    }
    place(h, i, e);
}

static void
sift_down(struct timer_heap *h, unsigned i, struct timer_entry e)
{
    unsigned child;

    while ((child = 2 * i + 1) < h->n) {
        if (child + 1 < h->n && h->entries[child + 1].armed < h->entries[child].armed)
            child++;
        if (e.armed <= h->entries[child].armed)
            break;
        place(h, i, h->entries[child]);
        i = child;
    }
    place(h, i, e);
}

static void
heap_add(struct timer_heap *h, struct timer *t)
{
    if (h->n == h->room) {
        h->room = h->room ? 2 * h->room : 32;
        h->entries = xrealloc(h->entries, h->room * sizeof(*h->entries));
    }
    sift_up(h, h->n++, (struct timer_entry){ t->armed, t });
}

static void
heap_del(struct timer_heap *h, struct timer *t)
{
    unsigned i = t->slot - 1;
    struct timer_entry last = h->entries[--h->n];

    t->slot = 0;
    t->armed = 0;
    if (i == h->n)
        return;
    if (i && last.armed < h->entries[(i - 1) / 2].armed)
        sift_up(h, i, last);
    else
        sift_down(h, i, last);
}

void
timer_init(struct timer *t, struct loop *l, void (*on_fire)(struct timer *))
{
    t->loop = l;
    t->on_fire = on_fire;
    t->deadline = t->armed = 0;
    t->slot = 0;
}

void
timer_set(struct timer *t, nsec_t deadline)
{
    struct timer_heap *h = &t->loop->timers;
    nsec_t now = clock_now();

    /* Never due in the pass that may be running: a timer that sets itself to the past must not hold the loop. */
    if (deadline <= now)
        deadline = now + 1;
    t->deadline = deadline;
    if (t->slot && t->armed <= deadline)
        return; /* it fires early and arms itself again */
    t->armed = deadline;
    if (t->slot)
        sift_up(h, t->slot - 1, (struct timer_entry){ deadline, t });
    else
        heap_add(h, t);
}

void
timer_after(struct timer *t, nsec_t delay)
{
    nsec_t now = clock_now();

    timer_set(t, delay > INT64_MAX - now ? INT64_MAX : now + delay);
}

void
timer_clear(struct timer *t)
{
    t->deadline = 0; /* it stays armed: setting it again soon, as most owners do, then costs nothing */
}

void
timer_fini(struct timer *t)
{
    t->deadline = 0;
    if (t->slot)
        heap_del(&t->loop->timers, t);
}

void
timers_run(struct loop *l, nsec_t until)
{
    struct timer_heap *h = &l->timers;

    while (h->n && h->entries[0].armed <= until) {
        struct timer *t = h->entries[0].timer;

        if (t->deadline > until) {
            t->armed = t->deadline;
            sift_down(h, 0, (struct timer_entry){ t->armed, t });
            continue;
        }
        heap_del(h, t);
        if (!t->deadline)
            continue;
        t->deadline = 0;
        t->on_fire(t); /* may fini and free it */
    }
}

bool
timers_arm(struct loop *l, nsec_t now)
{
    struct timer_heap *h = &l->timers;
    struct itimerspec when = { 0 };
    nsec_t first;

    if (!h->n)
        return false;
    first = h->entries[0].armed;
    if (first <= now)
        return true;
    if (h->kernel && h->kernel <= first)
        return false;
    when.it_value.tv_sec = (time_t)(first / NSEC_PER_SEC);
    when.it_value.tv_nsec = (long)(first % NSEC_PER_SEC);
    timerfd_settime(h->watch.fd, TFD_TIMER_ABSTIME, &when, NULL);
    h->kernel = first;
    return false;
}

/* The timers themselves run at the end of the turn. The descriptor is never read: each setting makes a new edge. */
static void
on_wake(struct watch *w, unsigned events)
{
    w->loop->timers.kernel = 0;
}

int
timers_init(struct loop *l)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

    if (fd < 0)
        return -1;
    if (watch_open(&l->timers.watch, l, fd, on_wake) < 0) {
        close(fd);
        return -1;
    }
    return 0;
}

void
timers_fini(struct loop *l)
{
    int fd = l->timers.watch.fd;
    unsigned i;

    /* Owners that go after the loop may still call timer_fini. */
    for (i = 0; i < l->timers.n; i++)
        l->timers.entries[i].timer->slot = 0;
    watch_close(&l->timers.watch);
    close(fd);
    free(l->timers.entries);
}
