/*
 * loop: one thread's event loop on libevent, with what libevent leaves to its user: idempotent watches, lazy timers,
 * work at the end of a turn, and deferred freeing. Nothing here may be touched from another thread except through a
 * mailbox.
 *
 * A turn: wait -> clock_update -> events -> timers -> end-of-turn tasks (flushes) -> deferred frees. Timers are good
 * to a tenth of a millisecond as long as turns are short. Of many events each turn tells 64, or as many as bring
 * 256 KiB; a timer waits until all are told that were known when it was due.
 */
#ifndef EVENT_LOOP_H
#define EVENT_LOOP_H

#include "../base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

struct loop *loop_new(const char *name); /* name: for logs and the watchdog; copied. NULL with errno */
void loop_free(struct loop *l);          /* after its watches, mailboxes and signals; runs the deferred frees */
void loop_run(struct loop *l);           /* until loop_stop: this turn is finished first */
/* From the loop's own thread. Before loop_run: that does one turn without waiting. */
void loop_stop(struct loop *l);
/* When it runs no more: what was asked for the end of the turn since. */
void loop_last_turn(struct loop *l);
const char *loop_name(const struct loop *l);
struct loop *loop_current(void);         /* the loop running on this thread, or NULL */
/* So much was read in this turn and waits for its end to be written: much of it ends the turn soon. */
void loop_note_read(struct loop *l, size_t n);
/* When the turn now running began; another thread may ask (watchdog, weir_loop_lag_seconds). 0 while waiting. */
nsec_t loop_turn_started(const struct loop *l);
nsec_t loop_lag_max(struct loop *l);     /* longest turn since the last call; resets. Any thread. */

/* --- watch: a file descriptor's readiness, edge-triggered, registered once for the descriptor's life. --- */
#define WATCH_READ 1u
#define WATCH_WRITE 2u
#define WATCH_CLOSED 4u /* the peer has ended its side (with WATCH_READ: bytes may still be queued before the end) */

struct watch {
    struct loop *loop;
    int fd;               /* -1 while closed */
    void (*on_ready)(struct watch *w, unsigned events); /* WATCH_* bits; errors raise READ and WRITE */
    void *impl;           /* libevent's event */
};

/* The fd must be non-blocking; the watch does not own it. on_ready may come until watch_close. 0, or -1 with errno. */
int watch_open(struct watch *w, struct loop *l, int fd, void (*on_ready)(struct watch *, unsigned));
/* Same, level-triggered and for reading only (listeners: a partial accept loop must not lose a wake-up). */
int watch_open_level(struct watch *w, struct loop *l, int fd, void (*on_ready)(struct watch *, unsigned));
/* Has something come that on_ready was not told of yet? */
bool watch_has_news(const struct watch *w);
void watch_pause(struct watch *w);       /* level-triggered watches only; idempotent */
void watch_resume(struct watch *w);      /* idempotent */
void watch_close(struct watch *w);       /* idempotent; no on_ready after this. Before close(fd). */

/* --- timer: embedded, one shot. Moving a deadline later costs a store: the armed event fires early and re-arms
 * itself. --- */
struct timer {
    struct loop *loop;
    void (*on_fire)(struct timer *t);
    nsec_t deadline;      /* 0: not set */
    nsec_t armed;         /* when the loop looks at it; at or before the deadline, meaningless when slot is 0 */
    uint32_t slot;        /* in the loop's heap of armed timers, from 1; 0: not armed */
};

void timer_init(struct timer *t, struct loop *l, void (*on_fire)(struct timer *));
/* Monotonic; replaces an earlier setting. One in the past fires in the next turn. */
void timer_set(struct timer *t, nsec_t deadline);
void timer_after(struct timer *t, nsec_t delay);
void timer_clear(struct timer *t);                  /* idempotent; the loop still knows it: timer_fini before freeing */
static inline bool timer_is_set(const struct timer *t) { return t->deadline != 0; }
void timer_fini(struct timer *t);                   /* before its memory goes */

/* --- task: a function run once at the end of this turn. Adding it twice is adding it once. --- */
struct task {
    void (*run)(struct task *t);
    struct task *next, **link; /* while queued */
    bool queued;
};
/* Tasks added by tasks run in the same turn, at most 1000 rounds of them. */
void loop_at_turn_end(struct loop *l, struct task *t);
void task_cancel(struct loop *l, struct task *t);      /* idempotent */

/* Frees `p` by `fn` when no event of this turn can reach it any more. close() never frees inline. Whoever asks has
 * closed its watches, finished its timers and cancelled its tasks. */
void loop_defer_free(struct loop *l, void (*fn)(void *), void *p);

/* --- signal: delivered on this loop's thread. */
struct signal_watch;
struct signal_watch *signal_watch_new(struct loop *l, int signo, void (*fn)(int signo, void *arg), void *arg);
void signal_watch_free(struct signal_watch *s);

#endif
