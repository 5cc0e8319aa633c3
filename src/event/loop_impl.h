/* loop_impl: the inside of a loop, for the files of this directory. */
#ifndef EVENT_LOOP_IMPL_H
#define EVENT_LOOP_IMPL_H

#include "../base/recycle.h"
#include "loop.h"

#include <stddef.h>

struct event_base;

struct timer_entry {
    nsec_t armed; /* copy of timer->armed, so that sifting stays in this array */
    struct timer *timer;
};

/* Every armed timer of the loop in a binary heap, and one timerfd for the earliest of them. */
struct timer_heap {
    struct timer_entry *entries; /* owned; [0] is the earliest */
    unsigned n, room;
    nsec_t kernel; /* what the timerfd was told; 0: nothing */
    struct watch watch;
};

struct deferred {
    void (*fn)(void *);
    void *p;
};

/* What a turn has read waits for its end to be written: with so much of it the buffers are still in the CPU's cache
 * then, and are used again by the next turn. */
#define LOOP_TURN_EVENTS 64u
#define LOOP_TURN_BYTES (256u * 1024)

struct loop {
    struct event_base *base;
    unsigned events_seen; /* in this turn */
    size_t bytes_read;    /* likewise */
    bool cut_short;       /* it is over before all is told */
    unsigned untold;      /* events that were known by, and are still to be told: */
    nsec_t known_at;
    nsec_t turn_started; /* atomic: written by the loop, read by anybody; 0 while waiting */
    nsec_t lag_max;      /* atomic */
    bool stop;
    bool due; /* a timer is: the next turn begins at once */
    struct task *tasks, **tasks_end; /* queued for the end of this turn, oldest first; not owned */
    struct deferred *deferred;
    unsigned n_deferred, deferred_room;
    struct timer_heap timers;
    struct recycle events; /* libevent's structs of closed watches */
    char name[32];
};

/* Reads the clock when this is the first event of the turn. Every callback from libevent comes through here. */
void loop_turn_begin(struct loop *l);

int timers_init(struct loop *l);
void timers_fini(struct loop *l);
void timers_run(struct loop *l, nsec_t until); /* fires what is due by then */
/* Before waiting: tells the kernel when to wake us, if that changed for the sooner. True: there is nothing to wait for,
 * one is due by now (read anew: the turn has taken its time). */
bool timers_arm(struct loop *l, nsec_t now);

#endif
